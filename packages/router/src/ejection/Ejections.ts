/** What deployments of a group have done beside each other, and who is out for it: the state behind outlier ejection. */
import * as Slot from "@switchyard/core/Slot"
import { Context, Layer } from "effect"
import * as State from "../stack/State.js"
import { Sibling, Siblings } from "./siblings.js"

export type { Sibling, Siblings }

/** How siblings fare. */
export class Ejections extends Context.Tag("@switchyard/router/Ejections")<
  Ejections,
  {
    /** The figures of a slot's deployment; a live view, not a copy. */
    readonly of: (slot: Slot.Slot) => Sibling
    /** Those of its group, made at first use. */
    readonly group: (name: string) => Siblings
  }
>() {}

/** A value of the service, for composing without Layers. */
export const make = (): Context.Tag.Service<Ejections> => {
  const key = Slot.key("ejections", ({ id }) => new Sibling(id))
  const groups = new Map<string, Siblings>()
  return {
    of: (slot) => slot.get(key),
    group: (name) => {
      const known = groups.get(name)
      if (known !== undefined) return known
      const made = new Siblings()
      groups.set(name, made)
      return made
    }
  }
}

/** Figures kept in this process. */
export const layerMemory: Layer.Layer<Ejections> = Layer.sync(Ejections, make)

/** How the siblings of a tower fare. */
export class Compared extends State.make({ name: "ejections", tag: Ejections, layer: () => layerMemory }) {}
