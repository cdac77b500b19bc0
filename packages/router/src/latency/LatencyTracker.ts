/**
 * What is known about how fast deployments answer: averages that fade with time, quantiles, Finagle's peak average, and
 * the calls that still wait for an answer. The Latency layer writes it; strategies, hedging and dashboards read it.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import * as Slot from "@switchyard/core/Slot"
import { toMs } from "@switchyard/core/Time"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import * as State from "../stack/State.js"
import { type Answers, type Average, GroupCell, type GroupLatency } from "./groupCell.js"
import { type DeploymentLatency, LatencyCell, Tracked, type TrackedCall } from "./latencyCell.js"

export type { Answers, Average, DeploymentLatency, GroupLatency, TrackedCall }

/** Options of the tracker. */
export const Options = Field.options("How averages of latency fade with time.", {
  /** Weight of a new sample in the averages, above 0 and at most 1. Default 0.2. */
  alpha: Field.option(
    Schema.Number.pipe(Schema.greaterThan(0), Schema.lessThanOrEqualTo(1)).annotations({
      message: () => ({ message: "a number above 0, at most 1", override: true })
    }),
    "Weight of a new sample in the averages, above 0 and at most 1.",
    0.2
  ),
  /**
   * Time after which an old average counts half against a new sample; after five of them without a sample it is unknown
   * again. Infinite: only samples count, and none gets old. Default 2 minutes.
   */
  halfLife: Field.option(
    Field.duration,
    "Time after which an old average counts half against a new sample; after five of them without a sample it is unknown again. Infinite: only samples count, and none gets old.",
    120_000
  ),
  /** Time after which a peak has faded to 1/e, and a failure is forgotten as far. Default 10 seconds. */
  tau: Field.option(
    Field.duration,
    "Time after which a peak has faded to 1/e, and a failure is forgotten as far.",
    10_000
  )
})
/** Options of the tracker. */
export type Options = typeof Options.Type

/** What an option is when it is left out. */
export const defaults = Field.defaults(Options)

/** Keeps the latencies of deployments and groups. */
export class LatencyTracker extends Context.Tag("@switchyard/router/LatencyTracker")<
  LatencyTracker,
  {
    /** The figures of a slot's deployment; a live view, not a copy. */
    readonly of: (slot: Slot.Slot) => DeploymentLatency
    /** The figures of a model group; undefined before its first call. */
    readonly group: (name: string) => GroupLatency | undefined
    /** Begins to observe a call; `stream` says what counts as its answer. It must be settled, however it ends. */
    readonly begin: (slot: Slot.Slot, stream: boolean, now: number) => TrackedCall
  }
>() {}

/** Groups whose figures are kept; beyond, the group that was first seen longest ago is forgotten. */
const maxGroups = 10_000

/** A tracker as a value, for composing without Layers. Options are taken as they are: `layerMemory` checks them. */
export const make = (options: Options = {}): Context.Tag.Service<LatencyTracker> => {
  const settings = {
    alpha: options.alpha ?? defaults.alpha,
    halfLife: toMs(options.halfLife ?? defaults.halfLife),
    tau: toMs(options.tau ?? defaults.tau)
  }
  const key = Slot.key("latency", () => new LatencyCell(settings))
  const groups = new Map<string, GroupCell>()
  const groupOf = (name: string): GroupCell => {
    const known = groups.get(name)
    if (known !== undefined) return known
    const made = new GroupCell(settings)
    groups.set(name, made)
    if (groups.size > maxGroups) {
      for (const oldest of groups.keys()) {
        groups.delete(oldest)
        break
      }
    }
    return made
  }
  return {
    of: (slot) => slot.get(key),
    group: (name) => groups.get(name),
    begin: (slot, stream, now) => new Tracked(slot.get(key), groupOf(slot.deployment.group), stream, now)
  }
}

/** Latencies kept in this process. Each call makes a tracker of its own: bind it to a const to share it. */
export const layerMemoryWith = (options: Options): Layer.Layer<LatencyTracker, ConfigError> =>
  Layer.effect(LatencyTracker, Effect.map(Field.decode(Options, options, "latency"), make))

/** Latencies kept in this process, with the defaults. */
export const layerMemory: Layer.Layer<LatencyTracker> = Layer.orDie(layerMemoryWith({}))

/** How towers make their trackers: in this process, unless an app shares them with others. */
export class Making extends Context.Reference<Making>()("@switchyard/router/LatencyTracker/Making", {
  defaultValue:
    () =>
    (options: Options): Effect.Effect<Context.Tag.Service<LatencyTracker>, never, Scope.Scope> =>
      Effect.succeed(make(options))
}) {}

/** How long deployments take. */
export class Latencies extends State.make({
  name: "latencies",
  key: "latency",
  tag: LatencyTracker,
  options: Options,
  layer: (options) =>
    Layer.scoped(
      LatencyTracker,
      Effect.gen(function* () {
        const making = yield* Making
        return yield* making(yield* Field.decode(Options, options, "latency"))
      })
    )
}) {}
