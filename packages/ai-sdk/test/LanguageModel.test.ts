/**
 * The AI SDK's own functions over a router in process, over loopback upstreams that check what they get.
 */
import { APICallError } from "@ai-sdk/provider"
import { assert, describe, it } from "@effect/vitest"
import { createSwitchyard, fromRuntime, fromService, type SwitchyardProvider } from "@switchyard/ai-sdk/Switchyard"
import { ConfigError } from "@switchyard/core/ConfigError"
import { isLlmError } from "@switchyard/core/LlmError"
import { LlmService } from "@switchyard/core/LlmService"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as SpokenProvider from "@switchyard/testing/SpokenProvider"
import { generateObject, generateText, Output, stepCountIs, streamText, tool } from "ai"
import { Effect, Layer, ManagedRuntime } from "effect"
import { z } from "zod"

const at = (upstream: FakeProvider.FakeProvider) => ({
  id: upstream.name,
  group: "smart",
  model: `${upstream.name}-model`,
  baseUrl: upstream.url,
  apiKey: "sk-test",
  inputPrice: 1,
  outputPrice: 2
})

const options = (east: FakeProvider.FakeProvider, west: FakeProvider.FakeProvider): Router.Options => ({
  deployments: [
    { ...at(east), order: 1, tags: ["eu"] },
    { ...at(west), order: 2 }
  ],
  retry: { attempts: 2, baseDelay: "1 millis" }
})

interface World {
  readonly east: FakeProvider.FakeProvider
  readonly west: FakeProvider.FakeProvider
  readonly switchyard: SwitchyardProvider
}

/** A provider over two upstreams, asked in this order. */
const over = (use: (world: World) => Promise<void>) =>
  Effect.gen(function* () {
    const east = yield* FakeProvider.make({ name: "east" })
    const west = yield* FakeProvider.make({ name: "west" })
    const switchyard = yield* Effect.acquireRelease(
      Effect.sync(() => createSwitchyard(options(east, west))),
      (provider) => Effect.promise(provider.close)
    )
    yield* Effect.promise(() => use({ east, west, switchyard }))
  }).pipe(Effect.scoped)

const lastBody = (upstream: FakeProvider.FakeProvider) => {
  const entries = upstream.journal()
  return entries[entries.length - 1]?.body as Record<string, unknown>
}

const tell = (upstream: FakeProvider.FakeProvider, ...behaviours: ReadonlyArray<FakeProvider.Behaviour>) =>
  Effect.runSync(upstream.next(...behaviours))
const behave = (upstream: FakeProvider.FakeProvider, behaviour: FakeProvider.Behaviour) =>
  Effect.runSync(upstream.behave(behaviour))

const rejection = async (promise: PromiseLike<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("it did not reject")
}

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => Promise.resolve({ celsius: city.length })
})

const collect = async <A>(stream: AsyncIterable<A>): Promise<Array<A>> => {
  const all: Array<A> = []
  for await (const one of stream) all.push(one)
  return all
}

// Warnings are looked at here, not logged.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

describe("a language model of the AI SDK", () => {
  it.live("texts: the prompt and the settings go as they were given; usage, reason and route come back", () =>
    over(async ({ east, switchyard }) => {
      tell(east, { reply: "North.", usage: { prompt_tokens: 30, completion_tokens: 5, cached_tokens: 10 } })
      const result = await generateText({
        model: switchyard("smart"),
        system: "Be brief.",
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "Where to?" },
              { type: "image", image: new URL("https://pictures.example/a.png") },
              { type: "image", image: new Uint8Array([0x89, 0x50, 0x4e, 0x47]) },
              { type: "file", mediaType: "application/pdf", filename: "map.pdf", data: "QUJD" }
            ]
          }
        ],
        temperature: 0.5,
        maxOutputTokens: 50,
        stopSequences: ["!"],
        seed: 7,
        headers: { "x-team": "maps" }
      })
      assert.strictEqual(result.text, "North.")
      assert.strictEqual(result.finishReason, "stop")
      assert.deepInclude(result.usage, { inputTokens: 30, outputTokens: 5, cachedInputTokens: 10 })
      assert.deepInclude(result.usage.raw, { prompt_tokens: 30, completion_tokens: 5 })
      assert.deepStrictEqual(result.warnings, [])
      const route = result.providerMetadata?.switchyard as Record<string, unknown>
      assert.deepStrictEqual([route.deployment, route.group, route.cost], ["east", "smart", 0.00004])
      const { messages, model: _, stream: __, ...settings } = lastBody(east)
      assert.deepStrictEqual(messages, [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "Where to?" },
            { type: "image_url", image_url: { url: "https://pictures.example/a.png" } },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw==" } },
            { type: "file", file: { filename: "map.pdf", file_data: "data:application/pdf;base64,QUJD" } }
          ]
        }
      ])
      assert.deepStrictEqual(settings, { max_tokens: 50, temperature: 0.5, stop: ["!"], seed: 7 })
      assert.strictEqual(east.journal()[0]?.headers["x-team"], "maps")
    })
  )

  it.live("an upstream that fails is passed over, whole and streamed", () =>
    over(async ({ east, switchyard }) => {
      behave(east, { status: 503 })
      const { providerMetadata, text } = await generateText({ model: switchyard("smart"), prompt: "Where to?" })
      assert.strictEqual(text, "Hello from west")
      const attempts = providerMetadata?.switchyard?.attempts as unknown as ReadonlyArray<{ readonly outcome: string }>
      assert.deepStrictEqual(
        attempts.map(({ outcome }) => outcome),
        ["failed", "completed"]
      )
      behave(east, { cutAfterChunks: 0 })
      const streamed = streamText({ model: switchyard("smart"), prompt: "Where to?" })
      assert.strictEqual((await collect(streamed.textStream)).join(""), "Hello from west")
    })
  )

  it.live("streams: texts and thoughts begin, grow and end; the finish knows usage, reason and route", () =>
    over(async ({ east, switchyard }) => {
      tell(east, { reply: "North", chunks: 2, reasoning: "Hm", usage: { prompt_tokens: 3, completion_tokens: 4 } })
      const result = streamText({ model: switchyard("smart"), prompt: "Where to?", includeRawChunks: true })
      const parts = await collect(result.fullStream)
      assert.deepStrictEqual(
        parts.map(({ type }) => type).filter((type) => type !== "raw"),
        [
          "start",
          "start-step",
          "reasoning-start",
          "reasoning-delta",
          "reasoning-delta",
          "reasoning-end",
          "text-start",
          "text-delta",
          "text-delta",
          "text-end",
          "finish-step",
          "finish"
        ]
      )
      assert.include(
        parts.map(({ type }) => type),
        "raw"
      )
      assert.strictEqual(await result.text, "North")
      assert.strictEqual(await result.reasoningText, "Hm")
      assert.deepInclude(await result.usage, { inputTokens: 3, outputTokens: 4 })
      assert.strictEqual((await result.providerMetadata)?.switchyard?.cost, 0.000011)
    })
  )

  it.live("objects: the schema is asked for, strictly where it keeps the rules of that", () =>
    over(async ({ east, switchyard }) => {
      tell(east, { reply: '{"city":"Oslo","days":3}' }, { reply: '{"city":"Oslo"}' })
      const { object } = await generateObject({
        model: switchyard("smart"),
        schema: z.object({ city: z.string(), days: z.number() }),
        schemaName: "trip",
        prompt: "A trip"
      })
      assert.deepStrictEqual(object, { city: "Oslo", days: 3 })
      const format = lastBody(east).response_format as { type: string; json_schema: Record<string, unknown> }
      assert.strictEqual(format.type, "json_schema")
      assert.deepInclude(format.json_schema, { name: "trip", strict: true })
      const { output } = await generateText({
        model: switchyard("smart"),
        output: Output.object({ schema: z.object({ city: z.string(), days: z.number().optional() }) }),
        prompt: "A trip"
      })
      assert.deepStrictEqual(output, { city: "Oslo" })
      const loose = lastBody(east).response_format as { json_schema: Record<string, unknown> }
      assert.notProperty(loose.json_schema, "strict")
    })
  )

  it.live("tools over several steps, two calls at once, in a text and in a stream", () =>
    over(async ({ east, switchyard }) => {
      const calls = {
        toolCalls: [
          { name: "weather", arguments: '{"city":"Oslo"}' },
          { name: "weather", arguments: '{"city":"Bergen"}' }
        ]
      }
      const asked = {
        model: switchyard("smart"),
        tools: { weather },
        stopWhen: stepCountIs(3),
        prompt: "How warm?"
      }
      tell(east, calls, { reply: "4 and 6." })
      const whole = await generateText(asked)
      assert.strictEqual(whole.text, "4 and 6.")
      assert.strictEqual(whole.steps.length, 2)
      assert.strictEqual(whole.steps[0]?.finishReason, "tool-calls")
      const checkTurns = () => {
        const [user, assistant, ...results] = lastBody(east).messages as ReadonlyArray<Record<string, unknown>>
        assert.deepStrictEqual(user, { role: "user", content: "How warm?" })
        const made = assistant?.tool_calls as ReadonlyArray<{ id: string; function: unknown }>
        assert.deepStrictEqual(
          made.map((call) => call.function),
          [
            { name: "weather", arguments: '{"city":"Oslo"}' },
            { name: "weather", arguments: '{"city":"Bergen"}' }
          ]
        )
        assert.deepStrictEqual(results, [
          { role: "tool", tool_call_id: made[0]?.id, content: '{"celsius":4}' },
          { role: "tool", tool_call_id: made[1]?.id, content: '{"celsius":6}' }
        ])
      }
      checkTurns()
      assert.deepInclude((lastBody(east).tools as ReadonlyArray<{ function: object }>)[0]?.function, {
        name: "weather",
        description: "The weather of a city"
      })
      tell(east, { ...calls, chunks: 4 }, { reply: "4 and 6." })
      const streamed = streamText(asked)
      const parts = await collect(streamed.fullStream)
      checkTurns()
      const input = parts.map((part) => (part.type === "tool-input-delta" ? part.delta : "")).join("")
      assert.strictEqual(input, '{"city":"Oslo"}{"city":"Bergen"}')
      assert.strictEqual(await streamed.text, "4 and 6.")
      tell(east, calls)
      await generateText({ ...asked, stopWhen: stepCountIs(1), toolChoice: { type: "tool", toolName: "weather" } })
      assert.deepStrictEqual(lastBody(east).tool_choice, { type: "function", function: { name: "weather" } })
    })
  )

  it.live("pictures that a tool gives follow its words", () =>
    over(async ({ east, switchyard }) => {
      const camera = tool({
        inputSchema: z.object({}),
        execute: () => Promise.resolve("AQID"),
        toModelOutput: ({ output }) => ({
          type: "content",
          value: [
            { type: "text", text: "Taken." },
            { type: "image-data", data: output, mediaType: "image/png" }
          ]
        })
      })
      tell(east, { toolCalls: [{ name: "camera", arguments: "" }] }, { reply: "A cat." })
      await generateText({ model: switchyard("smart"), tools: { camera }, stopWhen: stepCountIs(2), prompt: "Look" })
      const [, , result, shown] = lastBody(east).messages as ReadonlyArray<Record<string, unknown>>
      assert.deepInclude(result, { role: "tool", content: "Taken.\n(see what follows)" })
      assert.deepStrictEqual((shown as { content: ReadonlyArray<unknown> }).content[1], {
        type: "image_url",
        image_url: { url: "data:image/png;base64,AQID" }
      })
    })
  )

  it.live(
    "signed thoughts go back with their turn, from a text and from a stream; what its provider cannot be told is warned of",
    () =>
      Effect.gen(function* () {
        const claude = yield* SpokenProvider.make({ name: "claude", dialect: "messages" })
        const switchyard = yield* Effect.acquireRelease(
          Effect.sync(() =>
            createSwitchyard({
              deployments: [
                {
                  id: "claude",
                  group: "smart",
                  model: "claude-sonnet-4-5",
                  protocol: "anthropic",
                  provider: "anthropic",
                  baseUrl: claude.origin,
                  apiKey: "sk"
                }
              ]
            })
          ),
          (provider) => Effect.promise(provider.close)
        )
        const asked = {
          model: switchyard("smart"),
          tools: { weather },
          stopWhen: stepCountIs(2),
          presencePenalty: 0.5,
          providerOptions: { anthropic: { thinking: { type: "enabled", budgetTokens: 2000 } } },
          prompt: "How warm?"
        }
        yield* Effect.promise(async () => {
          for (const way of ["whole", "stream"] as const) {
            claude.next({ reasoning: `Look (${way}).`, toolCalls: [{ name: "weather", arguments: { city: "Oslo" } }] })
            const result = way === "whole" ? await generateText(asked) : streamText(asked)
            const warnings = (await result.warnings) ?? []
            assert.deepStrictEqual(
              warnings.map((warning) => (warning.type === "unsupported" ? warning.feature : "")),
              ["presence_penalty"]
            )
            const requests = claude.requests()
            const last = requests[requests.length - 1]?.body
            assert.deepInclude(last?.thinking, { type: "enabled", budget_tokens: 2000 })
            const messages = last?.messages as ReadonlyArray<{ content: ReadonlyArray<Record<string, unknown>> }>
            assert.deepStrictEqual(messages[1]?.content[0], {
              type: "thinking",
              thinking: `Look (${way}).`,
              signature: "sig-claude"
            })
            assert.deepInclude(messages[1]?.content[1], { type: "tool_use", input: { city: "Oslo" } })
          }
        })
      }).pipe(Effect.scoped)
  )

  it.live("options of providers: ours steer and fill the payload, OpenAI's are understood, others are warned of", () =>
    over(async ({ east, switchyard, west }) => {
      const { warnings } = await generateText({
        model: switchyard("smart", { tags: ["eu"], overrides: { maxRetries: 1 } }),
        prompt: "Where to?",
        providerOptions: {
          switchyard: { demands: { excludedTags: ["eu"] }, tags: [], logit_bias: { "7": 1 } },
          openai: { reasoningEffort: "low", user: "u-1" },
          google: { safetySettings: [] }
        }
      })
      assert.strictEqual(east.stats().requests, 0)
      assert.deepInclude(lastBody(west), { logit_bias: { "7": 1 }, reasoning_effort: "low", user: "u-1" })
      assert.notProperty(lastBody(west), "demands")
      assert.deepStrictEqual(
        warnings?.map((warning) => (warning.type === "unsupported" ? warning.feature : "")),
        ["providerOptions.google.safetySettings"]
      )
    })
  )

  it.live(
    "errors are APICallErrors with status, headers, whether to try again, and the router's own as the cause",
    () =>
      over(async ({ east, switchyard, west }) => {
        behave(east, { status: 429, headers: { "retry-after": "7" } })
        behave(west, { status: 429, headers: { "retry-after": "7" } })
        const ask = (group: string) => generateText({ model: switchyard(group), prompt: "Where to?", maxRetries: 0 })
        const limited = await rejection(ask("smart"))
        if (!APICallError.isInstance(limited)) throw limited
        assert.deepInclude(limited, { statusCode: 429, isRetryable: true })
        assert.strictEqual(limited.responseHeaders?.["x-switchyard-reason"], "RateLimited")
        assert.isAtLeast(Number(limited.responseHeaders?.["retry-after"]), 7)
        assert.isTrue(isLlmError(limited.cause) && limited.cause.attempts?.length === 2)
        const unknown = await rejection(ask("nobody"))
        assert.isTrue(APICallError.isInstance(unknown) && unknown.statusCode === 404 && !unknown.isRetryable)
      })
  )

  it.live("a refusal of the request is no reason to ask again", () =>
    over(async ({ east, switchyard }) => {
      behave(east, { status: 400, error: { message: "temperature is too high" } })
      const refused = await rejection(generateText({ model: switchyard("smart"), prompt: "Where to?" }))
      assert.isTrue(APICallError.isInstance(refused) && refused.statusCode === 400 && !refused.isRetryable)
      assert.include(String(APICallError.isInstance(refused) && refused.responseBody), "temperature is too high")
      assert.strictEqual(east.stats().requests, 1)
    })
  )

  it.live("a stream that dies in the middle, and nowhere goes on, tells the error and ends with what came", () =>
    over(async ({ east, switchyard, west }) => {
      behave(east, { chunks: 4, cutAfterChunks: 2, reply: "abcdefgh" })
      behave(west, { status: 400 })
      const errors: Array<unknown> = []
      const result = streamText({
        model: switchyard("smart"),
        prompt: "Where to?",
        onError: ({ error }) => void errors.push(error)
      })
      const parts = await collect(result.fullStream)
      assert.deepStrictEqual(
        parts.map(({ type }) => type).filter((type) => type !== "text-delta"),
        ["start", "start-step", "text-start", "error", "text-end", "finish-step", "finish"]
      )
      assert.strictEqual(await result.text, "abcd")
      assert.strictEqual(await result.finishReason, "error")
      const [died] = errors
      assert.isTrue(APICallError.isInstance(died) && died.isRetryable)
      assert.isTrue(
        APICallError.isInstance(died) && isLlmError(died.cause) && died.cause.reason === "StreamInterrupted"
      )
    })
  )

  it.live("a signal, or a reader who leaves, ends the call upstream", () =>
    over(async ({ east, switchyard }) => {
      const aborted = (seq: number) =>
        Effect.runPromise(east.awaitEntry((entry) => entry.seq === seq && entry.end === "clientAborted"))
      const began = (seq: number) => Effect.runPromise(east.awaitEntry((entry) => entry.seq === seq))
      tell(east, { hang: true }, { chunks: 3, stallAfterChunks: 1 }, { chunks: 3, stallAfterChunks: 1 })
      const whole = new AbortController()
      const asked = rejection(
        generateText({ model: switchyard("smart"), prompt: "Where to?", abortSignal: whole.signal })
      )
      await began(1)
      whole.abort()
      assert.strictEqual(((await asked) as Error).name, "AbortError")
      await aborted(1)
      const streamed = new AbortController()
      const result = streamText({ model: switchyard("smart"), prompt: "Where to?", abortSignal: streamed.signal })
      const types: Array<string> = []
      for await (const part of result.fullStream) {
        types.push(part.type)
        if (part.type === "text-delta") streamed.abort()
      }
      assert.include(types, "abort")
      await aborted(2)
      const { stream } = await switchyard("smart").doStream({
        prompt: [{ role: "user", content: [{ type: "text", text: "Where to?" }] }]
      })
      const reader = stream.getReader()
      for (let part = await reader.read(); part.value?.type !== "text-delta"; ) part = await reader.read()
      await reader.cancel()
      await aborted(3)
    })
  )

  it.live(
    "over a runtime or a service of the app's own; what is wrong with options is said at once; closed is closed",
    () =>
      over(async ({ east, switchyard, west }) => {
        const runtime = ManagedRuntime.make(
          Router.layer(options(east, west)).pipe(Layer.provide(Providers.layer), Layer.provide(UndiciTransport.layer))
        )
        const providers = [fromRuntime(runtime), fromService(await runtime.runPromise(LlmService))]
        for (const provider of providers) {
          const { text } = await generateText({ model: provider.languageModel("smart"), prompt: "Where to?" })
          assert.strictEqual(text, "Hello from east")
          await provider.close()
        }
        await runtime.dispose()
        assert.throws(() => createSwitchyard({ deployments: [{ id: "a", group: "g" } as never] }), ConfigError)
        await switchyard.close()
        const closed = await rejection(generateText({ model: switchyard("smart"), prompt: "Where to?", maxRetries: 0 }))
        assert.include(String(closed), "closed")
      })
  )
})
