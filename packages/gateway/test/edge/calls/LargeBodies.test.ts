/**
 * Bodies that are too large to be parsed in one go: bounded by what they hold before anything is made of them, and passed
 * on as the bytes that came, while everything that reads a request reads them right.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as G from "../../support/gateways.js"

interface Seen {
  readonly url: string
  readonly body: string
}

/** An upstream that keeps the bodies as they came; a model named `fails` fails once, then answers. */
const upstream = Effect.map(
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly seen: Array<Seen>; readonly close: () => void }>((resume) => {
      const seen: Array<Seen> = []
      const server = createServer((request, response) => {
        const parts: Array<Buffer> = []
        request.on("data", (part: Buffer) => parts.push(part))
        request.on("end", () => {
          const body = Buffer.concat(parts).toString()
          seen.push({ url: request.url ?? "", body })
          response.setHeader("content-type", "application/json")
          if (request.headers["x-fail"] !== undefined && seen.length === 1) {
            response.statusCode = 503
            return response.end("{}")
          }
          const choices = [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }]
          const data = [{ index: 0, embedding: [0.5] }]
          const answer = request.url?.endsWith("/embeddings") === true ? { data } : { choices }
          return response.end(JSON.stringify({ id: `c${seen.length}`, ...answer }))
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ port, seen, close: () => void server.closeAllConnections() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ),
  ({ port, seen }) => ({ seen, url: `http://127.0.0.1:${port}/v1`, name: "up" })
)

const scene = (settings: Readonly<Record<string, unknown>> = {}, more: object = {}) =>
  Effect.gen(function* () {
    const up = yield* upstream
    const deployments = [{ ...G.deploymentOf(up), ...more }]
    return { up, gateway: yield* G.start([], { deployments, ...settings }) }
  })

const chat = "/v1/chat/completions"

const prompt = `"messages":[{"role":"user","content":"Hi"}]`
const picture = `data:image/png;base64,${"iVBORw0KGgo".repeat(30_000)}`
const filler = `"filler":"${"x".repeat(200_000)}"`

/** A body of this much JSON beside model and prompt. */
const bodyOf = (more: string): string => `{"model":"smart",${prompt},${more}}`

const wide = `{${Array.from({ length: 2000 }, (_, at) => `"k${at}":1,`).join("")}"api_base":"http://x"}`

/** Objects that are looked into, and would not be if they were left in the bytes. */
const wideContainers = [
  ["of very many fields", wide],
  ["as a long text", JSON.stringify(JSON.stringify({ k: "x".repeat(20_000), api_base: "http://x" }))],
  ["with a wide one in it", `{"extra_body":${wide}}`]
] as const

const refused: ReadonlyArray<readonly [name: string, body: () => string, status: number, code: string, says: RegExp]> =
  [
    [
      "very many empty objects",
      () => bodyOf(`"x":[${"{},".repeat(260_000)}{}]`),
      413,
      "too_many_values",
      /250000 values/
    ],
    ["very many numbers", () => bodyOf(`"x":[${"1,".repeat(260_000)}1]`), 413, "too_many_values", /250000 values/],
    ["very many texts", () => bodyOf(`"x":[${'"",'.repeat(260_000)}""]`), 413, "too_many_values", /250000 values/],
    [
      "very many messages",
      () => `{"model":"smart","messages":[${'{"role":"user","content":""},'.repeat(90_000)}{}]}`,
      413,
      "too_many_values",
      /250000 values/
    ],
    [
      "very many numbers in metadata's input",
      () => bodyOf(`"metadata":{"input":[${"1,".repeat(260_000)}1]}`),
      413,
      "too_many_values",
      /250000 values/
    ],
    ["open brackets without an end", () => bodyOf(`"x":${"[".repeat(300_000)}`), 400, "too_deep", /deeper than 100/],
    [
      "objects in objects without an end",
      () => bodyOf(`"x":${'{"a":'.repeat(50_000)}`),
      400,
      "too_deep",
      /deeper than 100/
    ],
    ["depth before a fault", () => bodyOf(`${filler},"x":${"[".repeat(101)}`), 400, "too_deep", /deeper than 100/],
    [
      "very many fields",
      () => `{${Array.from({ length: 20_000 }, (_, at) => `"k${at}":1`).join(",")}}`,
      400,
      "too_many_fields",
      /1000/
    ],
    [
      "very many names of fields",
      () => bodyOf(`"x":[${Array.from({ length: 21_000 }, (_, at) => `{"k${at}":1}`).join(",")}]`),
      400,
      "too_many_fields",
      /20000 different/
    ],
    [
      "many fields in a small body",
      () => `{${Array.from({ length: 1100 }, (_, at) => `"k${at}":1`).join(",")}}`,
      400,
      "too_many_fields",
      /1000/
    ],
    ["a model twice", () => bodyOf(`${filler},"model":"other"`), 400, "duplicate_field", /"model"/],
    [
      "a model twice, once in escapes",
      () => bodyOf(`${filler},"mod\\u0065l":"other"`),
      400,
      "duplicate_field",
      /"model"/
    ],
    ["a model twice in a small body", () => bodyOf('"model":"other"'), 400, "duplicate_field", /"model"/],
    [
      "a model twice in a small body, once in escapes",
      () => bodyOf('"mod\\u0065l":"o"'),
      400,
      "duplicate_field",
      /"model"/
    ],
    ["an unknown field twice in a small body", () => bodyOf('"a:{":[1],"a:\\u007b":2'), 400, "duplicate_field", /a:\{/],
    ["a number that nobody can hold", () => bodyOf(`${filler},"seed":1e999`), 400, "invalid_number", /^seed/],
    ["such a number in a list", () => bodyOf(`${filler},"x":[${"1,".repeat(100)}-1e999]`), 400, "invalid_number", /^x/],
    ["a text with a raw line break", () => bodyOf(`"x":"${"x".repeat(200_000)}\n"`), 400, "invalid_json", /at byte/],
    [
      "a text with an escape that is none",
      () => bodyOf(`"x":"${"x".repeat(200_000)}\\x"`),
      400,
      "invalid_json",
      /at byte/
    ],
    ["an end that is missing", () => bodyOf(filler).slice(0, -1), 400, "invalid_json", /at byte/],
    ["something after the end", () => `${bodyOf(filler)}}`, 400, "invalid_json", /at byte/],
    ["a list", () => `[${filler.slice(9)}]`, 400, "invalid_json", /not an object/],
    [
      "a model's name that is a novel",
      () =>
        bodyOf("")
          .replace('"smart"', `"${"x".repeat(200_000)}"`)
          .replace(",}", "}"),
      400,
      "invalid_request",
      /^model/
    ],
    [
      "a control that is a novel",
      () => bodyOf(`"session_id":"${"x".repeat(200_000)}"`),
      400,
      "invalid_control",
      /session_id/
    ],
    ...["metadata", "extra_body"].flatMap((container) =>
      wideContainers.map(
        ([name, value]) =>
          [
            `${container} ${name}`,
            () => bodyOf(`${filler},"${container}":${value}`),
            400,
            "field_not_allowed",
            new RegExp(container)
          ] as const
      )
    ),
    [
      "a message that is none",
      () => `{"model":"smart","messages":[1],${filler}}`,
      400,
      "invalid_request",
      /messages\.0/
    ]
  ]

describe("a large body", () => {
  it.scopedLive("what must not be is refused with its name and its bound, and nothing reaches the provider", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      for (const [name, body, status, code, says] of refused) {
        const answer = yield* G.post(gateway, chat, body())
        assert.strictEqual(answer.status, status, name)
        const error = G.errorIn(answer.text)
        assert.strictEqual(error.code, code, name)
        assert.match(String(error.message), says, name)
      }
      assert.strictEqual(up.seen.length, 0)
      yield* G.holdsNothing(gateway)
    })
  )

  it.scopedLive("invalid UTF-8 is refused wherever it stands", () =>
    Effect.gen(function* () {
      const { gateway } = yield* scene()
      const [before = "", after = ""] = bodyOf(filler).split("xxx", 2)
      const body = Buffer.concat([
        Buffer.from(`${before}${"x".repeat(200_000)}`),
        Buffer.from([0xc3, 0x28]),
        Buffer.from(`${after}"}`)
      ])
      const answer = yield* G.post(gateway, chat, body)
      assert.strictEqual(G.errorIn(answer.text).code, "invalid_utf8")
    })
  )

  it.scopedLive("the bounds are settings, and hold for small bodies too", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene({ server: { maxJsonValues: 100, maxJsonNumbers: 200, maxJsonDepth: 10 } })
      const ids = (count: number): string => `{"model":"smart","input":[${"7,".repeat(count - 1)}7]}`
      const statusOf = (path: string, body: string) => Effect.map(G.post(gateway, path, body), ({ status }) => status)
      assert.strictEqual(yield* statusOf(chat, bodyOf(`"x":[${"1,".repeat(100)}1]`)), 413)
      assert.strictEqual(yield* statusOf(chat, bodyOf(`"x":[${"1,".repeat(40)}1]`)), 200)
      assert.strictEqual(yield* statusOf("/v1/embeddings", ids(201)), 413)
      assert.strictEqual(yield* statusOf("/v1/embeddings", ids(200)), 200)
      assert.strictEqual(yield* statusOf(chat, bodyOf(`"x":${"[".repeat(10)}${"]".repeat(10)}`)), 400)
      assert.strictEqual(up.seen.length, 2)
    })
  )

  it.scopedLive("what arrives at the provider is what was sent, but for the fields that the gateway writes", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      const parts = [
        `"messages": [ {"role":"user","content":[{"type":"image_url","image_url":{"url":"${picture}"}},{"type":"text","text":"\\u00e9 \\/ é 🎉"}]} ]`,
        `"seed":9223372036854775807`,
        `"temperature":1.0`,
        `"top_p":1e-1`,
        `"unknown":{"a":[1.0,-0,12345678901234567890,${"0.10,".repeat(300)}1],"b":{"__proto__":1}}`
      ]
      const body = `{"num_retries":1,"model":"smart",${parts.join(",")},"metadata":{"session_id":"a","own":"${"y".repeat(20_000)}"}}`
      assert.strictEqual((yield* G.post(gateway, chat, body)).status, 200)
      const sent = up.seen[0]?.body ?? ""
      for (const part of [...parts, `"metadata":{"own":"${"y".repeat(20_000)}"}`])
        assert.include(sent, part.replace(/^("\w+"): /, "$1:"))
      assert.deepInclude(JSON.parse(sent), { model: "up-model", stream: false })
      assert.notInclude(sent, "num_retries")
      assert.notInclude(sent, "session_id")
    })
  )

  it.scopedLive("packed, or in chunks of unknown number, or with a mark in front, it is the same body", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      const noise = `"noise":"${Array.from({ length: 40_000 }, (_, at) => (at * at * 7919) % 100_003).join("")}"`
      const body = bodyOf(noise)
      const packed = yield* G.post(gateway, chat, gzipSync(body), { "content-encoding": "gzip" })
      assert.strictEqual(packed.status, 200)
      const marked = yield* G.post(gateway, chat, `\ufeff${body}`)
      assert.strictEqual(marked.status, 200)
      assert.strictEqual(up.seen.length, 2)
      for (const { body: sent } of up.seen) assert.include(sent, noise)
      assert.strictEqual(up.seen[0]?.body, up.seen[1]?.body)
    })
  )

  it.scopedLive(
    "what a deployment leaves out or renames inside it is left out, and the long texts beside that stay",
    () =>
      Effect.gen(function* () {
        const { gateway, up } = yield* scene({}, { additionalDropParams: ["messages[*].name", "gone"] })
        const text = `${"é\\n".repeat(20_000)}`
        const body = `{"model":"smart","gone":"${"z".repeat(100_000)}","messages":[{"role":"user","name":"n","content":"${text}"}]}`
        assert.strictEqual((yield* G.post(gateway, chat, body)).status, 200)
        const sent = up.seen[0]?.body ?? ""
        assert.include(sent, `"messages":[{"role":"user","content":"${text}"}]`)
        assert.notInclude(sent, "zzz")
      })
  )

  it.scopedLive(
    "a deployment without eyes is not asked for a picture, and one with a small window not for a long text",
    () =>
      Effect.gen(function* () {
        const up = yield* upstream
        const small = yield* upstream
        const gateway = yield* G.start([], {
          deployments: [
            { ...G.deploymentOf({ ...small, name: "small" }), capabilities: [], contextWindow: 30_000, weight: 1000 },
            { ...G.deploymentOf(up), capabilities: ["vision"] }
          ]
        })
        const ask = (content: string) =>
          G.post(gateway, chat, `{"model":"smart","messages":[{"role":"user","content":${content}}]}`)
        for (let round = 0; round < 4; round++) {
          assert.strictEqual((yield* ask(`[{"type":"image_url","image_url":{"url":"${picture}"}}]`)).status, 200)
          assert.strictEqual((yield* ask(`"${"word ".repeat(40_000)}"`)).status, 200)
        }
        assert.strictEqual(small.seen.length, 0)
      })
  )

  it.scopedLive("the cache tells large bodies apart by every byte, and knows them again", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene({ cache: { ttl: "1 minute" } })
      const one = bodyOf(filler)
      for (const body of [
        one,
        one,
        one.replace('x"}', 'y"}'),
        bodyOf(`${filler},"seed":9223372036854775807`),
        bodyOf(`${filler},"seed":9223372036854775806`)
      ]) {
        assert.strictEqual((yield* G.post(gateway, chat, body)).status, 200)
      }
      assert.strictEqual(up.seen.length, 4)
    })
  )

  it.scopedLive("a retry sends the same bytes again", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene({ requests: { forwardHeaders: true }, retry: { baseDelay: 10 } })
      const answer = yield* G.post(gateway, chat, bodyOf(filler), { "x-fail": "once" })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(up.seen.length, 2)
      assert.strictEqual(up.seen[0]?.body, up.seen[1]?.body)
    })
  )

  it.scopedLive("token ids go through by the hundred thousand, in lists of any length", () =>
    Effect.gen(function* () {
      const { gateway, up } = yield* scene()
      const row = `[${Array.from({ length: 250 }, (_, at) => at * 7).join(",")}]`
      const input = `"input":[${Array.from({ length: 1000 }, () => row).join(",")},[1,2,3],"text"]`
      assert.strictEqual((yield* G.post(gateway, "/v1/embeddings", `{"model":"smart",${input}}`)).status, 200)
      assert.include(up.seen[0]?.body ?? "", input)
    })
  )

  it.scopedLive("long texts that are embedded or ranked in a provider's own words arrive whole", () =>
    Effect.gen(function* () {
      const texts = ['a "novel", '.repeat(20_000), "a poem", "ä tale ".repeat(20_000)]
      const embedding = yield* scene({ retry: false }, { protocol: "cohere" })
      yield* G.post(embedding.gateway, "/v1/embeddings", JSON.stringify({ model: "smart", input: texts }))
      assert.deepStrictEqual(JSON.parse(embedding.up.seen[0]?.body ?? "{}").texts, texts)

      const native = yield* scene({ retry: false }, { protocol: "cohere" })
      const requests = texts.map((text) => ({ model: "models/smart", content: { parts: [{ text }] } }))
      yield* G.post(native.gateway, "/v1beta/models/smart:batchEmbedContents", JSON.stringify({ requests }))
      assert.deepStrictEqual(JSON.parse(native.up.seen[0]?.body ?? "{}").texts, texts)

      for (const protocol of ["openai", "cohere"] as const) {
        const ranking = yield* scene({ retry: false }, { protocol })
        const body = { model: "smart", query: "which?", documents: texts }
        yield* G.post(ranking.gateway, "/v1/rerank", JSON.stringify(body))
        const { documents } = JSON.parse(ranking.up.seen[0]?.body ?? "{}")
        assert.deepStrictEqual(documents, texts, protocol)
      }
    })
  )

  it.scopedLive("a key's own bound holds before a byte is read and while they come; others have the server's", () =>
    Effect.gen(function* () {
      const { gateway } = yield* scene({ keys: [{ name: "small", key: "sk-small-51f0", maxBodyBytes: 1000 }] })
      const small = { authorization: "Bearer sk-small-51f0" }
      const body = bodyOf(`"x":"${"x".repeat(2000)}"`)
      assert.strictEqual((yield* G.post(gateway, chat, body)).status, 200)
      const refused = yield* G.post(gateway, chat, body, small)
      assert.strictEqual(refused.status, 413)
      assert.include(G.errorIn(refused.text).message, "1000 bytes")
      assert.strictEqual((yield* G.post(gateway, chat, bodyOf('"x":1'), small)).status, 200)
      const packed = yield* G.post(gateway, chat, gzipSync(body), { ...small, "content-encoding": "gzip" })
      assert.strictEqual(packed.status, 413)
    })
  )

  it.scopedLive(
    "beyond the bytes that may be in flight it is 503 with a time to come back, and then there is room again",
    () =>
      Effect.gen(function* () {
        const { gateway } = yield* scene({ server: { maxBytesInFlight: 150_000 } })
        const answer = yield* G.post(gateway, chat, bodyOf(filler))
        assert.strictEqual(answer.status, 503)
        assert.strictEqual(G.errorIn(answer.text).code, "overloaded")
        assert.isDefined(answer.headers["retry-after"])
        assert.strictEqual((yield* G.post(gateway, chat, bodyOf(`"x":"${"x".repeat(140_000)}"`))).status, 200)
        assert.strictEqual((yield* G.post(gateway, chat, bodyOf(`"x":"${"x".repeat(140_000)}"`))).status, 200)
      })
  )
})
