import { assert, describe, it } from "@effect/vitest"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import { Effect, Either } from "effect"
import * as DemoUpstreams from "../src/DemoUpstreams.js"

const send = (url: string, body: unknown) =>
  Effect.promise(async () => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const response = await fetch(url, { method: "POST", body: text })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const chat = { model: "demo", messages: [{ role: "user", content: "Hi" }] }
const instant = { name: "quick", firstWord: 0, gap: 0 }

describe("a demo upstream", () => {
  it.scopedLive("streams word by word what it would answer at once, and usage when asked", () =>
    Effect.gen(function* () {
      const { url } = yield* DemoUpstreams.make(instant)
      const whole = JSON.parse((yield* send(`${url}/chat/completions`, chat)).text)
      const options = { stream: true, stream_options: { include_usage: true } }
      const { text } = yield* send(`${url}/chat/completions`, { ...chat, ...options })
      const events = text.split("\n\n").filter((event) => event !== "")
      assert.strictEqual(events.pop(), "data: [DONE]")
      const chunks = events.map((event) => JSON.parse(event.slice("data: ".length)))
      const words = chunks.flatMap(({ choices }) => choices).map(({ delta }) => delta.content ?? "")
      assert.strictEqual(words.join(""), whole.choices[0].message.content)
      assert.isAbove(words.length, 10)
      assert.deepStrictEqual(chunks.at(-1).usage, whole.usage)
      assert.strictEqual(chunks.at(-2).choices[0].finish_reason, "stop")
    })
  )
  it.scopedLive("that is flaky fails in turn with 503 and with 429 and a time to wait", () =>
    Effect.gen(function* () {
      const { url } = yield* DemoUpstreams.make({ ...instant, failsEvery: 2 })
      const statuses: Array<number> = []
      let wait: string | null = null
      for (let at = 0; at < 6; at++) {
        const { headers, status } = yield* send(`${url}/chat/completions`, chat)
        statuses.push(status)
        if (status === 429) wait = headers.get("retry-after")
      }
      assert.deepStrictEqual(statuses, [200, 503, 200, 429, 200, 503])
      assert.strictEqual(wait, "1")
    })
  )
  it.scopedLive("answers what it does not understand with an error in OpenAI's shape", () =>
    Effect.gen(function* () {
      const { url } = yield* DemoUpstreams.make(instant)
      const wrong = yield* Effect.all([send(`${url}/chat/completions`, "{"), send(`${url}/images/generations`, {})])
      assert.deepStrictEqual(
        wrong.map(({ status }) => status),
        [400, 404]
      )
      for (const { text } of wrong) assert.isString(JSON.parse(text).error.message)
    })
  )
  it.scopedLive("makes embeddings of length 1, in as many dimensions as asked for", () =>
    Effect.gen(function* () {
      const { url } = yield* DemoUpstreams.make(instant)
      const { text } = yield* send(`${url}/embeddings`, { model: "demo-embedding", input: [1, 2, 3], dimensions: 5 })
      const { data } = JSON.parse(text) as { readonly data: ReadonlyArray<{ readonly embedding: Array<number> }> }
      assert.deepStrictEqual([data.length, data[0]?.embedding.length], [1, 5])
      assert.closeTo(Math.hypot(...(data[0]?.embedding ?? [])), 1, 1e-9)
    })
  )
})

describe("the demo's settings", () => {
  it.scopedLive("make a gateway: three deployments to chat with, and one for embeddings", () =>
    Effect.gen(function* () {
      const { router } = Either.getOrThrow(GatewayConfig.decode(DemoUpstreams.settings(yield* DemoUpstreams.makeAll)))
      assert.deepStrictEqual(
        router.deployments.map(({ group, id }) => `${group}/${id}`),
        ["demo/demo-fast", "demo/demo-slow", "demo/demo-flaky", "demo-embedding/demo-embedding"]
      )
    })
  )
})
