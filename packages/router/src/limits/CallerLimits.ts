/**
 * How much a caller may ask for: requests and tokens per 60 s, and calls at once. Request tier, inside the cache (a hit
 * uses nothing) and outside everything that calls a provider: a request counts once, however many attempts it takes, and
 * its tokens are those of all of them.
 */
import { isAttempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { JournalEntry } from "@switchyard/core/Journal"
import { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import type { Busy } from "@switchyard/core/Status"
import { total } from "@switchyard/core/Usage"
import { type Context, Effect, Layer, Schema } from "effect"
import { CallerTerms, type Limit, limitsOf, type Service as Terms } from "../money/CallerTerms.js"
import { hasWorked } from "../money/estimateCost.js"
import * as Concern from "../stack/Concern.js"
import { CallerLimit, CallerUsage, type CallerWindow, CallerWindows, type Reservation } from "./CallerWindows.js"
import { estimateTokens } from "./estimateTokens.js"

/** Options of the layer. */
export const Options = Field.options("What callers may ask for: requests and tokens per 60 s, and calls at once.", {
  /** Limits by caller. */
  callers: Field.option(Schema.Record({ key: Schema.String, value: CallerLimit }), "Limits by caller."),
  /** The limits of every caller that is not listed, each for itself; unset means none. */
  everyCaller: Field.option(
    CallerLimit,
    "The limits of every caller that is not listed, each for itself; unset means none."
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** What the layer works with. */
export interface CallerLimitsDeps {
  readonly windows: Context.Tag.Service<CallerWindows>
  /** What callers are held to beside the options. Default: nothing. */
  readonly terms?: Terms | undefined
}

const words: Readonly<Record<string, string>> = {
  rpm: "requests per minute",
  tpm: "tokens per minute",
  maxParallel: "calls at once"
}

const none: ReadonlyArray<never> = []

const refused = ({ limit, scope }: Limit, { reason, until }: Busy, now: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `the ${scope}'s limit of ${limit[reason as keyof CallerLimit]} ${words[reason]} is used up`,
    code: `${scope}_limit`,
    ...(until === undefined ? {} : { retryAfter: Math.max(0, until - now) })
  })

const lost = ({ scope }: Limit): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: `the process did not run for so long that the ${scope}'s permit of the call went to others`,
    code: "lease_lost",
    blames: "request"
  })

const turnedAway = ({ scope }: Limit, { deployment, provider }: JournalEntry): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `the ${scope}'s permit of the call went to others`,
    code: `${scope}_limit`,
    deployment,
    provider
  })

/** Ends what runs of a request, and lets no more of it begin. */
const end = (limited: Limit, { route: { journal } }: LlmRequest): void => {
  journal.guard((attempt) => turnedAway(limited, attempt))
  for (const entry of journal.entries) if (isAttempt(entry)) entry.expire?.(lost(limited))
}

/** Tokens of all attempts; one that the provider worked on, and of which nobody knows more, used its prompt. */
const tokensOf = (request: LlmRequest): number => {
  let sum = 0
  for (const { outcome, rejected } of request.route.journal.entries) {
    if (rejected) continue
    if (outcome?.usage !== undefined) sum += total(outcome.usage)
    else if (hasWorked(outcome)) sum += estimateInputTokens(request)
  }
  return sum
}

/**
 * The layer. Requests without a caller have no limits. A call that does not fit fails with `Rejected`, code
 * `caller_limit`, with the time until it fits as `retryAfter`, or without one when a call in flight has to end first. An
 * admitted request counts for its 60 s however it ends. Where terms say so, it is held to limits of its team and its user as
 * well, all or none: their codes are `team_limit` and `user_limit`.
 */
export const make = ({ terms, windows }: CallerLimitsDeps, options: Options = {}): Service.RequestLayer => {
  const own = new Map(
    Object.entries(options.callers ?? {}).map(([key, limit]): [string, Limit] => [key, { scope: "caller", key, limit }])
  )

  const limitsFor = (caller: string): ReadonlyArray<Limit> => {
    const { everyCaller } = options
    return limitsOf(
      own.get(caller),
      everyCaller && (() => ({ scope: "caller", key: caller, limit: everyCaller })),
      terms?.of(caller)
    )
  }

  const windowOf = ({ key, scope }: Limit, now: number): CallerWindow => windows.window(key, now, scope)

  /** What is taken ends the request where a permit went to others. */
  const watched = (
    limits: ReadonlyArray<Limit>,
    taken: ReadonlyArray<Reservation>,
    request: LlmRequest
  ): ReadonlyArray<Reservation> => {
    for (const [index, reservation] of taken.entries()) {
      const limited = limits[index]
      if (limited !== undefined) reservation.whenLost?.(() => end(limited, request))
    }
    return taken
  }

  /**
   * Beside what is taken the rest, all at once, since each takes as long as others need to answer; what was given is given
   * back where one refuses.
   */
  const askAll = (
    limits: ReadonlyArray<Limit>,
    before: ReadonlyArray<Reservation>,
    request: LlmRequest,
    tokens: number,
    at: number
  ): Effect.Effect<ReadonlyArray<Reservation>, LlmError> => {
    const rest = limits.slice(before.length)
    const asked = rest.map((limited) => {
      const window = windowOf(limited, at)
      return window.ask?.(limited.limit, tokens, at) ?? Effect.sync(() => window.reserve(limited.limit, tokens, at))
    })
    return Effect.flatMap(Effect.all(asked, { concurrency: "unbounded" }), (rooms) => {
      const taken = [...before, ...rooms.filter((room) => room._tag === "Reservation")]
      for (const [index, limited] of rest.entries()) {
        const room = rooms[index]
        if (room?._tag !== "Busy") continue
        for (const reservation of taken) reservation.release(at)
        return refused(limited, room, at)
      }
      return Effect.succeed(watched(limits, taken, request))
    })
  }

  return Service.bracketRequest<ReadonlyArray<Reservation> | undefined>({
    begin: (request, at) => {
      const limits = request.caller === undefined ? none : limitsFor(request.caller)
      if (limits.length === 0) return undefined
      const tokens = estimateTokens(request)
      const taken: Array<Reservation> = []
      for (const limited of limits) {
        const window = windowOf(limited, at)
        const room =
          window.ask === undefined
            ? window.reserve(limited.limit, tokens, at)
            : window.askNow?.(limited.limit, tokens, at)
        if (room === undefined) return askAll(limits, taken, request, tokens, at)
        if (room._tag === "Busy") {
          for (const reservation of taken) reservation.release(at)
          return refused(limited, room, at)
        }
        taken.push(room)
      }
      return watched(limits, taken, request)
    },
    end: (taken, _, at, request) => {
      if (taken === undefined) return
      const tokens = tokensOf(request)
      for (const reservation of taken) reservation.settle(tokens, at)
    }
  })
}

/** Holds callers to their limits. */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService | CallerWindows> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "callerLimits")
      return make({ windows: yield* CallerWindows, terms: yield* CallerTerms }, valid)
    })
  )

/** Holds callers to their limits, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | CallerWindows> = Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class CallerLimits extends Concern.request({
  name: "callerLimits",
  about: "Requests, tokens and calls at once that a caller may ask for",
  on: false,
  options: Options,
  outside: {
    callerBudget: "what is turned away sets no money aside",
    retry: "a request counts once, however many attempts it takes",
    fallback: "a request counts once, however many groups it asks"
  },
  inside: { cache: "a hit uses nothing" },
  state: [CallerUsage],
  make: (options) => Effect.zipWith(CallerWindows, CallerTerms, (windows, terms) => make({ windows, terms }, options))
}) {}
