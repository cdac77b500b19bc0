import * as Field from "@switchyard/core/Field"
import type { RequestLayer } from "@switchyard/core/Service"
import { Effect, Schema } from "effect"
import { RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import * as Holdback from "./Holdback.js"
import * as Recovery from "./Recovery.js"

/** What the tower does about streams that die: one word for two layers, as one of them sits inside Retry. */
export const Options = Field.options("What becomes of streams that die after their first words.", {
  /**
   * `splice` (default), `prefill` and `error`: as the Recovery layer's. `holdback`: the first words are held back, so that
   * an early cut is repeated unseen, and later ones are spliced. `buffer`: deliver nothing until the answer is whole.
   */
  policy: Field.option(
    Schema.Literal("splice", "prefill", "holdback", "buffer", "error").annotations({
      message: () => ({ message: "splice, prefill, holdback, buffer or error", override: true })
    }),
    "`splice` (default), `prefill` and `error`: as the Recovery layer's. `holdback`: the first words are held back, so that an early cut is repeated unseen, and later ones are spliced. `buffer`: deliver nothing until the answer is whole.",
    "splice"
  ),
  /** `holdback`: how much is held back. */
  holdback: Field.option(Holdback.Options, "`holdback`: how much is held back.")
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

/** Streams that were cut after their first words, as a concern of a stack. */
export class StreamRecovery extends Concern.request({
  name: "recovery",
  about: "Streams that die in the middle go on elsewhere",
  options: Options,
  outside: {
    fallback: "what died goes on wherever the request may go",
    retry: "what died goes on wherever the request may go"
  },
  state: [Registry, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      return outside({ registry: yield* DeploymentRegistry, events: yield* RouterEvents }, options)
    })
}) {}

/** First words that are held back, as a concern of a stack. */
export class HeldBack extends Concern.request({
  name: "holdback",
  key: "recovery",
  about: "Holds back the first words of a stream, so that an early cut is repeated unseen",
  options: Options,
  inside: { retry: "what is held back is repeated as a failed call" },
  make: inside
}) {}
