/**
 * A pool of connections that is thrown away as a whole when the server is silent or gone, and made anew by whoever asks next: a
 * connection that hangs would otherwise be handed out again.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { LedgerError } from "../../errors/LedgerError.js"
import * as PgErrors from "./pgErrors.js"
import type { Connection } from "./pgNotices.js"
import { placeOf } from "./pgPlace.js"

/** What is used of a client of `@effect/sql-pg`. */
export interface Client {
  readonly unsafe: (sql: string, values: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<object>, unknown>
  readonly withTransaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  readonly reserve: Effect.Effect<Connection, unknown, Scope.Scope>
}

/** Connections at most, one of which listens: a gateway's thread asks little at once. */
const connections = 5

/** A try of a statement, a connection or a transaction may take so long: less than whoever asks the ledger waits. */
export const patience = Duration.millis(4_000)

const missing = new LedgerError({
  reason: "missing",
  description: "A database on Postgres needs two packages: npm install @effect/sql-pg@0.53.0 @effect/sql@0.52.1"
})

const load = Effect.tryPromise({ try: () => import("@effect/sql-pg/PgClient"), catch: () => missing })

export interface Pool {
  /** Uses a client; one that fails by the server's silence ends the pool. */
  readonly use: <A>(ask: (client: Client) => Effect.Effect<A, unknown>) => Effect.Effect<A, LedgerError>
}

/** A pool for a server; each time that it is made anew `watch` runs beside it, if there is one. That ends where it finds the server silent: so does the pool. */
export const make = (
  url: string,
  watch: (client: Client) => Effect.Effect<unknown> = () => Effect.never
): Effect.Effect<Pool, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const PgClient = yield* load
    const place = placeOf(url)
    const outer = yield* Effect.scope
    const turn = Effect.unsafeMakeSemaphore(1)
    let current: { readonly client: Client; readonly scope: Scope.CloseableScope } | undefined

    const silent = new LedgerError({
      reason: "away",
      description: `${place} did not answer within ${Duration.toSeconds(patience)} s: the journal goes on, and it is tried again`
    })
    /** Nobody waits for the end of what hangs. */
    const bounded = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, LedgerError> =>
      Effect.timeoutFail(Effect.disconnect(Effect.mapError(effect, (thrown) => PgErrors.of(thrown, place))), {
        duration: patience,
        onTimeout: () => silent
      })

    const discard = (scope: Scope.CloseableScope): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (current?.scope === scope) current = undefined
        return Effect.asVoid(Effect.forkDaemon(Effect.exit(Scope.close(scope, Exit.void))))
      })

    const begin = Effect.gen(function* () {
      const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
      const layer = PgClient.layer({
        url: Redacted.make(url),
        maxConnections: connections,
        connectTimeout: patience,
        idleTimeout: "1 minute",
        applicationName: "switchyard"
      })
      const context = yield* bounded(Layer.buildWithScope(layer, scope)).pipe(Effect.onError(() => discard(scope)))
      const client = Context.get(context, PgClient.PgClient) as unknown as Client
      const made = { client, scope }
      current = made
      // Its end is not waited for: what only begins to listen can't be stopped, and would hold whoever ends the pool.
      const listening = yield* Effect.forkDaemon(Effect.zipRight(watch(client), discard(scope)))
      yield* Scope.addFinalizer(scope, Fiber.interruptFork(listening))
      return made
    })
    const ready = turn.withPermits(1)(Effect.suspend(() => (current === undefined ? begin : Effect.succeed(current))))

    return {
      use: (ask) =>
        Effect.flatMap(ready, ({ client, scope }) =>
          Effect.tapError(bounded(ask(client)), ({ reason }) => (reason === "away" ? discard(scope) : Effect.void))
        )
    }
  })
