/**
 * The clients that people use, unchanged, against a gateway on a real socket. The upstream's journal is the witness of what
 * reached it, so that a client that tries again behind the gateway's back is found out.
 */

import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { embed, generateObject, generateText, jsonSchema, streamText, tool } from "ai"
import { Effect, type Scope } from "effect"
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError
} from "openai"
import { holdsNothing, isSound, masterKey, start, upstreamKey } from "../support/gateways.js"

interface Running {
  readonly gateway: Gateway
  readonly upstream: FakeProvider.FakeProvider
}

const against = (use: (running: Running) => Effect.Effect<void, never, Scope.Scope>, settings = {}) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "one" })
    const gateway = yield* start([upstream], { retry: { attempts: 3, baseDelay: 1 }, cooldown: false, ...settings })
    yield* use({ gateway, upstream })
    yield* isSound(gateway)
  })

const user = (content: string) => [{ role: "user" as const, content }]

const openAi = ({ url }: Gateway, apiKey = masterKey) => new OpenAI({ baseURL: `${url}/v1`, apiKey })

const promise = <A>(run: (signal: AbortSignal) => PromiseLike<A>): Effect.Effect<A> => Effect.promise(run)

/** What a promise is rejected with. */
const rejection = (run: () => PromiseLike<unknown>): Effect.Effect<unknown> =>
  Effect.promise(() =>
    Promise.resolve(run()).then(
      (value) => {
        throw new Error(`it succeeded: ${JSON.stringify(value)}`)
      },
      (error: unknown) => error
    )
  )

const weather = {
  name: "weather",
  description: "The weather at a place",
  parameters: {
    type: "object",
    properties: { place: { type: "string" } },
    required: ["place"],
    additionalProperties: false
  }
} as const

const weatherCall = { name: "weather", arguments: '{"place":"Oslo"}' }

const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "number" } },
  required: ["name", "age"],
  additionalProperties: false
} as const

const ada = { name: "Ada", age: 36 }

const bodyOf = (upstream: FakeProvider.FakeProvider): Readonly<Record<string, unknown>> => {
  const entries = upstream.journal()
  const { body } = entries[entries.length - 1] ?? {}
  if (typeof body !== "object" || body === null) throw new Error("the upstream got no JSON body")
  return body as Readonly<Record<string, unknown>>
}

const collect = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for await (const item of items) all.push(item)
  return all
}

describe("openai", () => {
  it.scopedLive("chat: the answer is the deployment's own, and the upstream gets its own model and key", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const answer = yield* promise((signal) =>
          openAi(gateway).chat.completions.create({ model: "smart", messages: user("Hi"), temperature: 0 }, { signal })
        )
        assert.strictEqual(answer.choices[0]?.message.content, "Hello from one")
        assert.strictEqual(answer.model, "one-model")
        assert.match(answer.id, /^chatcmpl-one-/)
        assert.strictEqual(answer.usage?.total_tokens, 1 + 4)
        assert.deepInclude(bodyOf(upstream), { model: "one-model", temperature: 0 })
        assert.strictEqual(upstream.journal()[0]?.headers.authorization, `****${upstreamKey.slice(-4)}`)
      })
    )
  )

  it.scopedLive("a legacy completion, whole and as a stream", () =>
    against(({ gateway }) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        const whole = yield* promise(() => client.completions.create({ model: "smart", prompt: "Hi" }))
        assert.strictEqual(whole.choices[0]?.text, "Hello from one")
        const chunks = yield* promise(async () =>
          collect(await client.completions.create({ model: "smart", prompt: "Hi", stream: true }))
        )
        assert.strictEqual(chunks.map(({ choices }) => choices[0]?.text ?? "").join(""), "Hello from one")
      })
    )
  )

  it.scopedLive("stream: the text comes whole; usage comes when it was asked for, and only then", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        const run = (options: { readonly include_usage: boolean } | undefined) =>
          promise(async () =>
            collect(
              await client.chat.completions.create({
                model: "smart",
                messages: user("Hi"),
                stream: true,
                ...(options === undefined ? {} : { stream_options: options })
              })
            )
          )
        const plain = yield* run(undefined)
        const text = (chunks: typeof plain) => chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")
        assert.strictEqual(text(plain), "Hello from one")
        assert.isTrue(plain.every(({ choices, usage }) => choices.length === 1 && !usage))
        assert.strictEqual(plain[plain.length - 1]?.choices[0]?.finish_reason, "stop")
        const counted = yield* run({ include_usage: true })
        assert.strictEqual(text(counted), "Hello from one")
        const last = counted[counted.length - 1]
        assert.deepStrictEqual(last?.choices, [])
        assert.strictEqual(last?.usage?.completion_tokens, 4)
        // An upstream that reports none: the gateway's own estimate.
        yield* upstream.next({ usage: null })
        const estimated = yield* run({ include_usage: true })
        assert.isAbove(estimated[estimated.length - 1]?.usage?.completion_tokens ?? 0, 0)
      })
    )
  )

  it.scopedLive("tools: a call comes through whole, from an answer and from a stream, and its result goes back", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        const tools = [{ type: "function" as const, function: weather }]
        yield* upstream.next({ toolCalls: [weatherCall] }, { toolCalls: [weatherCall] })
        const answer = yield* promise(() =>
          client.chat.completions.create({ model: "smart", messages: user("Weather?"), tools })
        )
        const message = answer.choices[0]?.message
        const [call] = message?.tool_calls ?? []
        assert.strictEqual(answer.choices[0]?.finish_reason, "tool_calls")
        assert.deepStrictEqual(call?.type === "function" ? call.function : undefined, weatherCall)
        const streamed = yield* promise(() =>
          client.chat.completions.stream({ model: "smart", messages: user("Weather?"), tools }).finalChatCompletion()
        )
        const [again] = streamed.choices[0]?.message.tool_calls ?? []
        assert.deepInclude(again?.type === "function" ? again.function : {}, weatherCall)
        if (message === undefined || call === undefined) throw new Error("no tool call")
        yield* promise(() =>
          client.chat.completions.create({
            model: "smart",
            messages: [...user("Weather?"), message, { role: "tool", tool_call_id: call.id, content: "rain" }],
            tools
          })
        )
        const sent = bodyOf(upstream).messages as ReadonlyArray<{
          readonly role: string
          readonly tool_call_id?: string
        }>
        assert.deepInclude(sent[2], { role: "tool", tool_call_id: call.id })
      })
    )
  )

  it.scopedLive("structured output: the schema goes up as it is, and the answer is parsed", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ reply: JSON.stringify(ada) })
        const response_format = {
          type: "json_schema" as const,
          json_schema: { name: "person", strict: true, schema: person }
        }
        const answer = yield* promise(() =>
          openAi(gateway).chat.completions.parse({ model: "smart", messages: user("Who?"), response_format })
        )
        assert.deepStrictEqual(JSON.parse(answer.choices[0]?.message.content ?? ""), ada)
        assert.deepStrictEqual(bodyOf(upstream).response_format, response_format)
      })
    )
  )

  it.scopedLive("embeddings: the client's own default is base64, and plain floats are the same numbers", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        const standard = yield* promise(() => client.embeddings.create({ model: "smart", input: ["a", "b"] }))
        assert.strictEqual(bodyOf(upstream).encoding_format, "base64")
        const floats = yield* promise(() =>
          client.embeddings.create({ model: "smart", input: ["a", "b"], encoding_format: "float" })
        )
        assert.deepStrictEqual(
          standard.data.map(({ embedding }) => embedding.length),
          [16, 16]
        )
        standard.data.forEach(({ embedding }, index) => {
          assert.deepStrictEqual(embedding, floats.data[index]?.embedding)
        })
      })
    )
  )

  it.scopedLive("models: the list, one by its name, and a typed error for one that is not there", () =>
    against(({ gateway }) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        const list = yield* promise(async () => collect(await client.models.list()))
        assert.deepStrictEqual(
          list.map(({ id }) => id),
          ["smart"]
        )
        assert.strictEqual((yield* promise(() => client.models.retrieve("smart"))).id, "smart")
        assert.instanceOf(yield* rejection(() => client.models.retrieve("none")), NotFoundError)
      })
    )
  )

  const chatWith = (gateway: Gateway, body: object = {}, apiKey = masterKey) =>
    rejection(() => openAi(gateway, apiKey).chat.completions.create({ model: "smart", messages: user("Hi"), ...body }))

  it.scopedLive("errors of the gateway's own are the client's typed ones, and nothing is tried twice", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const unknown = yield* chatWith(gateway, { model: "nobody-has-this" })
        assert.instanceOf(unknown, NotFoundError)
        assert.strictEqual((unknown as NotFoundError).code, "model_not_found")
        const key = yield* chatWith(gateway, {}, "sk-wrong")
        assert.instanceOf(key, AuthenticationError)
        assert.strictEqual((key as AuthenticationError).code, "invalid_api_key")
        const shape = yield* chatWith(gateway, { messages: "Hi" })
        assert.instanceOf(shape, BadRequestError)
        assert.strictEqual((shape as BadRequestError).type, "invalid_request_error")
        assert.strictEqual(upstream.stats().requests, 0)
      })
    )
  )

  interface Fault {
    readonly name: string
    readonly behaviour: FakeProvider.Behaviour
    readonly type: typeof InternalServerError | typeof RateLimitError | typeof BadRequestError
    readonly code: string
    readonly attempts: number
    /** Default: whole answers and streams. */
    readonly streams?: ReadonlyArray<boolean>
  }

  const failed = (name: string, behaviour: FakeProvider.Behaviour, code: string, attempts = 3): Fault => ({
    name,
    behaviour,
    type: InternalServerError,
    code,
    attempts
  })

  const faults: ReadonlyArray<Fault> = [
    // Without a word of when to come back, the client's own patience is added to the gateway's: 3 times 3.
    { ...failed("429", { status: 429 }, "rate_limit_exceeded", 9), type: RateLimitError, streams: [false] },
    failed("503", { status: 503 }, "upstream_unavailable"),
    failed("500", { status: 500 }, "upstream_unavailable"),
    failed("a cut socket", { refuse: true }, "upstream_unavailable"),
    { ...failed("half a JSON", { truncateJson: true }, "upstream_malformed_response"), streams: [false] },
    { ...failed("no content", { cutAfterChunks: 0 }, "upstream_unavailable"), streams: [true] },
    failed("401", { status: 401 }, "upstream_authentication", 1),
    {
      ...failed("400", { status: 400, error: { message: "no such field", code: "bad_field" } }, "bad_field", 1),
      type: BadRequestError
    },
    {
      ...failed("a prompt too long", { status: 400, error: { code: "context_length_exceeded" } }, "", 1),
      type: BadRequestError,
      code: "context_length_exceeded"
    }
  ]

  for (const { attempts, behaviour, code, name, streams = [false, true], type } of faults) {
    for (const stream of streams) {
      const what = `an upstream that answers ${stream ? "a stream" : "a request"} with ${name}`
      it.scopedLive(`${what}: a typed error, and ${attempts} attempt(s) in all`, () =>
        against(({ gateway, upstream }) =>
          Effect.gen(function* () {
            yield* upstream.behave(behaviour)
            const error = yield* chatWith(gateway, { stream })
            assert.instanceOf(error, type)
            assert.strictEqual((error as APIError).code, code)
            assert.strictEqual(upstream.stats().requests, attempts)
            assert.notInclude(JSON.stringify((error as APIError).error), upstreamKey)
            yield* upstream.behave({})
          })
        )
      )
    }
  }

  it.scopedLive("a stream that breaks in the middle throws after its text, and does not end as if it were whole", () =>
    against(
      ({ gateway, upstream }) =>
        Effect.gen(function* () {
          yield* upstream.next({ cutAfterChunks: 3 })
          let text = ""
          const error = yield* rejection(async () => {
            const chunks = await openAi(gateway).chat.completions.create({
              model: "smart",
              messages: user("Hi"),
              stream: true
            })
            for await (const { choices } of chunks) text += choices[0]?.delta.content ?? ""
          })
          assert.instanceOf(error, APIError)
          assert.strictEqual((error as APIError).code, "upstream_stream_interrupted")
          assert.isAbove(text.length, 0)
          assert.isTrue("Hello from one".startsWith(text))
        }),
      { recovery: undefined }
    )
  )

  it.scopedLive("abort: the upstream sees it, before the first byte and in the middle of a stream", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        yield* upstream.next({ hang: true }, { stallAfterChunks: 2 })
        const early = new AbortController()
        const waiting = client.chat.completions
          .create({ model: "smart", messages: user("Hi") }, { signal: early.signal })
          .then(
            () => undefined,
            (error: unknown) => error
          )
        yield* upstream.awaitEntry(({ end, seq }) => seq === 1 && end === undefined)
        early.abort()
        assert.instanceOf(yield* promise(() => waiting), APIUserAbortError)
        yield* upstream.awaitEntry(({ end, seq }) => seq === 1 && end === "clientAborted")
        const stream = yield* promise(() =>
          client.chat.completions.create({ model: "smart", messages: user("Hi"), stream: true })
        )
        yield* promise(async () => {
          for await (const { choices } of stream) if (choices[0]?.delta.content) break
        })
        yield* upstream.awaitEntry(({ end, seq }) => seq === 2 && end === "clientAborted")
        yield* holdsNothing(gateway)
      })
    )
  )
})

describe("ai with @ai-sdk/openai-compatible", () => {
  const provider = ({ url }: Gateway) =>
    createOpenAICompatible({ name: "switchyard", baseURL: `${url}/v1`, apiKey: masterKey, includeUsage: true })

  it.scopedLive("generateText and streamText give the text, the usage and the finish reason", () =>
    against(({ gateway }) =>
      Effect.gen(function* () {
        const model = provider(gateway)("smart")
        const answer = yield* promise(() => generateText({ model, prompt: "Hi" }))
        assert.strictEqual(answer.text, "Hello from one")
        assert.strictEqual(answer.finishReason, "stop")
        assert.strictEqual(answer.usage.outputTokens, 4)
        const stream = streamText({ model, prompt: "Hi" })
        assert.strictEqual((yield* promise(() => collect(stream.textStream))).join(""), "Hello from one")
        assert.strictEqual(yield* promise(() => stream.finishReason), "stop")
        assert.strictEqual((yield* promise(() => stream.usage)).outputTokens, 4)
      })
    )
  )

  it.scopedLive("generateObject: the object that the upstream wrote", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ reply: JSON.stringify(ada) })
        const model = createOpenAICompatible({
          name: "switchyard",
          baseURL: `${gateway.url}/v1`,
          apiKey: masterKey,
          supportsStructuredOutputs: true
        })("smart")
        const { object } = yield* promise(() =>
          generateObject({ model, prompt: "Who?", schema: jsonSchema<typeof ada>(person) })
        )
        assert.deepStrictEqual(object, ada)
        assert.strictEqual((bodyOf(upstream).response_format as { readonly type: string }).type, "json_schema")
      })
    )
  )

  it.scopedLive("a tool is called, and its result goes back for the answer", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ toolCalls: [weatherCall] })
        const asked: Array<string> = []
        const answer = yield* promise(() =>
          generateText({
            model: provider(gateway)("smart"),
            prompt: "Weather?",
            stopWhen: ({ steps }) => steps.length === 2,
            tools: {
              weather: tool({
                description: weather.description,
                inputSchema: jsonSchema<{ readonly place: string }>(weather.parameters),
                execute: async ({ place }) => {
                  asked.push(place)
                  return "rain"
                }
              })
            }
          })
        )
        assert.deepStrictEqual(asked, ["Oslo"])
        assert.strictEqual(answer.text, "Hello from one")
        assert.strictEqual(upstream.stats().requests, 2)
        assert.include(JSON.stringify(bodyOf(upstream).messages), "rain")
      })
    )
  )

  it.scopedLive("embed gives the vector", () =>
    against(({ gateway }) =>
      Effect.gen(function* () {
        const { embedding } = yield* promise(() =>
          embed({ model: provider(gateway).embeddingModel("smart"), value: "a" })
        )
        assert.strictEqual(embedding.length, 16)
        assert.isTrue(embedding.every((value) => typeof value === "number"))
      })
    )
  )

  it.scopedLive("an error is final: the client does not try it again", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.behave({ status: 400, error: { message: "no such field" } })
        const error = yield* rejection(() => generateText({ model: provider(gateway)("smart"), prompt: "Hi" }))
        assert.include(String(error), "no such field")
        assert.strictEqual(upstream.stats().requests, 1)
        yield* upstream.behave({})
      })
    )
  )
})

describe("@langchain/openai", () => {
  const chatModel = ({ url }: Gateway, maxRetries = 6) =>
    new ChatOpenAI({ model: "smart", apiKey: masterKey, maxRetries, configuration: { baseURL: `${url}/v1` } })

  it.scopedLive("invoke and stream give the text and the usage", () =>
    against(({ gateway }) =>
      Effect.gen(function* () {
        const model = chatModel(gateway)
        const answer = yield* promise(() => model.invoke("Hi"))
        assert.strictEqual(answer.content, "Hello from one")
        assert.include(JSON.stringify(answer.usage_metadata), '"output_tokens":4')
        const chunks = yield* promise(async () => collect(await model.stream("Hi")))
        assert.strictEqual(chunks.map(({ content }) => String(content)).join(""), "Hello from one")
        assert.isTrue(
          chunks.some(({ usage_metadata }) => JSON.stringify(usage_metadata)?.includes('"output_tokens":4'))
        )
      })
    )
  )

  it.scopedLive("bindTools: the call comes through, from an answer and from a stream", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        const model = chatModel(gateway).bindTools([{ type: "function", function: weather }])
        yield* upstream.next({ toolCalls: [weatherCall] }, { toolCalls: [weatherCall] })
        const answer = yield* promise(() => model.invoke("Weather?"))
        assert.deepInclude(answer.tool_calls?.[0], { name: "weather", args: { place: "Oslo" } })
        const chunks = yield* promise(async () => collect(await model.stream("Weather?")))
        const whole = chunks.slice(1).reduce((sum, chunk) => sum.concat(chunk), chunks[0] ?? answer)
        assert.deepInclude(whole.tool_calls?.[0], { name: "weather", args: { place: "Oslo" } })
      })
    )
  )

  it.scopedLive("withStructuredOutput: the object that the upstream wrote", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.next({ reply: JSON.stringify(ada) })
        const model = chatModel(gateway).withStructuredOutput<typeof ada>(person, {
          name: "person",
          method: "jsonSchema"
        })
        assert.deepStrictEqual(yield* promise(() => model.invoke("Who?")), ada)
        assert.strictEqual((bodyOf(upstream).response_format as { readonly type: string }).type, "json_schema")
      })
    )
  )

  it.scopedLive("embeddings: one vector for each text", () =>
    against(({ gateway }) =>
      Effect.gen(function* () {
        const embeddings = new OpenAIEmbeddings({
          model: "smart",
          apiKey: masterKey,
          configuration: { baseURL: `${gateway.url}/v1` }
        })
        const vectors = yield* promise(() => embeddings.embedDocuments(["a", "b"]))
        assert.deepStrictEqual(
          vectors.map((vector) => vector.length),
          [16, 16]
        )
      })
    )
  )

  it.scopedLive("an error of the caller's fault is final: the client does not try it again", () =>
    against(({ gateway, upstream }) =>
      Effect.gen(function* () {
        yield* upstream.behave({ status: 400, error: { message: "no such field" } })
        const error = yield* rejection(() => chatModel(gateway).invoke("Hi"))
        assert.include(String(error), "no such field")
        assert.strictEqual(upstream.stats().requests, 1)
        yield* upstream.behave({})
      })
    )
  )
})

describe("before aimock", () => {
  const withMock = (use: (gateway: Gateway, mock: LLMock) => Effect.Effect<void>) =>
    Effect.gen(function* () {
      const mock = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const made = new LLMock({ port: 0 })
          await made.start()
          return made
        }),
        (made) => Effect.promise(() => made.stop())
      )
      mock.onMessage("hello", { content: "Hi there, how are you?" })
      mock.onMessage("weather", { toolCalls: [weatherCall] })
      mock.onMessage("who", { content: JSON.stringify(ada) })
      mock.onEmbedding("a text", { embedding: [0.5, -0.25, 1] })
      const gateway = yield* start([{ name: "mock", url: `${mock.url}/v1` }])
      yield* use(gateway, mock)
      yield* holdsNothing(gateway)
    })

  it.scopedLive("openai: chat, stream with usage, tools, structured output and embeddings", () =>
    withMock((gateway, mock) =>
      Effect.gen(function* () {
        const client = openAi(gateway)
        const answer = yield* promise(() => client.chat.completions.create({ model: "smart", messages: user("hello") }))
        assert.strictEqual(answer.choices[0]?.message.content, "Hi there, how are you?")
        const chunks = yield* promise(async () =>
          collect(
            await client.chat.completions.create({
              model: "smart",
              messages: user("hello"),
              stream: true,
              stream_options: { include_usage: true }
            })
          )
        )
        assert.strictEqual(
          chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""),
          "Hi there, how are you?"
        )
        assert.isAbove(chunks[chunks.length - 1]?.usage?.total_tokens ?? 0, 0)
        const tools = [{ type: "function" as const, function: weather }]
        const called = yield* promise(() =>
          client.chat.completions.stream({ model: "smart", messages: user("weather"), tools }).finalChatCompletion()
        )
        const [call] = called.choices[0]?.message.tool_calls ?? []
        assert.deepInclude(call?.type === "function" ? call.function : {}, weatherCall)
        const parsed = yield* promise(() =>
          client.chat.completions.parse({
            model: "smart",
            messages: user("who"),
            response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema: person } }
          })
        )
        assert.deepStrictEqual(JSON.parse(parsed.choices[0]?.message.content ?? ""), ada)
        // It answers with floats although base64 was asked for; a client that decodes those gets nonsense.
        const vectors = yield* promise(() => client.embeddings.create({ model: "smart", input: "a text" }))
        assert.deepStrictEqual(vectors.data[0]?.embedding, [0.5, -0.25, 1])
        const models = mock.getRequests().map(({ body }) => (body as { readonly model?: string } | null)?.model)
        assert.deepStrictEqual([...new Set(models)], ["mock-model"])
      })
    )
  )

  it.scopedLive("an error that it was told to give is tried again by the gateway, so that the client sees none", () =>
    withMock((gateway, mock) =>
      Effect.gen(function* () {
        mock.nextRequestError(503, { message: "busy" })
        const answer = yield* promise(() =>
          openAi(gateway).chat.completions.create({ model: "smart", messages: user("hello") })
        )
        assert.strictEqual(answer.choices[0]?.message.content, "Hi there, how are you?")
        assert.strictEqual(mock.getRequests().length, 2)
      })
    )
  )

  it.scopedLive("ai and @langchain/openai: text, stream and tools", () =>
    withMock((gateway) =>
      Effect.gen(function* () {
        const provider = createOpenAICompatible({ name: "x", baseURL: `${gateway.url}/v1`, apiKey: masterKey })
        const text = yield* promise(() => generateText({ model: provider("smart"), prompt: "hello" }))
        assert.strictEqual(text.text, "Hi there, how are you?")
        const stream = streamText({ model: provider("smart"), prompt: "hello" })
        assert.strictEqual((yield* promise(() => collect(stream.textStream))).join(""), "Hi there, how are you?")
        const { embedding } = yield* promise(() => embed({ model: provider.embeddingModel("smart"), value: "a text" }))
        assert.deepStrictEqual(embedding, [0.5, -0.25, 1])
        const model = new ChatOpenAI({
          model: "smart",
          apiKey: masterKey,
          configuration: { baseURL: `${gateway.url}/v1` }
        })
        assert.strictEqual((yield* promise(() => model.invoke("hello"))).content, "Hi there, how are you?")
        const bound = model.bindTools([{ type: "function", function: weather }])
        const answer = yield* promise(() => bound.invoke("weather"))
        assert.deepInclude(answer.tool_calls?.[0], { name: "weather", args: { place: "Oslo" } })
      })
    )
  )
})
