/**
 * The base service over `fetch`, as a browser gets it: bundled, and run where there is no Node at all.
 */
import { fileURLToPath } from "node:url"
import { createContext, Script } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { build } from "esbuild"

const program = `
  import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
  import * as ChatChunk from "@switchyard/core/ChatChunk"
  import * as LlmRequest from "@switchyard/core/LlmRequest"
  import { LlmService } from "@switchyard/core/LlmService"
  import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
  import * as Transport from "@switchyard/providers/Transport"
  import * as Router from "@switchyard/router/Router"
  import { Effect, Layer, Stream } from "effect"

  const Live = Router.layer({
    deployments: [{ id: "a", group: "smart", model: "gpt", baseUrl: "https://llm.example.com/v1" }]
  }).pipe(
    Layer.provide(OpenAiCompatible.layer),
    Layer.provide(Transport.layerHttpClient),
    Layer.provide(FetchHttpClient.layer)
  )
  const chat = (stream) =>
    LlmRequest.chat({ model: "smart", messages: [{ role: "user", content: "Hi" }], stream })
  globalThis.result = Effect.runPromise(
    Effect.gen(function* () {
      const answer = yield* LlmService.complete(chat(false))
      const parts = yield* Stream.runCollect(LlmService.stream(chat(true)))
      return [ChatChunk.completionText(answer.body), [...parts].map(({ json }) => ChatChunk.text(json)).join("")]
    }).pipe(Effect.provide(Live))
  )
`

const chunk = (text: string, finish: string | null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text }, finish_reason: finish }] })}\n\n`

const answer = JSON.stringify({ choices: [{ index: 0, message: { content: "Hello" }, finish_reason: "stop" }] })
const events = `${chunk("Hel", null)}${chunk("lo", "stop")}data: [DONE]\n\n`

/** An upstream that says what the request asks for, in two pieces. */
const fetched = async (_: unknown, init: { readonly body: Uint8Array }): Promise<Response> => {
  const asked = JSON.parse(new TextDecoder().decode(init.body)) as { readonly stream?: boolean }
  const bytes = new TextEncoder().encode(asked.stream === true ? events : answer)
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(bytes.subarray(0, 20))
      controller.enqueue(bytes.subarray(20))
      controller.close()
    }
  })
  const type = asked.stream === true ? "text/event-stream" : "application/json"
  return new Response(body, { headers: { "content-type": type } })
}

/** What browsers have. */
const web = [
  ...["AbortController", "Headers", "Request", "Response", "TextDecoder", "TextEncoder", "URL", "URLSearchParams"],
  ...["clearTimeout", "console", "crypto", "performance", "queueMicrotask", "setTimeout"]
]

describe("OpenAiCompatible over Transport.layerHttpClient", () => {
  it("is bundled for browsers without a module of Node's, and answers there", async () => {
    const { metafile, outputFiles } = await build({
      stdin: { contents: program, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
      bundle: true,
      write: false,
      metafile: true,
      platform: "browser",
      format: "iife",
      target: "es2022",
      conditions: ["@switchyard/source"],
      logLevel: "silent"
    })
    const external = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
    assert.deepStrictEqual(external, [])
    const inputs = Object.keys(metafile.inputs)
    assert.deepStrictEqual(
      inputs.filter((path) => /node_modules\/undici/.test(path)),
      []
    )
    const browser = createContext({
      ...Object.fromEntries(web.map((name) => [name, (globalThis as Readonly<Record<string, unknown>>)[name]])),
      fetch: fetched
    })
    new Script(outputFiles[0]?.text ?? "").runInContext(browser)
    assert.deepStrictEqual([...((await browser.result) as ReadonlyArray<string>)], ["Hello", "Hello"])
  })
})
