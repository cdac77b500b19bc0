/**
 * What of a request's body arrives at the provider: numbers as they were written, no control and nothing of LiteLLM's own.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as G from "../../support/gateways.js"

/** An upstream that answers everything, and keeps the bodies as they came. */
const upstream = Effect.map(
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly bodies: Array<string>; readonly close: () => void }>((resume) => {
      const bodies: Array<string> = []
      const server = createServer((request, response) => {
        const parts: Array<Buffer> = []
        request.on("data", (part: Buffer) => parts.push(part))
        request.on("end", () => {
          bodies.push(Buffer.concat(parts).toString())
          const choices = [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }]
          response.setHeader("content-type", "application/json")
          const data = [{ index: 0, embedding: [0.5] }]
          const answer = request.url?.endsWith("/embeddings") === true ? { data } : { choices }
          response.end(JSON.stringify({ id: `c${bodies.length}`, ...answer, usage: { prompt_tokens: 1 } }))
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}/v1`, bodies, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ),
  ({ bodies, url }) => ({ bodies, url, name: "up" })
)

const scene = (settings: Readonly<Record<string, unknown>> = {}, more: object = {}) =>
  Effect.gen(function* () {
    const up = yield* upstream
    const deployments = [{ ...G.deploymentOf(up), ...more }]
    return { up, gateway: yield* G.start([], { deployments, ...settings }) }
  })

const path = "/v1/chat/completions"

describe("a request's numbers", () => {
  it.scopedLive("numbers arrive as they were written, also beside controls that are taken out", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      const tools = '[{"type":"function","function":{"name":"f","parameters":{"maximum":9223372036854775807}}}]'
      const body = `{"model":"smart","messages":[{"role":"user","content":"Hi 1.0"}],"seed":9223372036854775807,"temperature":1.0,"num_retries":1,"tools":${tools}}`
      assert.strictEqual((yield* G.post(gateway, path, body)).status, 200)
      const sent = up.bodies[0] ?? ""
      for (const part of ['"seed":9223372036854775807', '"temperature":1.0', tools]) assert.include(sent, part)
      assert.notInclude(sent, "num_retries")
      assert.deepInclude(JSON.parse(sent), { model: "up-model", stream: false })
    })
  )

  it.scopedLive("a number that no reader can hold is refused by its path", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      for (const [more, at] of [
        ['"temperature":1e999', "temperature"],
        ['"tools":[{"function":{"parameters":{"maximum":-1e400}}}]', "tools.0.function.parameters.maximum"],
        [`"seed":${"9".repeat(400)}`, "seed"]
      ]) {
        const answer = yield* G.post(
          gateway,
          path,
          `{"model":"smart","messages":[{"role":"user","content":"Hi"}],${more}}`
        )
        assert.strictEqual(answer.status, 400)
        const { code, message } = G.errorIn(answer.text)
        assert.strictEqual(code, "invalid_number")
        assert.include(String(message), `${at}: expected`)
      }
      assert.lengthOf(up.bodies, 0)
    })
  )

  it.scopedLive("two seeds that differ in their last digit have two answers in the cache", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene({ cache: {} })
      const ask = (seed: string) =>
        G.post(gateway, path, `{"model":"smart","messages":[{"role":"user","content":"Hi"}],"seed":${seed}}`)
      const [a, b, again] = [
        yield* ask("9223372036854775807"),
        yield* ask("9223372036854775806"),
        yield* ask("9223372036854775807")
      ]
      assert.lengthOf(up.bodies, 2)
      assert.notStrictEqual(a.text, b.text)
      assert.strictEqual(a.text, again.text)
    })
  )

  it.scopedLive(
    "a name that stands twice in a field that goes on as it was written has an answer of its own in the cache",
    () =>
      Effect.gen(function* () {
        const { gateway, up } = yield* scene({ cache: {} })
        const long = "x".repeat(1024 * 1024)
        for (const [index, [more, size]] of [
          ["1.0", ""],
          ["2", long]
        ].entries()) {
          const ask = (schema: string) =>
            G.post(
              gateway,
              path,
              `{"model":"smart","messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"minimum":${more},"title":"${size}",${schema}}}}]}`
            )
          yield* ask('"type":"string","type":"object"')
          yield* ask('"type":"object"')
          assert.lengthOf(up.bodies, 2 * (index + 1))
        }
      })
  )

  it.scopedLive("a long field in which a name stands twice is written anew", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene({ cache: {} })
      const long = "x".repeat(5000)
      yield* G.post(gateway, path, `{"model":"smart","messages":[{"role":"system","role":"user","content":"${long}"}]}`)
      assert.include(up.bodies[0], `"messages":[{"role":"user","content":"${long}"}]`)
    })
  )
})

describe("a request's fields", () => {
  it.scopedLive("tags as a text are one tag, and an empty text is none", () =>
    Effect.gen(function* () {
      const up = yield* upstream
      const deployments = ["blue", "default"].map((tag) => ({
        ...G.deploymentOf(up),
        id: tag,
        model: tag,
        tags: [tag]
      }))
      const gateway = yield* G.start([], { deployments })
      for (const [more, model] of [
        [{ metadata: { tags: "blue", team: "x" } }, "blue"],
        [{ tags: "blue" }, "blue"],
        [{ litellm_metadata: { tags: "blue" } }, "blue"],
        [{ metadata: { tags: "" } }, "default"],
        [{ metadata: { tags: "blue,red" } }, "default"]
      ] as const) {
        assert.strictEqual((yield* G.chat(gateway, more)).status, 200, JSON.stringify(more))
        assert.strictEqual(JSON.parse(up.bodies.at(-1) ?? "{}").model, model, JSON.stringify(more))
      }
      assert.deepStrictEqual(JSON.parse(up.bodies[0] ?? "{}").metadata, { team: "x" })
      assert.strictEqual((yield* G.chat(gateway, { metadata: { tags: { a: 1 } } })).status, 400)
    })
  )

  it.scopedLive("what LiteLLM keeps for itself is dropped", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      const theirs = {
        max_retries: 2,
        drop_params: true,
        caching: true,
        litellm_call_id: "x",
        "no-log": true,
        input_cost_per_token: 1
      }
      const models = { seed: 1, metadata: { a: "b" }, top_k: 3, thinking: { type: "enabled" } }
      assert.strictEqual((yield* G.chat(gateway, { ...theirs, ...models })).status, 200)
      const sent = JSON.parse(up.bodies[0] ?? "{}")
      assert.deepInclude(sent, models)
      for (const name in theirs) assert.notProperty(sent, name)
    })
  )

  it.scopedLive("a batch is held against the window one by one", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene({}, { contextWindow: 100 })
      const embed = (input: unknown) =>
        Effect.map(G.post(gateway, "/v1/embeddings", { model: "smart", input }), ({ status }) => status)
      const text = "x".repeat(360)
      assert.strictEqual(yield* embed(Array.from({ length: 50 }, () => text)), 200)
      assert.strictEqual(yield* embed([text, text + text]), 400)
      assert.strictEqual(yield* embed(Array.from({ length: 101 }, (_, id) => id)), 400)
      assert.strictEqual(yield* embed([Array.from({ length: 90 }, (_, id) => id), [1]]), 200)
      assert.lengthOf(up.bodies, 2)
    })
  )
})
