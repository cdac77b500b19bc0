/**
 * A loopback HTTP upstream that speaks OpenAI's wire protocol, with scripted faults and a journal as witness. It is a
 * real server on real sockets and real time, so that a test sees what a client of a real provider would see.
 *
 * ```ts
 * const upstream = yield* FakeProvider.make({ name: "east" })
 * yield* upstream.next({ status: 429, headers: { "retry-after": "1" } })   // the next request only
 * yield* upstream.behave({ firstTokenMs: 20, chunkGapMs: 5 })              // from then on
 * const entry = yield* upstream.awaitEntry((e) => e.end === "clientAborted")
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { DurationInput } from "effect/Duration"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import type { Behaviour, Choose } from "./fakeBehaviour.js"
import { makeScript } from "./fakeBehaviour.js"
import type { Journal, JournalEntry, Row, Stats } from "./fakeJournal.js"
import { entryOf, makeJournal } from "./fakeJournal.js"
import { makeServer } from "./fakeServer.js"
import { embed } from "./fakeWire.js"

export type {
  Behaviour,
  Choose,
  ErrorDetail,
  FakeRateLimit,
  FakeRequest,
  FakeToolCall,
  FakeUsage,
  Gate
} from "./fakeBehaviour.js"
export { gate } from "./fakeBehaviour.js"
export type { FakeFile, FakeForm } from "./fakeForm.js"
export type { End, JournalEntry, Stats } from "./fakeJournal.js"
export { soundOf } from "./fakeMediaAnswer.js"

/**
 * A running fake upstream: its address, its script and its witness.
 *
 * @since 0.1.0
 * @category models
 */
export interface FakeProvider {
  /** Appears in the default reply, in response ids and as the owner of its models. */
  readonly name: string
  /** Base URL with the version: `http://127.0.0.1:PORT/v1`. */
  readonly url: string
  /** The port it listens on, the same again after `revive`. */
  readonly port: number
  /** What arrived, oldest first, as it stands now; the latest `journalLimit` requests. */
  readonly journal: () => ReadonlyArray<JournalEntry>
  /** Counters since the start or the last reset; they count on when the journal drops entries. */
  readonly stats: () => Stats
  /** Requests that arrived and have not ended. */
  readonly inFlight: () => number
  /** Sockets that clients hold open to it, idle ones included. */
  readonly openSockets: () => number
  /** Sets the standing behaviour and starts its rate window and its seeded sequences anew. */
  readonly behave: (behaviour: Behaviour) => Effect.Effect<void>
  /** Queues behaviours, one each for the next well-formed requests, ahead of the standing one. */
  readonly next: (...behaviours: ReadonlyArray<Behaviour>) => Effect.Effect<void>
  /** Asks `choose` first for every request; it replaces the earlier chooser. A chooser that throws answers 500. */
  readonly when: (choose: Choose) => Effect.Effect<void>
  /** Closes the listener and destroys all sockets: connections are refused. Done when they are. */
  readonly kill: Effect.Effect<void>
  /** Listens again on the same port; the script stands as it was. Dies after the scope has closed. */
  readonly revive: Effect.Effect<void>
  /** As freshly made: exchanges in flight cut, journal, counters and script forgotten, revived if it was killed. */
  readonly reset: Effect.Effect<void>
  /**
   * The first entry that satisfies the predicate, now or as soon as one does. Dies with a summary of the journal after
   * `timeout` (default 20 seconds, real time, also under a test clock).
   */
  readonly awaitEntry: (
    predicate: (entry: JournalEntry) => boolean,
    timeout?: DurationInput
  ) => Effect.Effect<JournalEntry>
}

/**
 * How to start a fake upstream.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default `fake`. */
  readonly name?: string
  /** Standing behaviour from the start and after `reset`. Default: instant good answers. */
  readonly behaviour?: Behaviour
  /** What `GET /v1/models` lists; requests may name any model all the same. Default `["fake-model"]`. */
  readonly models?: ReadonlyArray<string>
  /** Where it listens on loopback, so that a restarted process has its old address. Default: any free port. */
  readonly port?: number
  /** Entries the journal keeps, the oldest dropped first. Default 10,000. */
  readonly journalLimit?: number
}

const summary = (entries: ReadonlyArray<JournalEntry>): string =>
  entries
    .slice(-20)
    .map(
      (e) =>
        `\n  #${e.seq} ${e.method} ${e.path} status=${e.status ?? "-"} end=${e.end ?? "in flight"} chunks=${e.chunksSent}`
    )
    .join("")

const awaitEntryIn =
  (name: string, journal: Journal): FakeProvider["awaitEntry"] =>
  (predicate, timeout = 20_000) =>
    Effect.async<JournalEntry>((resume) => {
      const limitMs = Duration.toMillis(timeout)
      let stop = () => {}
      const accept = (entry: JournalEntry): boolean => {
        try {
          if (!predicate(entry)) return false
          resume(Effect.succeed(entry))
        } catch (error) {
          resume(Effect.die(error))
        }
        stop()
        return true
      }
      for (const entry of journal.entries()) {
        if (accept(entry)) return
      }
      const unwatch = journal.watch((row: Row) => void accept(entryOf(row)))
      const timer = setTimeout(() => {
        stop()
        const entries = journal.entries()
        resume(
          Effect.die(
            new Error(
              `FakeProvider "${name}": no entry of its journal satisfied the predicate within ${limitMs} ms; ` +
                `it has ${entries.length}${summary(entries)}`
            )
          )
        )
      }, limitMs)
      stop = () => {
        clearTimeout(timer)
        unwatch()
      }
      return Effect.sync(stop)
    })

/**
 * Starts a fake upstream on a free loopback port; the scope's end destroys its sockets and timers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<FakeProvider, never, Scope> =>
  Effect.gen(function* () {
    const name = options.name ?? "fake"
    const journal = makeJournal(options.journalLimit ?? 10_000)
    const script = makeScript(options.behaviour ?? {})
    const server = makeServer({ name, models: options.models ?? ["fake-model"], journal, decide: script.decide })
    const lock = yield* Effect.makeSemaphore(1)
    let closed = false
    const exclusive = (run: () => Promise<unknown>): Effect.Effect<void> =>
      lock.withPermits(1)(Effect.uninterruptible(Effect.promise(run)))

    const port = yield* Effect.acquireRelease(
      Effect.promise(() => server.listen(options.port ?? 0)),
      () =>
        exclusive(async () => {
          closed = true
          if (server.listening()) await server.shut()
        })
    )
    const listen = async () => {
      if (closed) throw new Error(`FakeProvider "${name}": its scope has closed`)
      if (!server.listening()) await server.listen(port)
    }
    return {
      name,
      port,
      url: `http://127.0.0.1:${port}/v1`,
      journal: journal.entries,
      stats: journal.stats,
      inFlight: journal.inFlight,
      openSockets: server.openSockets,
      behave: (behaviour) => Effect.sync(() => script.behave(behaviour)),
      next: (...behaviours) => Effect.sync(() => script.next(behaviours)),
      when: (choose) => Effect.sync(() => script.when(choose)),
      kill: exclusive(async () => {
        if (server.listening()) await server.shut()
      }),
      revive: exclusive(listen),
      reset: exclusive(async () => {
        server.breakOff()
        journal.reset()
        script.reset()
        server.resetSeq()
        await listen()
      }),
      awaitEntry: awaitEntryIn(name, journal)
    }
  })

/**
 * Tag under which a test's only, or main, fake upstream is provided.
 *
 * @since 0.1.0
 * @category tags
 */
export class FakeProviderTag extends Context.Tag("@switchyard/testing/FakeProvider")<FakeProviderTag, FakeProvider>() {}

/**
 * A fake upstream as a layer: each build starts a server of its own and stops it with the layer's scope.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (options: Options): Layer.Layer<FakeProviderTag> =>
  Layer.scoped(FakeProviderTag, make(options))

/** A fake upstream as a layer: each build starts a server of its own and stops it with the layer's scope, with the defaults. */
export const layer: Layer.Layer<FakeProviderTag> = layerWith({})

/**
 * The vector that every fake upstream answers for an input: of unit length, and dependent on the input alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const embeddingOf = (input: unknown, dimensions = 16): ReadonlyArray<number> =>
  Array.from(embed(input, dimensions))
