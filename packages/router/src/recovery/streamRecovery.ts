import type { RequestLayer } from "@switchyard/core/Service"
import { Schema } from "effect"
import * as Holdback from "./Holdback.js"
import * as Recovery from "./Recovery.js"

/** What the tower does about streams that die: one word for two layers, as one of them sits inside Retry. */
export const Options = Schema.Struct({
  /**
   * `splice` (default), `prefill` and `error`: as the Recovery layer's. `holdback`: the first words are held back, so that
   * an early cut is repeated unseen, and later ones are spliced. `buffer`: deliver nothing until the answer is whole.
   */
  policy: Schema.optional(
    Schema.Literal("splice", "prefill", "holdback", "buffer", "error").annotations({
      message: () => ({ message: "splice, prefill, holdback, buffer or error", override: true })
    })
  ),
  /** `holdback`: how much is held back. */
  holdback: Schema.optional(Holdback.Options)
})
/** What the tower does about streams that die. */
export type Options = typeof Options.Type

const keep: RequestLayer = (next) => next

/** What belongs inside Retry. */
export const inside = ({ holdback, policy }: Options = {}): RequestLayer =>
  policy === "buffer" ? Holdback.whole : policy === "holdback" ? Holdback.make(holdback) : keep

/** What belongs outside Fallback: nothing that dies has been delivered where all of it is buffered. */
export const outside = (deps: Recovery.RecoveryDeps, { policy }: Options = {}): RequestLayer =>
  policy === "buffer" ? keep : Recovery.make(deps, policy === undefined || policy === "holdback" ? {} : { policy })
