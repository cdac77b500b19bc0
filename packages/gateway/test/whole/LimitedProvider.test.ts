/**
 * OpenAI's own clients at their defaults, before a provider that limits for a while: through the gateway they survive what
 * they survive without it, with as many calls upstream. In the suite the seconds are shorter for all three: the gateway runs
 * on a fast clock, and the client is told times as short. `SWITCHYARD_REAL_CLIENTS=1` waits for real, with Python's client
 * too (`SWITCHYARD_PYTHON` names an interpreter that has the package `openai`).
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Clock, Duration, Effect } from "effect"
import OpenAI from "openai"
import { masterKey, start } from "../support/gateways.js"

const limits = [5, 12, 20]

/** A clock that is so many times faster than the real one. */
const fastClock = (speed: number): Clock.Clock => {
  const real = Clock.make()
  const nanos = BigInt(speed)
  const begin = real.unsafeCurrentTimeNanos()
  const unsafeCurrentTimeNanos = () => begin + (real.unsafeCurrentTimeNanos() - begin) * nanos
  const unsafeCurrentTimeMillis = () => Number(unsafeCurrentTimeNanos() / 1_000_000n)
  return {
    ...real,
    unsafeCurrentTimeMillis,
    unsafeCurrentTimeNanos,
    currentTimeMillis: Effect.sync(unsafeCurrentTimeMillis),
    currentTimeNanos: Effect.sync(unsafeCurrentTimeNanos),
    sleep: (duration) => real.sleep(Duration.times(duration, 1 / speed))
  }
}

/** A provider that limits from its first request on for so many seconds, and says so in whole ones. */
const limiting = (seconds: number, speed: number) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "one" })
    let until: number | undefined
    yield* upstream.when(() => {
      until ??= Date.now() + (seconds * 1000) / speed
      const left = ((until - Date.now()) * speed) / 1000
      return left <= 0 ? {} : { status: 429, headers: { "retry-after": String(Math.ceil(left)) } }
    })
    return upstream
  })

/** The client's own `fetch`, with the times that it is told made shorter. */
const hurried =
  (speed: number): typeof fetch =>
  async (input, init) => {
    const answer = await fetch(input, init)
    const headers = new Headers(answer.headers)
    const seconds = headers.get("retry-after")
    const ms = headers.get("retry-after-ms") ?? (seconds === null ? null : String(Number(seconds) * 1000))
    if (ms !== null) headers.set("retry-after-ms", String(Number(ms) / speed))
    return new Response(answer.body, { status: answer.status, headers })
  }

const ask = (baseURL: string, speed: number) =>
  Effect.promise(async () => {
    const client = new OpenAI({ baseURL, apiKey: masterKey, ...(speed === 1 ? {} : { fetch: hurried(speed) }) })
    const answer = await client.chat.completions.create({ model: "smart", messages: [{ role: "user", content: "Hi" }] })
    return answer.choices[0]?.message.content
  })

/** Asks through a gateway, or directly, and tells how many calls the provider saw. */
const survives = (
  seconds: number,
  speed: number,
  client: (baseUrl: string) => Effect.Effect<string | null | undefined>,
  isDirect: boolean
) =>
  Effect.gen(function* () {
    const upstream = yield* limiting(seconds, speed)
    const gateway: Pick<Gateway, "url"> | undefined = isDirect
      ? undefined
      : yield* Effect.withClock(start([upstream]), fastClock(speed))
    assert.strictEqual(yield* client(gateway === undefined ? upstream.url : `${gateway.url}/v1`), "Hello from one")
    assert.strictEqual(upstream.stats().requests, 2, `${seconds} s, ${isDirect ? "directly" : "through the gateway"}`)
  })

const each = (speed: number, client: (baseUrl: string) => Effect.Effect<string | null | undefined>) =>
  Effect.forEach(
    limits.flatMap((seconds) => [
      [seconds, true],
      [seconds, false]
    ]) as ReadonlyArray<readonly [number, boolean]>,
    ([seconds, isDirect]) => Effect.scoped(survives(seconds, speed, client, isDirect)),
    { concurrency: "unbounded", discard: true }
  )

describe("a provider that limits for 5, 12 and 20 s", () => {
  it.live("openai for Node at its defaults survives it, with two calls upstream", () => {
    const speed = 20
    return each(speed, (baseUrl) => ask(baseUrl, speed))
  })
})

const program = `
import sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])
answer = client.chat.completions.create(model="smart", messages=[{"role": "user", "content": "Hi"}])
print(answer.choices[0].message.content)
`

const python = process.env["SWITCHYARD_PYTHON"] ?? "python3"

const askPython = (baseUrl: string) =>
  Effect.promise(async () => {
    const { stdout } = await promisify(execFile)(python, ["-c", program, baseUrl, masterKey])
    return stdout.trim()
  })

describe.skipIf(process.env["SWITCHYARD_REAL_CLIENTS"] === undefined)(
  "the same with real waiting (SWITCHYARD_REAL_CLIENTS=1)",
  () => {
    it.live("openai for Node", () => each(1, (baseUrl) => ask(baseUrl, 1)), 120_000)
    it.live(
      "openai for Python",
      (context) =>
        Effect.gen(function* () {
          const found = yield* Effect.promise(() =>
            promisify(execFile)(python, ["-c", "import openai; print(openai.__version__)"]).then(
              ({ stdout }) => stdout.trim(),
              () => undefined
            )
          )
          if (found === undefined) {
            yield* Effect.sync(() => console.warn(`SKIPPED: ${python} has no package openai; set SWITCHYARD_PYTHON`))
            return context.skip()
          }
          yield* each(1, askPython)
        }),
      120_000
    )
  }
)
