/**
 * What batches go through beside a plain way: places that are down, callers that leave, limits on money, and nobody who asks.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as ManualClock from "@switchyard/testing/ManualClock"
import { Clock, Duration, Effect, Exit, Scope, Stream } from "effect"
import OpenAI, { toFile } from "openai"
import { afterAll, beforeAll } from "vitest"
import { deploymentOf, eventually, holdsNothing, masterKey, start } from "../support/gateways.js"
import * as FakeObjects from "./fakeObjects.js"

const keys = ["plain", "left", "teamed", "tagged", "polled"].map((name) => ({
  name,
  key: `sk-${name}-0123456789`,
  ...(name === "left" ? { budget: { limit: 1, window: "1 day" } } : {}),
  ...(name === "tagged" ? { tags: ["team-a"] } : {})
}))

/** Real time, but for waits of minutes: they end when they are told to. */
const patient = () => {
  const real = Clock.make()
  const manual = ManualClock.make()
  const clock: Clock.Clock = {
    ...real,
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    sleep: (duration) =>
      Duration.toMillis(duration) < 300_000 ? real.sleep(duration) : Effect.suspend(() => manual.clock.sleep(duration)),
    unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis() + manual.now(),
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos() + BigInt(Math.round(manual.now() * 1e6)),
    currentTimeMillis: Effect.sync(() => clock.unsafeCurrentTimeMillis()),
    currentTimeNanos: Effect.sync(() => clock.unsafeCurrentTimeNanos())
  }
  return { clock, wake: () => manual.advance(600_000), sleeping: manual.sleeping }
}

const time = patient()
let scope: Scope.CloseableScope
let eu: FakeObjects.FakeObjects
let us: FakeObjects.FakeObjects
let gateway: Gateway
const events: Array<RouterEvent> = []

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    eu = yield* FakeObjects.make("eu")
    us = yield* FakeObjects.make("us")
    const priced = { inputPrice: 10, outputPrice: 100, dialect: "responses" as const }
    gateway = yield* start([], {
      deployments: [
        deploymentOf(eu, { ...priced, order: 1, provider: "openai", tags: ["team-a"] }),
        deploymentOf(us, { ...priced, order: 2, provider: "elsewhere", apiKey: "sk-us-0123456789" }),
        deploymentOf(us, { ...priced, id: "capped", group: "capped", provider: "capped", tags: ["dear"] }),
        deploymentOf(us, { ...priced, id: "fifth", group: "fifth", provider: "fifth", batchDiscount: 0.2 })
      ],
      keys,
      retry: { attempts: 2, baseDelay: 1 },
      cooldown: false,
      spendLimits: {
        tags: { dear: { limit: 1, window: "1 day" } },
        requestTags: { "team-a": { limit: 0.5, window: "1 day" } }
      }
    })
    yield* Effect.forkScoped(Stream.runForEach(gateway.events.stream, (event) => Effect.sync(() => events.push(event))))
  })
  await Effect.runPromise(Effect.withClock(Scope.extend(make, scope), time.clock))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const client = (name = "plain"): OpenAI =>
  new OpenAI({ apiKey: `sk-${name}-0123456789`, baseURL: `${gateway.url}/v1`, maxRetries: 0 })

const line = (model: string, tokens: number): string =>
  JSON.stringify({
    custom_id: "1",
    method: "POST",
    url: "/v1/chat/completions",
    body: { model, max_tokens: tokens, messages: [{ role: "user", content: "Hi" }] }
  })

const upload = async (model = "smart", tokens = 100, name = "plain") =>
  client(name).files.create({ file: await toFile(Buffer.from(line(model, tokens)), "lines.jsonl"), purpose: "batch" })

const create = (file: { readonly id: string }, name = "plain", options: { readonly signal?: AbortSignal } = {}) =>
  client(name).batches.create(
    { input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" },
    options
  )

const failure = async (
  run: () => PromiseLike<unknown>
): Promise<{ readonly status: number; readonly code: string }> => {
  try {
    await run()
  } catch (error) {
    assert.instanceOf(error, OpenAI.APIError)
    const { code, status } = error as InstanceType<typeof OpenAI.APIError>
    return { status: status ?? 0, code: code ?? "" }
  }
  assert.fail("it succeeded")
}

const failing = (provider: FakeObjects.FakeObjects, status: number, times = 1): void => {
  for (let time = 0; time < times; time++) {
    provider.next((response) => {
      response.writeHead(status, { "content-type": "application/json" }).end('{"error":{"message":"no"}}')
    })
  }
}

const settledAt = (deployment: string) =>
  events.flatMap((event) => (event._tag === "BatchSettled" && event.deployment === deployment ? [event] : []))

const metric = async (name: string, group: string, provider: string): Promise<number> => {
  const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${masterKey}` } })
  const found = (await response.text())
    .split("\n")
    .find((one) => one.startsWith(`switchyard_${name}{model="${group}",provider="${provider}"`))
  return found === undefined ? 0 : Number(found.slice(found.lastIndexOf(" ")))
}

describe("batches", () => {
  it("go where their file is taken when its first place is down, under that one's names", async () => {
    failing(eu, 500, 2)
    const file = await upload()
    assert.match(us.last().text, /"model":"us-model"/)
    assert.strictEqual(Number(us.last().headers["content-length"]), us.last().text.length)
    const before = eu.journal().length
    const batch = await create(file)
    assert.strictEqual((await client().batches.retrieve(batch.id)).status, "validating")
    assert.strictEqual(await (await client().files.content(file.id)).text(), `${line("us-model", 100)}\n`)
    assert.strictEqual(eu.journal().length, before, "the batch stays with its file")
  })

  it("whose file is refused as wrong are not sent elsewhere", async () => {
    failing(eu, 400)
    const before = us.journal().length
    assert.strictEqual((await failure(() => upload())).status, 400)
    assert.strictEqual(us.journal().length, before)
  })

  it("are made again only where the provider surely did nothing", async () => {
    const file = await upload()
    failing(eu, 503)
    assert.strictEqual((await create(file)).status, "validating")
    failing(eu, 429)
    assert.strictEqual((await create(file)).status, "validating")
    const before = eu.journal().length
    failing(eu, 500)
    assert.isAtLeast((await failure(() => create(file))).status, 500)
    assert.strictEqual(eu.journal().length, before + 1, "it may have been made")
  })

  it("whose caller leaves while they are made cost what was set aside, and hold nothing", async () => {
    const file = await upload("smart", 15_000, "left")
    const leaving = new AbortController()
    const asked = new Promise<void>((resolve) => {
      eu.next(() => {
        resolve()
      })
    })
    const left = create(file, "left", { signal: leaving.signal }).then(
      () => "made",
      () => "left"
    )
    await asked
    leaving.abort()
    assert.strictEqual(await left, "left")
    await Effect.runPromise(holdsNothing(gateway))
    assert.deepStrictEqual(await failure(() => create(file, "left")), { status: 429, code: "caller_budget" })
    const content = await client("left").files.content(file.id)
    await content.body?.cancel()
    await Effect.runPromise(holdsNothing(gateway))
  })

  it("count in the limits on money of tags, of the deployment's and of the request's", async () => {
    const file = await upload("capped", 9_000)
    const other = await upload("capped", 2_000)
    const batch = await create(file)
    assert.deepStrictEqual(await failure(() => create(other)), { status: 429, code: "spend" })
    us.finishBatches({ prompt_tokens: 1_000, completion_tokens: 1_000, total_tokens: 2_000 })
    assert.strictEqual((await client().batches.retrieve(batch.id)).status, "completed")
    assert.strictEqual((await create(other)).status, "validating")
    const tagged = await upload("smart", 9_000, "tagged")
    assert.strictEqual((await create(tagged, "tagged")).status, "validating")
    assert.deepStrictEqual(await failure(() => create(tagged, "tagged")), { status: 429, code: "spend" })
  })

  it("cost in metrics and events what their results tell, less what the provider takes off", async () => {
    const before = await metric("cost_usd_total", "fifth", "fifth")
    const batch = await create(await upload("fifth", 50))
    us.finishBatches({ prompt_tokens: 1_000, completion_tokens: 1_000, total_tokens: 2_000 })
    await client().batches.retrieve(batch.id)
    await client().batches.retrieve(batch.id)
    const [settled, ...more] = settledAt("fifth")
    assert.strictEqual(more.length, 0, "once")
    assert.closeTo(settled?.cost ?? 0, 0.8 * 0.11, 1e-9)
    assert.deepInclude(settled, { caller: "plain", isEstimate: false, group: "fifth" })
    assert.closeTo((await metric("cost_usd_total", "fifth", "fifth")) - before, 0.8 * 0.11, 1e-9)
    assert.isAtLeast(await metric("input_tokens_total", "fifth", "fifth"), 1_000)
  })

  it("that nobody asks for are asked for by the gateway", async () => {
    const before = settledAt("eu").length
    await create(await upload("smart", 50, "polled"), "polled")
    const asked = eu.journal().length
    const asleep = time.sleeping()
    time.wake()
    await Effect.runPromise(
      eventually(
        () => "a poll",
        () => eu.journal().length > asked
      )
    )
    assert.strictEqual(settledAt("eu").length, before, "it goes on")
    eu.finishBatches({ prompt_tokens: 1_000, completion_tokens: 1_000, total_tokens: 2_000 })
    await Effect.runPromise(
      eventually(
        () => "the next wait",
        () => time.sleeping() === asleep
      )
    )
    time.wake()
    const mine = () => settledAt("eu").filter(({ caller }) => caller === "polled")
    await Effect.runPromise(
      eventually(
        () => "its end",
        () => mine().length > 0
      )
    )
    assert.closeTo(mine()[0]?.cost ?? 0, 0.5 * 0.11, 1e-9, "OpenAI takes half")
    await Effect.runPromise(holdsNothing(gateway))
  })

  it("that nobody could learn the end of cost what was set aside", async () => {
    await create(await upload("fifth", 1_000))
    const before = settledAt("fifth").length
    for (let round = 0; round < 160; round++) time.wake()
    await create(await upload("fifth", 1_000))
    const [told] = settledAt("fifth").slice(before)
    assert.deepInclude(told, { isEstimate: true })
    assert.isAbove(told?.cost ?? 0, 0.08)
  })
})
