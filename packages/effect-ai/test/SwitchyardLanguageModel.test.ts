/**
 * @effect/ai's own functions over a router over loopback upstreams, which check what they get.
 */
import * as AiError from "@effect/ai/AiError"
import * as Chat from "@effect/ai/Chat"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as SwitchyardError from "@switchyard/effect-ai/SwitchyardError"
import * as SwitchyardLanguageModel from "@switchyard/effect-ai/SwitchyardLanguageModel"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as SpokenProvider from "@switchyard/testing/SpokenProvider"
import { Effect, Fiber, Layer, Option, Schema, Stream } from "effect"
import { at, lastBody, router } from "./support.js"

const upstreams = Effect.all({
  east: FakeProvider.make({ name: "east" }),
  west: FakeProvider.make({ name: "west" })
})

/** A program over two upstreams, asked in this order. */
const over = <A, E>(
  use: (
    east: FakeProvider.FakeProvider,
    west: FakeProvider.FakeProvider
  ) => Effect.Effect<A, E, LanguageModel.LanguageModel>,
  options: Partial<SwitchyardLanguageModel.Options> = {}
) =>
  Effect.flatMap(upstreams, ({ east, west }) => {
    const Smart = SwitchyardLanguageModel.layer({ model: "smart", ...options })
    const Live = router({
      deployments: [
        { ...at(east), order: 1, tags: ["eu"] },
        { ...at(west), order: 2 }
      ],
      retry: { attempts: 2, baseDelay: "1 millis" }
    })
    return Effect.provide(use(east, west), Layer.provide(Smart, Live))
  }).pipe(Effect.scoped)

const noteOf = (metadata: Response.ProviderMetadata) => metadata.switchyard as Record<string, unknown>

const finishOf = (parts: ReadonlyArray<Response.AnyPart>) => parts.find((part) => part.type === "finish")

const Weather = Tool.make("weather", {
  description: "The weather of a city",
  parameters: { city: Schema.String },
  success: Schema.Struct({ celsius: Schema.Number })
})
const toolkit = Toolkit.make(Weather)
const handlers = toolkit.toLayer({ weather: ({ city }) => Effect.succeed({ celsius: city.length }) })

describe("LanguageModel over a router", () => {
  it.live("texts: the prompt goes as it was given, and what the answer used and who gave it come with it", () =>
    over(
      (east) =>
        Effect.gen(function* () {
          yield* east.next({ reply: "North.", usage: { prompt_tokens: 30, completion_tokens: 5, cached_tokens: 10 } })
          const answer = yield* LanguageModel.generateText({
            prompt: [
              { role: "system", content: "Be brief." },
              {
                role: "user",
                content: [
                  { type: "text", text: "Where to?" },
                  { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2, 3]) },
                  { type: "file", mediaType: "image/png", data: new URL("https://pictures.example/a.png") },
                  { type: "file", mediaType: "application/pdf", fileName: "map.pdf", data: "QUJD" },
                  { type: "file", mediaType: "text/plain", fileName: "note.txt", data: "aGVsbG8=" }
                ]
              }
            ]
          })
          assert.strictEqual(answer.text, "North.")
          assert.strictEqual(answer.finishReason, "stop")
          assert.deepStrictEqual(
            { ...answer.usage },
            { inputTokens: 30, outputTokens: 5, totalTokens: 35, reasoningTokens: 0, cachedInputTokens: 10 }
          )
          const { cost, deployment, group, provider } = noteOf(finishOf(answer.content)?.metadata ?? {})
          assert.deepStrictEqual([deployment, group, provider, cost], ["east", "smart", "openai", 0.00004])
          const { messages, temperature } = lastBody(east)
          assert.strictEqual(temperature, 0)
          assert.deepStrictEqual(messages, [
            { role: "system", content: "Be brief." },
            {
              role: "user",
              content: [
                { type: "text", text: "Where to?" },
                { type: "image_url", image_url: { url: "data:image/png;base64,AQID" } },
                { type: "image_url", image_url: { url: "https://pictures.example/a.png" } },
                { type: "file", file: { filename: "map.pdf", file_data: "data:application/pdf;base64,QUJD" } },
                { type: "text", text: "note.txt:\nhello" }
              ]
            }
          ])
        }),
      { body: { temperature: 0 } }
    )
  )

  it.live("an upstream that fails is passed over, and the answer says so", () =>
    over((east, west) =>
      Effect.gen(function* () {
        yield* east.behave({ status: 503 })
        const answer = yield* LanguageModel.generateText({ prompt: "Where to?" })
        assert.strictEqual(answer.text, "Hello from west")
        const { attempts, deployment } = noteOf(finishOf(answer.content)?.metadata ?? {})
        assert.strictEqual(deployment, "west")
        assert.deepStrictEqual(
          (attempts as ReadonlyArray<{ deployment: string; outcome: string }>).map((one) => [
            one.deployment,
            one.outcome
          ]),
          [
            ["east", "failed"],
            ["west", "completed"]
          ]
        )
        assert.strictEqual(west.stats().answered, 1)
      })
    )
  )

  it.live(
    "objects: the schema is asked for, strictly where it keeps the rules of that, and the answer is decoded",
    () =>
      over((east) =>
        Effect.gen(function* () {
          yield* east.next({ reply: '{"city":"Oslo","days":3}' })
          const City = Schema.Struct({ city: Schema.String, days: Schema.NumberFromString.pipe(Schema.encodedSchema) })
          const wrong = yield* Effect.flip(
            LanguageModel.generateObject({ prompt: "A trip", objectName: "trip", schema: City })
          )
          assert.strictEqual(wrong._tag, "MalformedOutput")
          yield* east.next({ reply: '{"city":"Oslo","days":3}' })
          const answer = yield* LanguageModel.generateObject({
            prompt: "A trip",
            objectName: "a trip",
            schema: Schema.Struct({ city: Schema.String, days: Schema.Int })
          })
          assert.deepStrictEqual(answer.value, { city: "Oslo", days: 3 })
          const format = lastBody(east).response_format as { type: string; json_schema: Record<string, unknown> }
          assert.strictEqual(format.type, "json_schema")
          assert.strictEqual(format.json_schema.name, "a_trip")
          assert.strictEqual(format.json_schema.strict, true)
          assert.deepInclude(format.json_schema.schema, { type: "object", required: ["city", "days"] })
          yield* east.next({ reply: "{}" })
          yield* LanguageModel.generateObject({
            prompt: "A trip",
            schema: Schema.Struct({ city: Schema.optional(Schema.String) })
          })
          const loose = lastBody(east).response_format as { json_schema: Record<string, unknown> }
          assert.notProperty(loose.json_schema, "strict")
        })
      )
  )

  it.live("streams: texts and thoughts begin, grow and end, and the finish knows usage and cost", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* east.next({
          reply: "North",
          chunks: 2,
          reasoning: "Hm",
          usage: { prompt_tokens: 3, completion_tokens: 4 }
        })
        const parts = Array.from(yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Where to?" })))
        const types = parts.map((part) => part.type)
        assert.deepStrictEqual(types, [
          "response-metadata",
          "reasoning-start",
          "reasoning-delta",
          "reasoning-delta",
          "reasoning-end",
          "text-start",
          "text-delta",
          "text-delta",
          "text-end",
          "finish"
        ])
        assert.strictEqual(parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join(""), "North")
        const finish = finishOf(parts)
        assert.deepInclude({ ...finish?.usage }, { inputTokens: 3, outputTokens: 4 })
        assert.strictEqual(noteOf(finish?.metadata ?? {}).cost, 0.000011)
        assert.strictEqual(lastBody(east).stream, true)
      })
    )
  )

  it.live("a stream that fails before its first word is answered by the next upstream", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* east.behave({ cutAfterChunks: 0 })
        const parts = Array.from(yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Where to?" })))
        assert.strictEqual(
          parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join(""),
          "Hello from west"
        )
        assert.strictEqual(noteOf(finishOf(parts)?.metadata ?? {}).deployment, "west")
      })
    )
  )

  it.live("a stream that dies in the middle, and nowhere goes on, fails with what it died of and every attempt", () =>
    over((east, west) =>
      Effect.gen(function* () {
        yield* east.behave({ chunks: 4, cutAfterChunks: 2 })
        yield* west.behave({ status: 500 })
        const error = yield* Effect.flip(Stream.runDrain(LanguageModel.streamText({ prompt: "Where to?" })))
        assert.strictEqual(error._tag, "HttpRequestError")
        const origin = Option.getOrThrow(SwitchyardError.of(error))
        assert.strictEqual(origin.reason, "StreamInterrupted")
        assert.strictEqual(origin.attempts?.[0]?.deployment, "east")
      })
    )
  )

  it.live("a chat with a toolkit: calls at once, their results go back, and the answer follows", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* east.next({
          toolCalls: [
            { name: "weather", arguments: '{"city":"Oslo"}' },
            { name: "weather", arguments: '{"city":"Bergen"}' }
          ]
        })
        const chat = yield* Chat.empty
        const first = yield* chat.generateText({ prompt: "How warm?", toolkit })
        assert.strictEqual(first.finishReason, "tool-calls")
        assert.deepStrictEqual(
          first.toolResults.map(({ result }) => result),
          [{ celsius: 4 }, { celsius: 6 }]
        )
        const asked = lastBody(east)
        assert.strictEqual(asked.tool_choice, "auto")
        assert.deepInclude((asked.tools as ReadonlyArray<{ function: object }>)[0]?.function, {
          name: "weather",
          description: "The weather of a city"
        })
        yield* east.next({ reply: "4 and 6." })
        const second = yield* chat.generateText({ prompt: [], toolkit, toolChoice: "none" })
        assert.strictEqual(second.text, "4 and 6.")
        const { messages, tool_choice } = lastBody(east)
        assert.strictEqual(tool_choice, "none")
        const [user, assistant, ...results] = messages as ReadonlyArray<Record<string, unknown>>
        assert.deepStrictEqual(user, { role: "user", content: "How warm?" })
        const calls = assistant?.tool_calls as ReadonlyArray<{ id: string; function: unknown }>
        assert.deepStrictEqual(
          calls.map((call) => call.function),
          [
            { name: "weather", arguments: '{"city":"Oslo"}' },
            { name: "weather", arguments: '{"city":"Bergen"}' }
          ]
        )
        assert.deepStrictEqual(results, [
          { role: "tool", tool_call_id: calls[0]?.id, content: '{"celsius":4}' },
          { role: "tool", tool_call_id: calls[1]?.id, content: '{"celsius":6}' }
        ])
      }).pipe(Effect.provide(handlers))
    )
  )

  it.live("tools in a stream: parameters as they come, the call, its result; one tool is forced by its name", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* east.next({ chunks: 3, toolCalls: [{ name: "weather", arguments: '{"city":"Oslo"}' }] })
        const parts = Array.from(
          yield* Stream.runCollect(
            LanguageModel.streamText({ prompt: "How warm?", toolkit, toolChoice: { tool: "weather" } })
          )
        )
        const params = parts.map((part) => (part.type === "tool-params-delta" ? part.delta : "")).join("")
        assert.strictEqual(params, '{"city":"Oslo"}')
        assert.includeMembers(
          parts.map((part) => part.type),
          ["tool-params-start", "tool-params-end", "tool-call", "tool-result", "finish"]
        )
        const result = parts.find((part) => part.type === "tool-result")
        assert.deepStrictEqual(result?.result, { celsius: 4 })
        assert.deepStrictEqual(lastBody(east).tool_choice, { type: "function", function: { name: "weather" } })
      }).pipe(Effect.provide(handlers))
    )
  )

  it.live("arguments that are no JSON are an error that shows them", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* east.next({ toolCalls: [{ name: "weather", arguments: '{"city":' }] })
        const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "How warm?", toolkit }))
        assert.isTrue(AiError.isAiError(error) && error._tag === "MalformedOutput")
        assert.include(String((error as AiError.MalformedOutput).description), '{"city":')
      }).pipe(Effect.provide(handlers))
    )
  )

  it.live("signed thoughts come back with the turn, though Chat keeps only their words", () =>
    Effect.gen(function* () {
      const claude = yield* SpokenProvider.make({ name: "claude", dialect: "messages" })
      const Live = router({
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
      yield* Effect.gen(function* () {
        for (const way of ["whole", "stream"] as const) {
          const chat = yield* Chat.empty
          claude.next({
            reasoning: `Look it up (${way}).`,
            toolCalls: [{ name: "weather", arguments: { city: "Oslo" } }]
          })
          const asked = { prompt: "How warm?", toolkit }
          if (way === "whole") {
            const first = yield* chat.generateText(asked)
            assert.strictEqual(first.reasoningText, "Look it up (whole).")
          } else yield* Stream.runDrain(chat.streamText(asked))
          const second = yield* chat.generateText({ prompt: [], toolkit })
          assert.strictEqual(second.text, "Hello from claude")
          const requests = claude.requests()
          const messages = requests[requests.length - 1]?.body.messages as ReadonlyArray<{
            content: ReadonlyArray<Record<string, unknown>>
          }>
          const [thinking, use] = messages[1]?.content ?? []
          assert.deepStrictEqual(thinking, {
            type: "thinking",
            thinking: `Look it up (${way}).`,
            signature: "sig-claude"
          })
          assert.deepInclude(use, { type: "tool_use", name: "weather", input: { city: "Oslo" } })
        }
      }).pipe(
        Effect.provide(handlers),
        Effect.provide(SwitchyardLanguageModel.layer({ model: "smart", body: { reasoning_effort: "low" } })),
        Effect.provide(Live)
      )
    }).pipe(Effect.scoped)
  )

  it.live("failures keep their status, when to come again, their reason and all attempts", () =>
    over((east, west) =>
      Effect.gen(function* () {
        const limited = { status: 429, headers: { "retry-after": "7" } }
        yield* east.behave(limited)
        yield* west.behave(limited)
        const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "Where to?" }))
        assert.strictEqual(error._tag, "HttpResponseError")
        if (error._tag !== "HttpResponseError") return
        assert.strictEqual(error.response.status, 429)
        const { reason, retryAfter = 0 } = Option.getOrThrow(SwitchyardError.of(error))
        assert.strictEqual(reason, "RateLimited")
        assert.isAbove(retryAfter, 0)
        assert.deepInclude(error.response.headers, {
          "retry-after": String(Math.ceil(retryAfter / 1000)),
          "x-switchyard-reason": "RateLimited"
        })
        assert.strictEqual(Option.getOrThrow(SwitchyardError.of(error)).attempts?.length, 2)
      })
    )
  )

  it.live(
    "a group that nobody knows, an answer that is none and an upstream that is not there: each its own error",
    () =>
      Effect.gen(function* () {
        const east = yield* FakeProvider.make({ name: "east" })
        const Live = router({
          deployments: [at(east), at(east, "broken")].map((one, n) => ({ ...one, id: `d${n}` })),
          retry: false
        })
        const ask = (model: string) =>
          LanguageModel.generateText({ prompt: "Where to?" }).pipe(
            Effect.provide(SwitchyardLanguageModel.layer({ model })),
            Effect.flip
          )
        yield* Effect.gen(function* () {
          const unknown = yield* ask("nobody")
          assert.deepInclude(unknown, { _tag: "HttpResponseError" })
          assert.strictEqual(unknown._tag === "HttpResponseError" && unknown.response.status, 404)
          yield* east.next({ truncateJson: true })
          assert.strictEqual((yield* ask("broken"))._tag, "MalformedOutput")
          yield* east.kill
          const gone = yield* ask("smart")
          assert.strictEqual(gone._tag, "HttpRequestError")
        }).pipe(Effect.provide(Live))
      }).pipe(Effect.scoped)
  )

  it.live("who leaves ends the call upstream, whole or streamed", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* east.next({ hang: true })
        const whole = yield* Effect.fork(LanguageModel.generateText({ prompt: "Where to?" }))
        yield* east.awaitEntry((entry) => entry.seq === 1)
        yield* Fiber.interrupt(whole)
        yield* east.awaitEntry((entry) => entry.seq === 1 && entry.end === "clientAborted")
        yield* east.next({ chunks: 3, stallAfterChunks: 1 })
        yield* Stream.runDrain(
          Stream.takeUntil(LanguageModel.streamText({ prompt: "Where to?" }), (part) => part.type === "text-delta")
        )
        yield* east.awaitEntry((entry) => entry.seq === 2 && entry.end === "clientAborted")
      })
    )
  )

  it.live("a part of a program brings tags, a session and fields of its own", () =>
    over(
      (east, west) =>
        Effect.gen(function* () {
          const ask = LanguageModel.generateText({ prompt: "Where to?" })
          yield* ask.pipe(
            SwitchyardLanguageModel.withRouting({ demands: { excludedTags: ["eu"] }, body: { seed: 7 } }),
            SwitchyardLanguageModel.withRouting({ body: { seed: 8, top_p: 0.5 } })
          )
          assert.strictEqual(east.stats().requests, 0)
          assert.deepInclude(lastBody(west), { temperature: 0.2, seed: 7, top_p: 0.5 })
          yield* ask
          assert.notProperty(lastBody(east), "seed")
        }),
      { body: { temperature: 0.2 } }
    )
  )

  it.live("marks of the cache and states that an app kept go along", () =>
    over((east) =>
      Effect.gen(function* () {
        yield* LanguageModel.generateText({
          prompt: Prompt.make([
            { role: "system", content: "Long.", options: { anthropic: { cacheControl: { type: "ephemeral" } } } },
            { role: "user", content: [{ type: "text", text: "Hi" }] },
            {
              role: "assistant",
              content: [
                {
                  type: "reasoning",
                  text: "Hm",
                  options: {
                    switchyard: { state: { reasoning_details: [{ type: "reasoning.encrypted", data: "x" }] } }
                  }
                },
                { type: "text", text: "Yes?" }
              ]
            },
            { role: "user", content: [{ type: "text", text: "Go on" }] }
          ])
        })
        assert.deepStrictEqual(lastBody(east).messages, [
          {
            role: "system",
            content: [{ type: "text", text: "Long.", cache_control: { type: "ephemeral" } }]
          },
          { role: "user", content: "Hi" },
          {
            role: "assistant",
            content: "Yes?",
            reasoning_content: "Hm",
            reasoning_details: [{ type: "reasoning.encrypted", data: "x" }]
          },
          { role: "user", content: "Go on" }
        ])
      })
    )
  )
})
