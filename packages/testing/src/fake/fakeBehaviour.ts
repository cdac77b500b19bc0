/**
 * What a fake upstream is told to do, as data, and the script that picks one behaviour for each request.
 *
 * @since 0.1.0
 */

import type { Socket } from "node:net"
import { Dice } from "../Dice.js"

/** Body of a scripted error in OpenAI's words; what is left out gets the default of the status. */
export interface ErrorDetail {
  readonly message?: string
  readonly type?: string
  readonly param?: string | null
  readonly code?: string | null
}

/** One tool call of the scripted answer; `arguments` is JSON text, as on the wire. */
export interface FakeToolCall {
  readonly name: string
  readonly arguments: string
}

/** Token counts that the scripted answer reports; `total_tokens` is their sum. */
export interface FakeUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly cached_tokens?: number
}

/** At most `limit` requests in any sliding window; `retryAfterMs` replaces the true time until a place is free. */
export interface FakeRateLimit {
  readonly limit: number
  readonly windowMs: number
  readonly retryAfterMs?: number
}

/** What holds answers back until a test lets them go on: whoever waits at it is let through once it is open, and from then on. */
export interface Gate {
  readonly isOpen: () => boolean
  readonly open: () => void
  /** Runs once it is open; at once where it is. */
  readonly whenOpen: (run: () => void) => void
}

/** A gate that is shut, for a `Behaviour`: then events, and no timers, say what comes before what. */
export const gate = (): Gate => {
  const waiting: Array<() => void> = []
  let isOpen = false
  return {
    isOpen: () => isOpen,
    open: () => {
      isOpen = true
      for (const run of waiting.splice(0)) run()
    },
    whenOpen: (run) => {
      if (isOpen) run()
      else waiting.push(run)
    }
  }
}

/**
 * How the upstream answers a request. Plain data that is never changed once handed over; every field is optional and
 * the empty behaviour is an instant, complete answer. Chunk counts mean chunks that bear content, reasoning or tool
 * calls: the role, finish, usage and `[DONE]` events do not count. A count past the end applies after the last chunk.
 */
export interface Behaviour {
  /** Milliseconds before the headers of a non-stream or error answer. Default 0. */
  readonly latencyMs?: number
  /** Up to so many milliseconds more on top of `latencyMs`, uniform, from the seeded generator. Default 0. */
  readonly jitterMs?: number
  /** Milliseconds before the headers of a stream. Default 0. */
  readonly headersMs?: number
  /** Milliseconds between the headers (and role chunk) of a stream and its first content chunk. Default 0. */
  readonly firstTokenMs?: number
  /** Milliseconds before each later content chunk of a stream. Default 0. */
  readonly chunkGapMs?: number
  /** Holds the answer back, before its headers, until it is opened. */
  readonly gate?: Gate
  /** Then the gate stands in the midst of a stream, behind so many chunks. */
  readonly gateAfterChunks?: number
  /** Content chunks that the reply is split into; a given reply yields no more chunks than characters. Default 5. */
  readonly chunks?: number
  /** Bytes of sound that speech is. Default 4,000. */
  readonly audioBytes?: number
  /** Assistant text, or what was heard. Default `Hello from NAME`, or none when there are tool calls. */
  readonly reply?: string
  /** Text of `reasoning_content`, sent before the content, in `chunks` deltas of its own. */
  readonly reasoning?: string
  /** Tool calls to answer with; `finish_reason` is then `tool_calls` by default. */
  readonly toolCalls?: ReadonlyArray<FakeToolCall>
  /** Default is estimated at four characters a token; `null` sends none. A stream sends it when asked to. */
  readonly usage?: FakeUsage | null
  /** Default `stop`; `null` is never sent on a stream and `null` in a JSON answer. */
  readonly finishReason?: string | null
  /** Whether a stream ends with `[DONE]`. Default true, and false after an error event. */
  readonly done?: boolean
  /** Headers added to the answer, whatever its kind, for instance `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>
  /** HTTP status; 300 and above makes it an error answer. Default 200, or 500 when only `error` is given. */
  readonly status?: number
  /** Error of an error answer or of an error event; a string is sent as the raw body. */
  readonly error?: ErrorDetail | string
  /** Destroys the socket before any answer. */
  readonly refuse?: boolean
  /** Takes the request and never answers. */
  readonly hang?: boolean
  /** Destroys the socket when only the headers are out, of either kind of answer. */
  readonly cutAfterHeaders?: boolean
  /** Destroys the socket of a stream after so many chunks; 0 is after the role chunk, before any content. */
  readonly cutAfterChunks?: number
  /** Goes silent when only the headers are out, socket open, of either kind of answer. */
  readonly stallAfterHeaders?: boolean
  /** Goes silent after so many chunks of a stream, socket open. */
  readonly stallAfterChunks?: number
  /** Sends an event of broken JSON after so many chunks of a stream, then goes on as if nothing had happened. */
  readonly malformedAfterChunks?: number
  /** Sends `{"error": ...}` after so many chunks of a stream, then ends it. */
  readonly errorEventAfterChunks?: number
  /** Hands the socket over once the request was read, for answers that are no HTTP, or no end of it. Wins over the others. */
  readonly takeOver?: (socket: Socket) => void
  /** Sends the first half of a JSON answer with the `content-length` of that half. */
  readonly truncateJson?: boolean
  /** Announces more bytes than a JSON answer has, then closes the socket. */
  readonly wrongContentLength?: boolean
  /** Requests per sliding 60 s; what is over it gets 429 with `retry-after` and `x-ratelimit-*` headers. */
  readonly rpm?: number
  /** The same for a window of any length; wins over `rpm`. */
  readonly rateLimit?: FakeRateLimit
  /**
   * Share of requests, 0 to 1, to which the faults above apply, with their `headers`; the others get the answer
   * without them. A behaviour with a rate and no fault fails with status 500.
   */
  readonly failureRate?: number
  /** Seed of the generator behind `failureRate` and `jitterMs`; one sequence per seed and script. Default 1. */
  readonly seed?: number
}

/** A request as the upstream sees it, keys unmasked, so that a script can choose by key, model or prompt. */
export interface FakeRequest {
  readonly seq: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: unknown
  readonly model: string
  readonly stream: boolean
}

/** A choice made per request; `undefined` leaves it to the queue and the standing behaviour. */
export type Choose = (request: FakeRequest) => Behaviour | undefined

/** What the script decided for one request: the behaviour with chance and limits already applied to it. */
export interface Decision {
  readonly behaviour: Behaviour
  readonly delayMs: number
  readonly headers: Readonly<Record<string, string>> | undefined
}

const withoutFaults = (behaviour: Behaviour): Behaviour => {
  const {
    status: _status,
    error: _error,
    headers: _headers,
    refuse: _refuse,
    hang: _hang,
    cutAfterHeaders: _cutAfterHeaders,
    cutAfterChunks: _cutAfterChunks,
    stallAfterHeaders: _stallAfterHeaders,
    stallAfterChunks: _stallAfterChunks,
    malformedAfterChunks: _malformedAfterChunks,
    errorEventAfterChunks: _errorEventAfterChunks,
    takeOver: _takeOver,
    truncateJson: _truncateJson,
    wrongContentLength: _wrongContentLength,
    ...happy
  } = behaviour
  return happy
}

const hasFault = (b: Behaviour): boolean =>
  (b.status ?? 200) >= 300 ||
  b.error !== undefined ||
  b.refuse === true ||
  b.hang === true ||
  b.cutAfterHeaders === true ||
  b.cutAfterChunks !== undefined ||
  b.stallAfterHeaders === true ||
  b.stallAfterChunks !== undefined ||
  b.malformedAfterChunks !== undefined ||
  b.errorEventAfterChunks !== undefined ||
  b.takeOver !== undefined ||
  b.truncateJson === true ||
  b.wrongContentLength === true

/** Whether the behaviour answers with an error status, and which. */
export const errorStatus = (b: Behaviour): number | undefined => {
  if (b.status !== undefined) return b.status >= 300 ? b.status : undefined
  return b.error !== undefined && b.errorEventAfterChunks === undefined ? 500 : undefined
}

/** Numbers in [0, 1) that are the same for the same seed. */
export const seeded = (seed: number): (() => number) => {
  const dice = new Dice(seed)
  return () => dice.roll()
}

/** Milliseconds in the form OpenAI uses for `x-ratelimit-reset-*`: `120ms`, `1.5s`, `6m0s`. */
const resetText = (ms: number): string => {
  const whole = Math.max(0, Math.ceil(ms))
  if (whole < 1000) return `${whole}ms`
  if (whole < 60_000) return `${whole / 1000}s`
  return `${Math.floor(whole / 60_000)}m${(whole % 60_000) / 1000}s`
}

/** Holds what was scripted and decides request by request: the chooser, then the queue, then the standing behaviour. */
export const makeScript = (initial: Behaviour) => {
  let standing = initial
  let queue: Array<Behaviour> = []
  let choose: Choose | undefined
  let admitted: Array<number> = []
  let generators = new Map<number, () => number>()
  let happy = new WeakMap<Behaviour, Behaviour>()
  let failing = new WeakMap<Behaviour, Behaviour>()

  const random = (seed = 1): number => {
    const generator = generators.get(seed) ?? seeded(seed)
    generators.set(seed, generator)
    return generator()
  }
  const derived = (cache: WeakMap<Behaviour, Behaviour>, from: Behaviour, make: () => Behaviour): Behaviour => {
    const made = cache.get(from) ?? make()
    cache.set(from, made)
    return made
  }
  const limited = (limit: FakeRateLimit, now: number): Decision | Readonly<Record<string, string>> => {
    admitted = admitted.filter((at) => now - at < limit.windowMs)
    const over = admitted.length >= limit.limit
    const blocking = admitted[admitted.length - limit.limit]
    const waitMs = over ? (limit.retryAfterMs ?? (blocking ?? now) + limit.windowMs - now) : 0
    if (!over) admitted.push(now)
    const headers: Record<string, string> = {
      "x-ratelimit-limit-requests": String(limit.limit),
      "x-ratelimit-remaining-requests": String(Math.max(0, limit.limit - admitted.length)),
      "x-ratelimit-reset-requests": resetText(over ? waitMs : (admitted[0] ?? now) + limit.windowMs - now)
    }
    if (!over) return headers
    headers["retry-after"] = String(Math.ceil(waitMs / 1000))
    headers["retry-after-ms"] = String(Math.ceil(waitMs))
    return { behaviour: { status: 429 }, delayMs: 0, headers }
  }

  const decide = (request: FakeRequest, now: number): Decision => {
    let behaviour = choose?.(request) ?? queue.shift() ?? standing
    let headers: Readonly<Record<string, string>> | undefined
    const limit =
      behaviour.rateLimit ?? (behaviour.rpm === undefined ? undefined : { limit: behaviour.rpm, windowMs: 60_000 })
    if (limit !== undefined) {
      const verdict = limited(limit, now)
      if ("behaviour" in verdict) return verdict as Decision
      headers = verdict
    }
    const chosen = behaviour
    if (chosen.failureRate !== undefined) {
      behaviour =
        random(chosen.seed) >= chosen.failureRate
          ? derived(happy, chosen, () => withoutFaults(chosen))
          : hasFault(chosen)
            ? chosen
            : derived(failing, chosen, () => ({ ...chosen, status: 500 }))
    }
    const jitter = chosen.jitterMs === undefined ? 0 : random(chosen.seed) * chosen.jitterMs
    return { behaviour, delayMs: (chosen.latencyMs ?? 0) + jitter, headers }
  }

  const restart = (behaviour: Behaviour) => {
    standing = behaviour
    admitted = []
    generators = new Map()
    happy = new WeakMap()
    failing = new WeakMap()
  }
  return {
    decide,
    behave: restart,
    next: (behaviours: ReadonlyArray<Behaviour>): void => {
      queue.push(...behaviours)
    },
    when: (f: Choose): void => {
      choose = f
    },
    reset: () => {
      restart(initial)
      queue = []
      choose = undefined
    }
  }
}
