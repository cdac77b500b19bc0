/** What runs beside, for as long as a scope is open. */
import { Effect, type Fiber, Runtime, RuntimeFlags, type Scope } from "effect"

/**
 * Runs an effect in a fiber of its own until it ends or the scope closes. Unlike with `Effect.forkScoped`, the scope always closes
 * at once: a fiber is as uninterruptible as the place that forked it, so a loop that a layer starts while it is acquired would
 * run on for ever, and whoever closes its scope would wait that long.
 *
 * @example
 * ```ts
 * import * as Background from "@switchyard/core/Background"
 * import { Effect } from "effect"
 *
 * const program = Effect.scoped(
 *   Effect.zipRight(Background.run(Effect.forever(Effect.sleep("1 second"))), Effect.logInfo("the loop ends with the scope"))
 * )
 * ```
 */
export const run = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R | Scope.Scope> => Effect.forkScoped(Effect.interruptible(effect))

/**
 * The runtime of whoever asks, for effects that are started from callbacks later. What it runs can be interrupted, also when it was
 * asked for where nothing could: a runtime, too, keeps that from the place that it is taken from.
 */
export const runtime = <R = never>(): Effect.Effect<Runtime.Runtime<R>, never, R> =>
  Effect.map(Effect.runtime<R>(), (own) => Runtime.enableRuntimeFlag(own, RuntimeFlags.Interruption))
