/**
 * Media of callers, fetched for a provider that takes bytes only: over TLS on loopback, which the tests allow and nobody else does.
 */
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { isJsonObject } from "@switchyard/core/Json"
import type * as LlmRequest from "@switchyard/core/LlmRequest"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect, type Scope } from "effect"
import { Lingering } from "../../src/exchange/lingering.js"
import { ask } from "../../src/openai/asking.js"
import { type FetchLimits, fetchMedia, isPublic } from "../../src/transport/mediaFetcher.js"
import { answering } from "../support/answering.js"
import { certificate, privateKey } from "../support/certificate.js"
import * as S from "../support/support.js"

const bytes = Buffer.from("\x89PNG switchyard")

interface Host {
  readonly url: string
  readonly asked: () => ReadonlyArray<string>
}

const host: Effect.Effect<Host, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.async<{ readonly found: Host; readonly close: () => void }>((resume) => {
      const asked: Array<string> = []
      const server = createServer({ cert: certificate, key: privateKey }, ({ headers, url = "/" }, response) => {
        asked.push(`${headers.host?.split(":")[0]} ${url}`)
        if (url === "/moved") response.writeHead(302, { location: "/picture" }).end()
        else if (url === "/gone") response.writeHead(404).end()
        else if (url === "/said-large") response.writeHead(200, { "content-length": "2000000" }).end("x")
        else if (url === "/large") response.writeHead(200).end(Buffer.alloc(300_000))
        else if (url === "/slow") response.writeHead(200).write("x")
        else response.writeHead(200, { "content-type": "image/png; charset=binary" }).end(bytes)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(
          Effect.succeed({
            found: { url: `https://localhost:${port}`, asked: () => asked },
            close: () => {
              server.close()
              server.closeAllConnections()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  ),
  ({ found }) => found
)

const loopback: FetchLimits = { isAllowed: () => true, ca: certificate, maxBytes: 100_000 }

describe("the addresses of media", () => {
  const barred = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "fd00::1",
    "fe80::1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2001:0:0:1::1",
    "ff02::1",
    "localhost"
  ]

  it("are public ones alone: no network of one's own, no cloud's metadata, nothing mapped", () => {
    assert.deepStrictEqual(barred.filter(isPublic), [])
    assert.deepStrictEqual(["8.8.8.8", "172.32.0.1", "2606:4700::1111"].filter(isPublic).length, 3)
  })

  it.live("are checked after the name was looked up, and nothing is asked of another one", () =>
    Effect.gen(function* () {
      const up = yield* host
      const why = yield* Effect.flip(fetchMedia(`${up.url}/picture`, { ca: certificate }))
      assert.include(why, "not a public one")
      assert.deepStrictEqual(up.asked(), [])
    }).pipe(Effect.scoped)
  )
})

describe("media", () => {
  it.live("are fetched over https, from the address that was checked, by their own name", () =>
    Effect.gen(function* () {
      const up = yield* host
      const fetched = yield* fetchMedia(`${up.url}/picture?a=1`, loopback)
      assert.deepStrictEqual(fetched, { mime: "image/png", data: bytes.toString("base64") })
      assert.deepStrictEqual(up.asked(), ["localhost /picture?a=1"])
    }).pipe(Effect.scoped)
  )

  it.live("are not fetched by another scheme, with a user, by a redirect, or beyond their bounds", () =>
    Effect.gen(function* () {
      const up = yield* host
      const cases: ReadonlyArray<readonly [url: string, why: string]> = [
        [up.url.replace("https", "http"), "only https"],
        ["file:///etc/passwd", "only https"],
        [up.url.replace("https://", "https://me:secret@"), "a user in it"],
        [`${up.url}/moved`, "redirects"],
        [`${up.url}/gone`, "answers 404"],
        [`${up.url}/said-large`, "larger than 100000 bytes"],
        [`${up.url}/large`, "larger than 100000 bytes"],
        [`${up.url}/slow`, "did not come within"]
      ]
      for (const [url, expected] of cases) {
        const why = yield* Effect.flip(
          fetchMedia(url, { ...loopback, ...(url.endsWith("/slow") ? { maxWait: 100 } : {}) })
        )
        assert.include(why, expected, url)
      }
      assert.notInclude(up.asked().join(), "/picture")
    }).pipe(Effect.scoped)
  )
})

describe("a picture at a URL, for a provider that takes bytes", () => {
  const converse = {
    output: { message: { role: "assistant", content: [{ text: "A cat" }] } },
    stopReason: "end_turn",
    usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
  }
  const on = { protocol: "bedrock", model: "amazon.nova-pro-v1:0", apiKey: "key", baseUrl: "https://bedrock.example" }
  const showing = (url: string): LlmRequest.LlmRequest =>
    S.chat({
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image_url", image_url: { url } }
          ]
        }
      ]
    })
  const settings = {
    maxBody: 1_000_000,
    maxEvent: 1_000_000,
    onMalformed: "cut",
    onMissingFinish: "cut",
    lingering: new Lingering(1)
  } as const

  it.live("is sent as its bytes where that is allowed", () =>
    Effect.gen(function* () {
      const up = yield* host
      const { sent, transport } = answering(() => converse)
      const service = ask(transport, settings, 5000, {}, loopback)
      const request = showing(`${up.url}/picture`)
      S.complete(yield* S.call(service, request, on))
      S.complete(yield* S.call(service, request, on))
      const turns = (sent[0]?.body.messages ?? []) as ReadonlyArray<{ readonly content: ReadonlyArray<unknown> }>
      const image = turns[0]?.content.find((part) => isJsonObject(part) && part.image !== undefined)
      assert.deepStrictEqual(image, { image: { format: "png", source: { bytes: bytes.toString("base64") } } })
      // A second attempt has it already.
      assert.deepStrictEqual([sent.length, up.asked().length], [2, 1])
    }).pipe(Effect.scoped)
  )

  it.live("is refused by its path where it cannot be fetched, and where that is not allowed", () =>
    Effect.gen(function* () {
      const up = yield* host
      const { sent, transport } = answering(() => converse)
      const allowed = ask(transport, settings, 5000, {}, loopback)
      const moved = yield* Effect.flip(S.call(allowed, showing(`${up.url}/moved`), on))
      assert.strictEqual(moved.reason, "InvalidRequest")
      assert.strictEqual(moved.param, "messages[0].content[1]")
      assert.include(moved.description, "redirects")
      const barred = yield* Effect.flip(S.call(OpenAiCompatible.make(transport), showing(`${up.url}/picture`), on))
      assert.strictEqual(barred.param, "messages[0].content[1]")
      assert.notInclude(up.asked().join(), "/picture")
      const isPrivate = OpenAiCompatible.make(transport, { fetchMedia: true })
      const inside = yield* Effect.flip(S.call(isPrivate, showing(`${up.url}/picture`), on))
      assert.include(inside.description, "not a public one")
      assert.deepStrictEqual(sent, [])
    }).pipe(Effect.scoped)
  )
})
