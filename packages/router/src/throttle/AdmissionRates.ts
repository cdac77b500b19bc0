/** How much of what was asked each model group has served of late: the state behind throttling, by the group's name. */
import { toMs } from "@switchyard/core/Time"
import { Context, type Duration, Layer } from "effect"
import * as State from "../stack/State.js"
import { Admissions } from "./admissions.js"

export type { Admissions }

/** What became of the requests of each group. */
export class AdmissionRates extends Context.Tag("@switchyard/router/AdmissionRates")<
  AdmissionRates,
  {
    /** The figures of a group over the last `window`, made at first use, and anew for another window. */
    readonly of: (group: string, window: Duration.DurationInput) => Admissions
  }
>() {}

/** A value of the service, for composing without Layers. */
export const make = (): Context.Tag.Service<AdmissionRates> => {
  const groups = new Map<string, { readonly window: number; readonly admissions: Admissions }>()
  return {
    of: (group, window) => {
      const ms = toMs(window)
      const known = groups.get(group)
      if (known?.window === ms) return known.admissions
      const admissions = new Admissions(ms)
      groups.set(group, { window: ms, admissions })
      return admissions
    }
  }
}

/** Figures kept in this process. */
export const layerMemory: Layer.Layer<AdmissionRates> = Layer.sync(AdmissionRates, make)

/** What became of the requests of a tower's groups. */
export class Admitted extends State.make({ name: "admissions", tag: AdmissionRates, layer: () => layerMemory }) {}
