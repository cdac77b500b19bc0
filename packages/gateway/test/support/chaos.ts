/**
 * Many requests through a gateway while its upstreams die, stall, cut streams, refuse and come back, and while its
 * configuration is replaced. Faults go by a seed and by counts of requests, so that a run can be had again. What comes out
 * is what clients saw, to be held against the upstreams' journals and the gateway's own figures.
 */
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, type Scope } from "effect"
import { authorized, decode, deploymentOf, errorIn, masterKey, start } from "./gateways.js"
import { Dice } from "./seeded.js"

export interface ChaosOptions {
  readonly seed: number
  /** Default 2,000. */
  readonly requests?: number
  /** Default 64. */
  readonly concurrency?: number
  /** More settings of the gateway. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** What the clients saw. */
interface ChaosCounts {
  readonly requests: number
  readonly streams: number
  readonly successes: number
  /** Failed requests by the code of their error: those that were told by a status, and those told inside a stream. */
  readonly errors: Readonly<Record<string, number>>
  readonly inBandErrors: number
  /** Attempts as the answers' headers tell them. Answers whose headers went out before their way was known tell none. */
  readonly attempts: number
  /** Tokens as the usage of whole answers tells them. */
  readonly tokens: { readonly input: number; readonly output: number }
  /** Numbers of the requests that were answered whole. */
  readonly answered: ReadonlyArray<number>
  /** What must never be: an answer that is neither whole nor a typed error. */
  readonly problems: ReadonlyArray<string>
  readonly kills: number
  readonly reloads: number
}

export interface ChaosRun {
  readonly gateway: Gateway
  readonly upstreams: ReadonlyArray<FakeProvider.FakeProvider>
  readonly counts: ChaosCounts
}

const names = ["north", "east", "south", "west"] as const

/** How long a client waits before it says that a request hangs, in ms: the request's deadline and some more. */
const patience = 60_000

const promptOf = (number: number): string => `request ${number} says hello`

/** The number of the request that a body is for; NaN for any other body. */
export const numberIn = (body: unknown): number => {
  const { messages } = body as { readonly messages?: ReadonlyArray<{ readonly content?: unknown }> }
  return Number(/^request (\d+) /.exec(String(messages?.[0]?.content))?.[1])
}

/** The text that every upstream means to answer a request with. */
const replyTo = (number: number): string => `answer ${number}: ${"word ".repeat(3 + (number % 17))}end`

/** What one upstream does with one request: mostly the right thing. */
const behaviourFor = (dice: Dice, request: FakeProvider.FakeRequest): FakeProvider.Behaviour => {
  const reply = replyTo(numberIn(request.body))
  const chunks = 6
  const whole: FakeProvider.Behaviour = { reply, chunks, latencyMs: dice.below(8), chunkGapMs: dice.below(3) }
  const at = dice.below(chunks + 1)
  const fault = dice.roll()
  if (fault < 0.03) return { ...whole, status: 429, headers: { "retry-after-ms": "40" } }
  if (fault < 0.05) return { ...whole, status: 503 }
  if (fault < 0.06) return { ...whole, status: 500 }
  if (fault < 0.07) return { ...whole, refuse: true }
  if (fault < 0.08) return { ...whole, cutAfterHeaders: true }
  if (fault < 0.085) return { ...whole, stallAfterHeaders: true }
  if (fault < 0.09) return { ...whole, hang: true }
  if (!request.stream) {
    if (fault < 0.1) return { ...whole, truncateJson: true }
    return fault < 0.11 ? { ...whole, wrongContentLength: true } : whole
  }
  if (fault < 0.17) return { ...whole, cutAfterChunks: at }
  if (fault < 0.19) return { ...whole, stallAfterChunks: at }
  if (fault < 0.21) return { ...whole, errorEventAfterChunks: at }
  if (fault < 0.23) return { ...whole, malformedAfterChunks: at }
  return fault < 0.25 ? { ...whole, finishReason: null, done: false } : whole
}

const settingsFor = (
  upstreams: ReadonlyArray<FakeProvider.FakeProvider>,
  weights: Readonly<Record<string, number>>,
  more: Readonly<Record<string, unknown>>
) => ({
  masterKey,
  retry: { attempts: 4, baseDelay: 10, maxDelay: 50 },
  cooldown: { duration: "100 millis", maxDuration: "400 millis" },
  timeouts: { firstToken: "1 second", idle: "1 second", total: "3 seconds" },
  deadline: { deadline: "20 seconds" },
  ...more,
  deployments: upstreams.flatMap((upstream) => {
    const weight = weights[upstream.name]
    return weight === undefined ? [] : [deploymentOf(upstream, { weight })]
  })
})

class Tally {
  requests = 0
  streams = 0
  inBandErrors = 0
  attempts = 0
  input = 0
  output = 0
  kills = 0
  reloads = 0
  readonly errors = new Map<string, number>()
  readonly answered: Array<number> = []
  readonly problems: Array<string> = []

  error(text: string): void {
    const { code } = errorIn(text)
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  usage(usage: unknown): void {
    const { completion_tokens, prompt_tokens } = usage as Readonly<Record<string, number>>
    if (prompt_tokens === undefined || completion_tokens === undefined) throw new Error("no usage")
    this.input += prompt_tokens
    this.output += completion_tokens
  }
}

interface Choice {
  readonly message?: { readonly content?: unknown }
  readonly delta?: { readonly content?: unknown }
  readonly finish_reason?: unknown
}

interface Payload {
  readonly choices?: ReadonlyArray<Choice>
  readonly usage?: unknown
  readonly error?: unknown
}

const checkWhole = (text: string, expected: string, tally: Tally): void => {
  const { choices, usage } = JSON.parse(text) as Payload
  const content = choices?.[0]?.message?.content
  if (content !== expected) throw new Error(`${JSON.stringify(content)} in place of ${JSON.stringify(expected)}`)
  if (choices?.[0]?.finish_reason !== "stop") throw new Error(`finish_reason ${choices?.[0]?.finish_reason}`)
  tally.usage(usage)
}

/** Whether a stream was whole; false when it ended in a typed error. Throws at everything else. */
const checkStream = (text: string, expected: string, tally: Tally): boolean => {
  if (!text.endsWith("\n\n")) throw new Error(`the stream ends in the middle of an event: ${text.slice(-100)}`)
  const events = text
    .slice(0, -2)
    .split("\n\n")
    .filter((event) => !event.startsWith(":"))
  const last = events.pop()?.slice("data: ".length) ?? ""
  let content = ""
  let finish: unknown
  let usage: unknown
  for (const event of events) {
    const payload = JSON.parse(event.slice("data: ".length)) as Payload
    if (payload.error !== undefined) throw new Error("an error that is not the last event")
    content += String(payload.choices?.[0]?.delta?.content ?? "")
    finish = payload.choices?.[0]?.finish_reason ?? finish
    usage = payload.usage ?? usage
  }
  if (!expected.startsWith(content)) throw new Error(`${JSON.stringify(content)} for ${JSON.stringify(expected)}`)
  if (last !== "[DONE]") {
    tally.error(last)
    tally.inBandErrors++
    return false
  }
  if (content !== expected) throw new Error(`[DONE] after ${JSON.stringify(content)} of ${JSON.stringify(expected)}`)
  if (finish !== "stop") throw new Error(`[DONE] without a finish_reason (${String(finish)})`)
  tally.usage(usage)
  return true
}

const ask = async (gateway: Gateway, number: number, tally: Tally): Promise<void> => {
  const stream = number % 3 === 0
  tally.requests++
  if (stream) tally.streams++
  try {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", ...authorized },
      body: JSON.stringify({
        model: "smart",
        messages: [{ role: "user", content: promptOf(number) }],
        ...(stream ? { stream, stream_options: { include_usage: true } } : {})
      }),
      signal: AbortSignal.timeout(patience)
    })
    const text = await response.text()
    tally.attempts += Number(response.headers.get("x-switchyard-attempts") ?? 0)
    if (response.status !== 200) {
      if (response.headers.get("x-should-retry") === "true") throw new Error("an error that asks clients to try again")
      tally.error(text)
    } else if (!stream) {
      checkWhole(text, replyTo(number), tally)
      tally.answered.push(number)
    } else if (checkStream(text, replyTo(number), tally)) tally.answered.push(number)
  } catch (error) {
    tally.problems.push(`request ${number}${stream ? " (stream)" : ""}: ${String(error)}`)
  }
}

/** What happens when so many requests are over: two upstreams die at different times, all do for a while, all come back. */
const scriptOf = (
  {
    gateway,
    more,
    total,
    upstreams
  }: {
    readonly gateway: Gateway
    readonly more: Readonly<Record<string, unknown>>
    readonly total: number
    readonly upstreams: ReadonlyArray<FakeProvider.FakeProvider>
  },
  dice: Dice,
  tally: Tally
): Map<number, Effect.Effect<void>> => {
  const script = new Map<number, Effect.Effect<void>>()
  const at = (share: number, effect: Effect.Effect<unknown>): void => {
    const when = Math.floor(share * total)
    script.set(when, Effect.zipRight(script.get(when) ?? Effect.void, Effect.asVoid(effect)))
  }
  const kill = (upstream: FakeProvider.FakeProvider) =>
    Effect.zipRight(
      Effect.sync(() => {
        tally.kills++
      }),
      upstream.kill
    )
  const reload = (weights: Readonly<Record<string, number>>) =>
    Effect.zipRight(
      Effect.orDie(gateway.reload({ config: decode(settingsFor(upstreams, weights, more)) })),
      Effect.sync(() => {
        tally.reloads++
      })
    )
  const order = [...upstreams].sort(() => dice.roll() - 0.5)
  order.forEach((upstream, index) => {
    const from = 0.05 + index * 0.2
    at(from, kill(upstream))
    at(from + 0.1, upstream.revive)
  })
  for (const upstream of upstreams) {
    at(0.88, kill(upstream))
    at(0.9, upstream.revive)
  }
  at(0.33, reload({ north: 1, east: 5, south: 2 }))
  at(0.67, reload({ north: 3, east: 1, south: 1, west: 4 }))
  return script
}

/** Runs it; the gateway and the upstreams, all of them revived, live on until the scope closes. */
export const run = (options: ChaosOptions): Effect.Effect<ChaosRun, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { concurrency = 64, requests: total = 2_000, seed, settings: more = {} } = options
    const dice = new Dice(seed)
    const upstreams = yield* Effect.forEach(names, (name) => FakeProvider.make({ name }))
    for (const upstream of upstreams) {
      const own = new Dice(dice.below(2 ** 31))
      yield* upstream.when((request) => (Number.isNaN(numberIn(request.body)) ? undefined : behaviourFor(own, request)))
    }
    const gateway = yield* start(upstreams, settingsFor(upstreams, { north: 1, east: 1, south: 1, west: 1 }, more))
    const tally = new Tally()
    const script = scriptOf({ gateway, more, total, upstreams }, dice, tally)
    let over = 0
    yield* Effect.forEach(
      Array.from({ length: total }, (_, number) => number),
      (number) =>
        Effect.zipRight(
          Effect.promise(() => ask(gateway, number, tally)),
          Effect.suspend(() => script.get(++over) ?? Effect.void)
        ),
      { concurrency, discard: true }
    )
    const { answered, attempts, errors, inBandErrors, input, kills, output, problems, reloads, requests, streams } =
      tally
    return {
      gateway,
      upstreams,
      counts: {
        requests,
        streams,
        successes: answered.length,
        errors: Object.fromEntries(errors),
        inBandErrors,
        attempts,
        tokens: { input, output },
        answered,
        problems,
        kills,
        reloads
      }
    }
  })
