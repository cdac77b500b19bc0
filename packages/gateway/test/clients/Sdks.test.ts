/**
 * The clients that people use, unchanged, each in its own language, over providers of every API: a text, a stream, a tool's round
 * trip. What the provider refuses of a broken round trip, its fake refuses too.
 */
import { createAnthropic } from "@ai-sdk/anthropic"
import { createAzure } from "@ai-sdk/azure"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import type { Gateway } from "@switchyard/gateway/Gateway"
import { generateText, jsonSchema, type LanguageModel, stepCountIs, streamText, tool } from "ai"
import { Effect, Exit, Scope } from "effect"
import OpenAI, { AzureOpenAI } from "openai"
import { afterAll, beforeAll } from "vitest"
import { holdsNothing, masterKey, start } from "../support/gateways.js"
import * as FakeApi from "./fakeApi.js"
import { apis, deploymentsOf } from "./providers.js"

let scope: Scope.CloseableScope
let gateway: Gateway
const fakes = new Map<FakeApi.Api, FakeApi.FakeApi>()

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    for (const api of apis) {
      const call: FakeApi.Script["call"] = (offered, results) =>
        offered.length === 0 || results.length > 0
          ? undefined
          : { name: String(offered[0]?.name), arguments: { place: "Oslo" } }
      fakes.set(api, yield* FakeApi.make(api, { text: `Hello from ${api}`, call }))
    }
    gateway = yield* start([], {
      deployments: deploymentsOf([...fakes.values()]),
      retry: { attempts: 3, baseDelay: 1 },
      cooldown: false
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const schema = {
  type: "object" as const,
  properties: { place: { type: "string" as const } },
  required: ["place"],
  additionalProperties: false
}

const promise = <A>(run: () => PromiseLike<A>): Effect.Effect<A> => Effect.promise(run)

/** What a tool was called with. */
const called: Array<unknown> = []
const weather = async (place: unknown): Promise<string> => {
  called.push(place)
  return "rain"
}

interface Client {
  readonly text: (model: string) => Promise<string>
  readonly stream: (model: string) => Promise<string>
  readonly task: (model: string) => Promise<string>
}

const openAi = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: masterKey, maxRetries: 0 })
const azure = (deployment: string) =>
  new AzureOpenAI({ endpoint: gateway.url, apiKey: masterKey, apiVersion: "2024-10-21", deployment, maxRetries: 0 })
const anthropic = () => new Anthropic({ baseURL: gateway.url, apiKey: masterKey, maxRetries: 0 })
const google = () => new GoogleGenAI({ apiKey: masterKey, httpOptions: { baseUrl: gateway.url } })

const user = [{ role: "user" as const, content: "Hi" }]

const chatOf = (client: (model: string) => OpenAI): Client => ({
  text: async (model) =>
    (await client(model).chat.completions.create({ model, messages: user })).choices[0]?.message.content ?? "",
  stream: async (model) => {
    const completion = await client(model).chat.completions.stream({ model, messages: user }).finalChatCompletion()
    return completion.choices[0]?.message.content ?? ""
  },
  task: async (model) =>
    (await client(model)
      .chat.completions.runTools({
        model,
        messages: user,
        tools: [
          {
            type: "function",
            function: {
              name: "weather",
              description: "The weather at a place",
              parameters: schema,
              parse: JSON.parse,
              function: ({ place }: { readonly place: string }) => weather(place)
            }
          }
        ]
      })
      .finalContent()) ?? ""
})

const responsesClient: Client = {
  text: async (model) => (await openAi().responses.create({ model, input: "Hi" })).output_text,
  stream: async (model) => (await openAi().responses.stream({ model, input: "Hi" }).finalResponse()).output_text,
  task: async (model) => {
    const tools = [{ type: "function" as const, name: "weather", parameters: schema, strict: true }]
    const first = await openAi().responses.create({ model, input: "Hi", tools, store: false })
    const results = await Promise.all(
      first.output
        .filter((item) => item.type === "function_call")
        .map(async (item) => ({
          type: "function_call_output" as const,
          call_id: item.call_id,
          output: await weather((JSON.parse(item.arguments) as { readonly place: string }).place)
        }))
    )
    const second = await openAi()
      .responses.stream({
        model,
        input: [{ role: "user", content: "Hi" }, ...(first.output as Array<never>), ...results],
        tools,
        store: false
      })
      .finalResponse()
    return second.output_text
  }
}

const words = (content: ReadonlyArray<Anthropic.ContentBlock>): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("")

const anthropicClient: Client = {
  text: async (model) => words((await anthropic().messages.create({ model, max_tokens: 100, messages: user })).content),
  stream: async (model) =>
    words((await anthropic().messages.stream({ model, max_tokens: 100, messages: user }).finalMessage()).content),
  task: async (model) => {
    const tools = [{ name: "weather", input_schema: schema }]
    const first = await anthropic().messages.stream({ model, max_tokens: 100, messages: user, tools }).finalMessage()
    const results = await Promise.all(
      first.content
        .filter((block) => block.type === "tool_use")
        .map(async (block) => ({
          type: "tool_result" as const,
          tool_use_id: block.id,
          content: await weather((block.input as { readonly place: string }).place)
        }))
    )
    const messages = [
      ...user,
      { role: "assistant" as const, content: first.content },
      { role: "user" as const, content: results }
    ]
    return words((await anthropic().messages.create({ model, max_tokens: 100, messages, tools })).content)
  }
}

const googleClient: Client = {
  text: async (model) => (await google().models.generateContent({ model, contents: "Hi" })).text ?? "",
  stream: async (model) => {
    let text = ""
    for await (const chunk of await google().models.generateContentStream({ model, contents: "Hi" })) {
      text += chunk.text ?? ""
    }
    return text
  },
  task: async (model) => {
    const chat = google().chats.create({
      model,
      config: { tools: [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: schema }] }] }
    })
    const first = await chat.sendMessage({ message: "Hi" })
    const parts = await Promise.all(
      (first.functionCalls ?? []).map(async ({ args, id, name }) => ({
        functionResponse: {
          ...(id === undefined ? {} : { id }),
          name: name ?? "",
          response: { result: await weather(args?.place) }
        }
      }))
    )
    return (await chat.sendMessage({ message: parts })).text ?? ""
  }
}

const aiClient = (of: (model: string) => LanguageModel): Client => ({
  text: async (model) => (await generateText({ model: of(model), prompt: "Hi", maxRetries: 0 })).text,
  stream: async (model) => streamText({ model: of(model), prompt: "Hi", maxRetries: 0 }).text,
  task: async (model) => {
    const run = streamText({
      model: of(model),
      prompt: "Hi",
      maxRetries: 0,
      stopWhen: stepCountIs(3),
      tools: {
        weather: tool({
          inputSchema: jsonSchema<{ place: string }>(schema),
          execute: async ({ place }: { readonly place: string }) => weather(place)
        })
      }
    })
    return run.text
  }
})

const aiOpenAi = () => createOpenAI({ baseURL: `${gateway.url}/v1`, apiKey: masterKey })

const clients: Readonly<Record<string, Client>> = {
  "openai, chat": chatOf(openAi),
  "openai, Azure": chatOf(azure),
  "openai, Responses": responsesClient,
  "@anthropic-ai/sdk": anthropicClient,
  "@google/genai": googleClient,
  "@ai-sdk/openai": aiClient((model) => aiOpenAi()(model)),
  "@ai-sdk/openai, chat": aiClient((model) => aiOpenAi().chat(model)),
  "@ai-sdk/anthropic": aiClient((model) => createAnthropic({ baseURL: `${gateway.url}/v1`, apiKey: masterKey })(model)),
  "@ai-sdk/google": aiClient((model) =>
    createGoogleGenerativeAI({ baseURL: `${gateway.url}/v1beta`, apiKey: masterKey })(model)
  ),
  "@ai-sdk/azure": aiClient((model) => createAzure({ baseURL: `${gateway.url}/openai`, apiKey: masterKey })(model))
}

const pairs = Object.keys(clients).flatMap((name) => apis.map((provider) => ({ name, provider })))

const clientOf = (name: string): Client => {
  const client = clients[name]
  if (client === undefined) throw new Error(name)
  return client
}

describe("a client", () => {
  it.scopedLive.each(pairs)("reads a text, whole and streamed: $name over $provider", ({ name, provider }) =>
    Effect.gen(function* () {
      const { stream, text } = clientOf(name)
      assert.strictEqual(yield* promise(() => text(provider)), `Hello from ${provider}`)
      assert.strictEqual(yield* promise(() => stream(provider)), `Hello from ${provider}`)
    })
  )

  it.scopedLive.each(pairs)("has its tool called, and ends its task: $name over $provider", ({ name, provider }) =>
    Effect.gen(function* () {
      called.length = 0
      assert.strictEqual(yield* promise(() => clientOf(name).task(provider)), `Hello from ${provider}`)
      assert.deepStrictEqual(called, ["Oslo"])
    })
  )
})

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

describe("an error", () => {
  it.scopedLive("has the class that a client's users catch", () =>
    Effect.gen(function* () {
      const wrong = new Anthropic({ baseURL: gateway.url, apiKey: "sk-wrong", maxRetries: 0 })
      const ask = (client: Anthropic, model: string) => () =>
        client.messages.create({ model, max_tokens: 9, messages: user })
      const refused = yield* rejection(ask(wrong, "chat"))
      assert.instanceOf(refused, Anthropic.AuthenticationError)
      const unknown = yield* rejection(ask(anthropic(), "nobody"))
      assert.instanceOf(unknown, Anthropic.NotFoundError)
      if (unknown instanceof Anthropic.NotFoundError) assert.isString(unknown.requestID)
      const stranger = new GoogleGenAI({ apiKey: "wrong", httpOptions: { baseUrl: gateway.url } })
      const google401 = yield* rejection(() => stranger.models.generateContent({ model: "chat", contents: "Hi" }))
      assert.deepInclude(google401, { status: 401 })
      const missing = yield* rejection(() => openAi().responses.create({ model: "nobody", input: "Hi" }))
      assert.instanceOf(missing, OpenAI.NotFoundError)
    })
  )

  it.scopedLive("that passes is tried again by the gateway, and its client never hears of it", () =>
    Effect.gen(function* () {
      const patient = new Anthropic({ baseURL: gateway.url, apiKey: masterKey, maxRetries: 0 })
      fakes.get("messages")?.fail(529, 529)
      const message = yield* promise(() =>
        patient.messages.create({ model: "messages", max_tokens: 9, messages: user })
      )
      assert.strictEqual(words(message.content), "Hello from messages")
    })
  )
})

describe("beside answers", () => {
  it.scopedLive("clients count tokens, list models, and read and delete what a provider keeps", () =>
    Effect.gen(function* () {
      const count = yield* promise(() => anthropic().messages.countTokens({ model: "messages", messages: user }))
      assert.strictEqual(count.input_tokens, 77)
      const counted = yield* promise(() => google().models.countTokens({ model: "gemini", contents: "Hi" }))
      assert.strictEqual(counted.totalTokens, 77)
      const models = yield* promise(async () => (await anthropic().models.list()).data.map(({ id }) => id))
      assert.includeMembers(models, [...apis])
      const listed = yield* promise(async () => {
        const names: Array<string | undefined> = []
        for await (const { name } of await google().models.list()) names.push(name)
        return names
      })
      assert.include(listed, "models/gemini")
      const made = yield* promise(() => openAi().responses.create({ model: "responses", input: "Hi" }))
      const kept = yield* promise(() => openAi().responses.retrieve(made.id))
      assert.strictEqual(kept.output_text, "Hello from responses")
      const items = yield* promise(() => openAi().responses.inputItems.list(made.id))
      assert.isEmpty(items.data)
      yield* promise(() => openAi().responses.delete(made.id))
      assert.instanceOf(yield* rejection(() => openAi().responses.retrieve(made.id)), OpenAI.NotFoundError)
      assert.instanceOf(yield* rejection(() => openAi().responses.retrieve("resp_x")), OpenAI.NotFoundError)
      yield* holdsNothing(gateway)
    })
  )
})
