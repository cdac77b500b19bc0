/**
 * Notices of a channel, heard on a connection that is borrowed from the pool. The client's own way to listen leaves its connection for
 * moments without anybody who hears its errors, when it begins and when it ends: what a dying server says then would end the
 * process. Nor does it tell that its connection has died.
 */
import type { EventEmitter } from "node:events"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What is used of a connection of `@effect/sql-pg`; `pg` is the driver's client, whose errors are heard while it is borrowed. */
export interface Connection {
  readonly executeRaw: (sql: string, values: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>
  readonly pg?: EventEmitter | undefined
}

/** How often it is asked whether it still listens: nothing else is ever said on it. */
const askEvery = "30 seconds"

/** Why nothing is heard any more. */
export type Deaf = "died" | "silent"

/** Listens until the connection has died, or does not answer within `patience`. */
export const listen = (
  borrowed: Effect.Effect<Connection, unknown, Scope.Scope>,
  channel: string,
  heard: () => void,
  patience: Duration.DurationInput
): Effect.Effect<never, Deaf> =>
  Effect.gen(function* () {
    // Whoever were interrupted while it is made would never give it back.
    const connection = yield* Effect.uninterruptible(borrowed)
    const { pg } = connection
    if (pg === undefined) return yield* Effect.fail("died" as const)
    yield* Effect.acquireRelease(
      Effect.sync(() => pg.on("notification", heard)),
      () => Effect.sync(() => pg.off("notification", heard))
    )
    const died = Effect.async<never, Deaf>((resume) => {
      const end = () => resume(Effect.fail("died"))
      pg.once("error", end)
      return Effect.sync(() => pg.off("error", end))
    })
    const asks = Effect.timeoutFail(Effect.disconnect(connection.executeRaw(`LISTEN ${channel}`, [])), {
      duration: patience,
      onTimeout: () => "silent" as const
    })
    // What was told while nobody listened is looked up, too.
    const listens = Effect.zipRight(asks, Effect.sync(heard))
    return yield* Effect.raceFirst(died, Effect.forever(Effect.zipLeft(listens, Effect.sleep(askEvery))))
  }).pipe(
    Effect.scoped,
    Effect.catchAll((why): Effect.Effect<never, Deaf> => Effect.fail(why === "silent" ? why : "died"))
  )
