/**
 * Answers a request that was answered before without calling anybody, and lets equal requests that are under way at the
 * same time wait for one call. Exact match: all that could change the answer is part of the key, whatever the temperature.
 * Outermost of all layers that cost something: a hit takes no budget, limit or attempt and counts no tokens.
 *
 * A shared call runs in the layer's own scope as long as anybody waits for it. Each caller of a stream reads at its own
 * pace; who joins late is given what came so far. A stream longer than `maxEntryBytes` is not stored, nobody can join it
 * from then on, and it follows its slowest reader once that is `maxEntryBytes` behind.
 */

import type { ConfigError } from "@switchyard/core/ConfigError"
import { type Dialect, eventOf } from "@switchyard/core/Dialect"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { EventStream } from "@switchyard/core/EventStream"
import * as Field from "@switchyard/core/Field"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError, type Reason } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Service from "@switchyard/core/Service"
import { nowMs, toMs } from "@switchyard/core/Time"
import { zero } from "@switchyard/core/Usage"
import { type Clock, type Context, Effect, Layer, type Scope } from "effect"
import * as Concern from "../stack/Concern.js"
import { CachedAnswers, type CacheEntry, CacheStore, entryBytes, type StoredStream } from "./CacheStore.js"
import { type CacheKeys, cacheKeys } from "./cacheKey.js"
import { Flight, type Seat } from "./flight.js"
import { SurvivingStore } from "./survivingStore.js"

/** Options of the layer. A request's own `overrides.cache` beats them. */
export const Options = Field.options(
  "Answers requests that were answered before without calling anybody, and lets equal requests under way wait for one call.",
  {
    /** How long an answer is kept; 0 keeps nothing, and calls are shared all the same. Default 5 minutes. */
    ttl: Field.option(
      Field.durationOrZero,
      "How long an answer is kept; 0 keeps nothing, and calls are shared all the same.",
      300_000
    ),
    /** The most bytes that one entry and its key may take. Default 1 MiB. */
    maxEntryBytes: Field.option(
      Field.positiveCount,
      "The most bytes that one entry and its key may take.",
      1 * 1024 * 1024
    ),
    /** Whether callers are given each other's answers. Requests without a caller count as one caller's. Default false. */
    shared: Field.option(
      Field.flag,
      "Whether callers are given each other's answers. Requests without a caller count as one caller's.",
      false
    ),
    /**
     * How long an error that the request itself is to blame for is kept: `InvalidRequest`, `ContextWindowExceeded`,
     * `ContentPolicyViolation`. Default 0: not at all.
     */
    negativeTtl: Field.option(
      Field.durationOrZero,
      "How long an error that the request itself is to blame for is kept: `InvalidRequest`, `ContextWindowExceeded`, `ContentPolicyViolation`. Default 0: not at all.",
      0
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the layer works with. */
export interface CacheDeps {
  readonly store: Context.Tag.Service<CacheStore>
  /** Calls that are shared live in it; when it closes, they end. */
  readonly scope: Scope.Scope
}

const lasting: ReadonlySet<Reason> = new Set(["InvalidRequest", "ContextWindowExceeded", "ContentPolicyViolation"])

const parse = (text: string): JsonObject => {
  const json: unknown = JSON.parse(text)
  if (!isJsonObject(json)) throw new SyntaxError("no JSON object")
  return json
}

/** A stream that has ended already, with all its events in hand. */
const replayStream = (stored: StoredStream, dialect: Dialect | undefined, clock: Clock.Clock): EventStream => {
  const events = new EventQueue({ clock, startedAt: nowMs(clock), estimateInputTokens: () => 0, dialect })
  const { answer } = dialect ?? openAi
  for (const data of stored.events) events.push(eventOf(answer, parse(data), data))
  events.facts.usage = zero
  events.end()
  return events
}

/** The call that a stored entry stands for; undefined when it cannot be read. A hit uses nothing and takes no time. */
const replay = (entry: CacheEntry, { dialect, route }: LlmRequest, clock: Clock.Clock): Service.Call | undefined => {
  const { journal } = route
  try {
    if (entry._tag === "Failed") return Effect.fail(new LlmError(entry.error))
    const { headers, status } = entry
    if (entry._tag === "Streaming") {
      const events = replayStream(entry, dialect, clock)
      journal.adopt(events)
      return Effect.succeed({ _tag: "Streaming", status, headers, events, journal })
    }
    const outcome = { _tag: "Completed" as const, usage: zero, timeToFirstToken: 0, duration: 0 }
    return Effect.succeed({
      _tag: "Complete",
      status,
      headers,
      body: parse(entry.raw),
      raw: entry.raw,
      outcome,
      journal
    })
  } catch {
    return undefined
  }
}

/** The call failed by the deadline of the one who began it. */
const isDeadline = (error: LlmError): boolean => error.reason === "Timeout" && error.bound === "caller"

/**
 * Another's deadline is none of this caller's. Both have as much time, so its own comes as much later as it came itself.
 */
const withOwnDeadline = (seat: Seat, now: number): LlmRequest => {
  const { request } = seat
  const deadline = Math.min(request.route.deadline, seat.joinedAt + (now - seat.flight.startedAt))
  return { ...request, route: { ...request.route, deadline } }
}

/** The layer, from what it works with. */
export const make = (deps: CacheDeps, options: Options = {}): Service.RequestLayer => {
  const { scope } = deps
  const store = new SurvivingStore(deps.store)
  const ttl = toMs(options.ttl ?? defaults.ttl)
  const negativeTtl = toMs(options.negativeTtl ?? defaults.negativeTtl)
  const maxBytes = options.maxEntryBytes ?? defaults.maxEntryBytes
  const shared = options.shared ?? defaults.shared

  const keep = (key: string, request: LlmRequest, entry: CacheEntry): Effect.Effect<void> => {
    const own = request.overrides.cache?.ttl
    const time =
      entry._tag !== "Failed"
        ? (own ?? ttl)
        : lasting.has(entry.error.reason)
          ? Math.min(negativeTtl, own ?? negativeTtl)
          : 0
    return time > 0 && entryBytes(key, entry) <= maxBytes ? store.set(request, key, entry, time) : Effect.void
  }

  return (next) => {
    const flights = new Map<string, Flight>()

    const depart = (request: LlmRequest, keys: CacheKeys, clock: Clock.Clock): Flight =>
      new Flight({
        request,
        call: next.call,
        scope,
        clock,
        maxBytes,
        store: (entry) => keep(keys.answer, request, entry),
        onClosed: (flight) => {
          if (flights.get(keys.flight) === flight) flights.delete(keys.flight)
        }
      })

    const takeSeat = (request: LlmRequest, keys: CacheKeys, clock: Clock.Clock): Seat => {
      const known = flights.get(keys.flight)
      const flight = known ?? depart(request, keys, clock)
      if (known === undefined) flights.set(keys.flight, flight)
      return flight.join(request)
    }

    /** Waits for a call, new or under way; `isAlone` for a new one that nobody else may join. */
    const fly = (request: LlmRequest, keys: CacheKeys, isAlone: boolean): Service.Call =>
      Service.bracket(
        (_, clock) => (isAlone ? depart(request, keys, clock).join(request) : takeSeat(request, keys, clock)),
        (seat) => {
          const answer = Service.primed(seat.answer)
          return seat.isLeader
            ? answer
            : Effect.catchAll(answer, (error) =>
                isDeadline(error)
                  ? Effect.clockWith((clock) => fly(withOwnDeadline(seat, nowMs(clock)), keys, isAlone))
                  : Effect.fail(error)
              )
        },
        (seat) => seat.leave()
      )

    /** A stored answer will do, and otherwise `call`. */
    const lookUp = (request: LlmRequest, key: string, call: () => Service.Call): Service.Call =>
      Effect.flatMap(store.get(request, key), (entry) =>
        entry === undefined
          ? call()
          : Effect.clockWith((clock): Service.Call => {
              const answer = replay(entry, request, clock)
              if (answer === undefined) return call()
              request.route.journal.cache = "hit"
              return answer
            })
      )

    const pass = (request: LlmRequest): Service.Call => {
      request.route.journal.cache = "miss"
      return next.call(request)
    }

    return Service.request(
      (request) =>
        Effect.suspend(() => {
          const { noCache = false, noStore = false } = request.overrides.cache ?? {}
          const keys = noCache && noStore ? undefined : cacheKeys(request, shared)
          if (keys === undefined) return next.call(request)
          if (noCache) return fly(request, keys, true)
          if (noStore) return lookUp(request, keys.answer, () => pass(request))
          return flights.has(keys.flight)
            ? fly(request, keys, false)
            : lookUp(request, keys.answer, () => fly(request, keys, false))
        }),
      next.openings
    )
  }
}

/**
 * Caches answers around the inner service. The outermost layer but for those that count requests.
 *
 * @example
 * ```ts
 * import * as Cache from "@switchyard/router/Cache"
 * import * as CacheStore from "@switchyard/router/CacheStore"
 * import { Layer } from "effect"
 *
 * const Cached = Cache.layerWith({ ttl: "10 minutes" }).pipe(
 *   Layer.provide(CacheStore.layerMemoryWith({ maxBytes: 256 * 1024 * 1024 }))
 * )
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService | CacheStore> =>
  Layer.fresh(
    Layer.scoped(
      LlmService,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "cache")
        const store = yield* CacheStore
        const scope = yield* Effect.scope
        return make({ store, scope }, valid)(yield* LlmService)
      })
    )
  )

/** Caches answers around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | CacheStore> = Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class Cache extends Concern.request({
  name: "cache",
  about: "Answers that were given before",
  on: false,
  options: Options,
  outside: { deadline: "a hit takes no time", callerBudget: "a hit costs nothing", callerLimits: "a hit uses nothing" },
  state: [CachedAnswers],
  make: (options) =>
    Effect.gen(function* () {
      return make({ store: yield* CacheStore, scope: yield* Effect.scope }, options)
    })
}) {}
