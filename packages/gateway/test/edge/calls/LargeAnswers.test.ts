/** Answers that are too large to be parsed in one go: read in turns with other work, and passed on as the bytes that came. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as G from "../../support/gateways.js"

/** An upstream that answers everything with what `answer` holds at the time. */
const upstream = Effect.map(
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly up: { answer: string; asked: number }; readonly close: () => void }>(
      (resume) => {
        const up = { answer: "", asked: 0 }
        const server = createServer((request, response) => {
          request.resume()
          request.on("end", () => {
            up.asked++
            response.setHeader("content-type", "application/json")
            response.end(up.answer)
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          resume(Effect.succeed({ port, up, close: () => void server.closeAllConnections() }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  ),
  ({ port, up }) => ({ up, url: `http://127.0.0.1:${port}/v1`, name: "up" })
)

const scene = Effect.gen(function* () {
  const made = yield* upstream
  const gateway = yield* G.start([], {
    deployments: [G.deploymentOf(made)],
    cache: { ttl: "1 minute" },
    retry: { attempts: 1 }
  })
  return { gateway, up: made.up }
})

const floats = Array.from({ length: 300 }, (_, at) => at / 8)
const base64 = Buffer.from(new Float32Array(floats).buffer).toString("base64")
const usage = { prompt_tokens: 7, total_tokens: 7 }

const embeddings = (embedding: unknown, count = 300) => ({
  object: "list",
  data: Array.from({ length: count }, (_, index) => ({ object: "embedding", index, embedding })),
  model: "m",
  usage
})

const embed = (gateway: { readonly url: string }, more: object = {}) =>
  G.post(gateway, "/v1/embeddings", { model: "smart", input: ["Hi"], ...more })

const answerOf = (content: string, more: object = {}) => ({
  id: "c1",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop", ...more }]
})

describe("a large answer", () => {
  it.scopedLive("embeddings as they were asked for go on as the bytes that came", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene
      up.answer = JSON.stringify(embeddings(floats), null, 1).replace("0.125", "1.250e-1")
      assert.strictEqual((yield* embed(gateway)).text, up.answer)
      up.answer = JSON.stringify(embeddings(base64, 400))
      assert.strictEqual((yield* embed(gateway, { encoding_format: "base64" })).text, up.answer)
    })
  )

  it.scopedLive("embeddings in the other encoding come in the one that was asked for", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene
      up.answer = JSON.stringify(embeddings(floats))
      const encoded = yield* embed(gateway, { encoding_format: "base64" })
      assert.deepStrictEqual(JSON.parse(encoded.text), embeddings(base64))
      up.answer = JSON.stringify(embeddings(base64, 400))
      const plain = yield* embed(gateway, { input: "other" })
      assert.deepStrictEqual(JSON.parse(plain.text), embeddings(floats, 400))
    })
  )

  it.scopedLive("a text goes on as it came, to a stream as its events, and again from the cache", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene
      const content = `é\n${"word ".repeat(80_000)}`
      up.answer = JSON.stringify(answerOf(content, { logprobs: { bytes: floats } }))
      for (let round = 0; round < 2; round++) assert.strictEqual((yield* G.chat(gateway)).text, up.answer)
      assert.strictEqual(up.asked, 1)
      const stream = yield* G.chat(gateway, { stream: true })
      const [first = ""] = stream.text.split("\n\n")
      const { choices } = JSON.parse(first.slice("data: ".length))
      assert.strictEqual(choices[0].delta.content, content)
      assert.deepStrictEqual(choices[0].logprobs, { bytes: floats })
    })
  )

  it.scopedLive("what is none fails as a small one does, and an error in it is an error", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene
      const filler = "x".repeat(300_000)
      const sound = JSON.stringify(answerOf(filler))
      for (const [answer, says] of [
        [sound.slice(0, -1), /not a JSON object/],
        [`[${sound}]`, /not a JSON object/],
        [sound.replace('"id"', `"deep":${"[".repeat(600)}${"]".repeat(600)},"id"`), /deeper than 500/],
        [JSON.stringify({ filler, choices: [] }), /no choices/],
        [JSON.stringify({ filler, error: { message: "overloaded for now" } }), /overloaded for now/]
      ] as const) {
        up.answer = answer
        const { status, text } = yield* G.chat(gateway)
        assert.strictEqual(status >= 500, true, text)
        assert.match(text, says)
      }
    })
  )
})
