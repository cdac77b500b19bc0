/**
 * The endpoints of every language over deployments of every other one: whole, streamed, a tool's round trip, a failure, a count.
 * What the upstream got is the witness.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { authorized, holdsNothing, start } from "../support/gateways.js"
import * as FakeApi from "./fakeApi.js"
import { apis, deploymentsOf } from "./providers.js"

type Api = FakeApi.Api

let scope: Scope.CloseableScope
let gateway: Gateway
const fakes = new Map<Api, FakeApi.FakeApi>()

const fake = (api: Api): FakeApi.FakeApi => {
  const found = fakes.get(api)
  if (found === undefined) throw new Error(api)
  return found
}

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    for (const api of apis) {
      fakes.set(
        api,
        yield* FakeApi.make(api, {
          text: `Hello from ${api}`,
          call: (offered, results) =>
            offered.length === 0 || results.length > 0
              ? undefined
              : { name: String(offered[0]?.name), arguments: { place: "Oslo" } }
        })
      )
    }
    gateway = yield* start([], {
      deployments: deploymentsOf([...fakes.values()]),
      retry: { attempts: 2, baseDelay: 1 },
      cooldown: false
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape are looked into
type Json = { readonly [name: string]: any }

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

const ask = (path: string, body: unknown, headers: Readonly<Record<string, string>> = authorized) =>
  Effect.promise(async (): Promise<Got> => {
    const answer = await fetch(gateway.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body)
    })
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() }
  })

const schema = { type: "object", properties: { place: { type: "string" } }, required: ["place"] }

/** A question in a language, with a tool or without; `path` of it, whole and streamed. */
const speeches: Readonly<
  Record<
    Api,
    {
      readonly path: (model: string, stream: boolean) => string
      readonly body: (model: string, stream: boolean, withTool: boolean) => Json
      readonly text: (json: Json) => string
      readonly call: (json: Json) => string | undefined
      /** The same conversation with the tool's result. */
      readonly answered: (body: Json, json: Json) => Json
      readonly streamed: (events: ReadonlyArray<Json>) => string
      readonly ends: (text: string) => boolean
      readonly input: (json: Json) => number
    }
  >
> = {
  chat: {
    path: () => "/v1/chat/completions",
    body: (model, stream, withTool) => ({
      model,
      stream,
      messages: [{ role: "user", content: "Hi" }],
      ...(withTool ? { tools: [{ type: "function", function: { name: "weather", parameters: schema } }] } : {})
    }),
    text: (json) => json.choices[0].message.content,
    call: (json) => json.choices[0].message.tool_calls?.[0].function.arguments,
    answered: (body, json) => ({
      ...body,
      messages: [
        ...body.messages,
        json.choices[0].message,
        { role: "tool", tool_call_id: json.choices[0].message.tool_calls[0].id, content: "rain" }
      ]
    }),
    streamed: (events) => events.map(({ choices }) => choices?.[0]?.delta.content ?? "").join(""),
    ends: (text) => text.endsWith("data: [DONE]\n\n"),
    input: ({ usage }) => usage.prompt_tokens
  },
  responses: {
    path: () => "/v1/responses",
    body: (model, stream, withTool) => ({
      model,
      stream,
      input: "Hi",
      ...(withTool ? { tools: [{ type: "function", name: "weather", parameters: schema, strict: false }] } : {})
    }),
    text: (json) => json.output.find(({ type }: Json) => type === "message")?.content[0].text,
    call: (json) => json.output.find(({ type }: Json) => type === "function_call")?.arguments,
    answered: (body, json) => ({
      ...body,
      input: [
        { role: "user", content: "Hi" },
        ...json.output,
        {
          type: "function_call_output",
          call_id: json.output.find(({ type }: Json) => type === "function_call").call_id,
          output: "rain"
        }
      ]
    }),
    streamed: (events) =>
      events.map(({ delta, type }) => (type === "response.output_text.delta" ? delta : "")).join(""),
    ends: (text) => /event: response\.completed\ndata: [^\n]+\n\n$/.test(text),
    input: ({ usage }) => usage.input_tokens
  },
  messages: {
    path: () => "/v1/messages?beta=true",
    body: (model, stream, withTool) => ({
      model,
      stream,
      max_tokens: 100,
      messages: [{ role: "user", content: "Hi" }],
      ...(withTool ? { tools: [{ name: "weather", input_schema: schema }] } : {})
    }),
    text: (json) => json.content.find(({ type }: Json) => type === "text")?.text,
    call: (json) => {
      const use = json.content.find(({ type }: Json) => type === "tool_use")
      return use === undefined ? undefined : JSON.stringify(use.input)
    },
    answered: (body, json) => ({
      ...body,
      messages: [
        ...body.messages,
        { role: "assistant", content: json.content },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: json.content.find(({ type }: Json) => type === "tool_use").id,
              content: "rain"
            }
          ]
        }
      ]
    }),
    streamed: (events) => events.map(({ delta }) => delta?.text ?? "").join(""),
    ends: (text) => /event: message_stop\ndata: [^\n]+\n\n$/.test(text),
    input: ({ usage }) => usage.input_tokens
  },
  gemini: {
    path: (model, stream) => `/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    body: (_model, _stream, withTool) => ({
      contents: [{ role: "user", parts: [{ text: "Hi" }] }],
      ...(withTool ? { tools: [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: schema }] }] } : {})
    }),
    text: (json) => json.candidates[0].content.parts.map(({ text = "" }: Json) => text).join(""),
    call: (json) => {
      const part = json.candidates[0].content.parts.find(({ functionCall }: Json) => functionCall !== undefined)
      return part === undefined ? undefined : JSON.stringify(part.functionCall.args)
    },
    answered: (body, json) => ({
      ...body,
      contents: [
        ...body.contents,
        json.candidates[0].content,
        {
          role: "user",
          parts: [
            {
              functionResponse: {
                name: "weather",
                ...(json.candidates[0].content.parts.find(({ functionCall }: Json) => functionCall !== undefined)
                  .functionCall.id === undefined
                  ? {}
                  : {
                      id: json.candidates[0].content.parts.find(({ functionCall }: Json) => functionCall !== undefined)
                        .functionCall.id
                    }),
                response: { result: "rain" }
              }
            }
          ]
        }
      ]
    }),
    streamed: (events) => events.map((event) => speeches.gemini.text(event)).join(""),
    ends: (text) => text.endsWith("\n\n") && !text.includes("[DONE]"),
    input: ({ usageMetadata }) => usageMetadata.promptTokenCount
  }
}

const eventsOf = (text: string): ReadonlyArray<Json> =>
  text.split("\n").flatMap((line) => {
    const data = line.startsWith("data: ") ? line.slice(6) : "[DONE]"
    return data === "[DONE]" ? [] : [JSON.parse(data) as Json]
  })

const pairs = apis.flatMap((speech) => apis.map((provider) => ({ speech, provider })))

const lastAsked = (api: Api): FakeApi.Asked => {
  const journal = fake(api).journal()
  const last = journal[journal.length - 1]
  if (last === undefined) throw new Error("nothing was asked")
  return last
}

const good = ({ status, text }: Got): Json => {
  assert.strictEqual(status, 200, text.slice(0, 1000))
  return JSON.parse(text) as Json
}

describe("a caller of $speech over a deployment of $provider", () => {
  it.scopedLive.each(pairs)("is answered whole: $speech over $provider", ({ provider, speech }) =>
    Effect.gen(function* () {
      const { body, input, path, text } = speeches[speech]
      const answer = yield* ask(path(provider, false), body(provider, false, false))
      const json = good(answer)
      assert.strictEqual(text(json), `Hello from ${provider}`)
      assert.strictEqual(input(json), 21)
      assert.strictEqual(answer.headers["x-switchyard-deployment"], `on-${provider}`)
      assert.isString(answer.headers["x-request-id"])
      if (speech === "messages") assert.strictEqual(answer.headers["request-id"], answer.headers["x-request-id"])
      const asked = lastAsked(provider)
      assert.notInclude(JSON.stringify(asked.headers), authorized.authorization.slice(7))
    })
  )

  it.scopedLive.each(pairs)(
    "gets a stream that ends as its language does: $speech over $provider",
    ({ provider, speech }) =>
      Effect.gen(function* () {
        const { body, ends, path, streamed } = speeches[speech]
        const { headers, status, text } = yield* ask(path(provider, true), body(provider, true, false))
        assert.strictEqual(status, 200, text)
        assert.match(String(headers["content-type"]), /^text\/event-stream/)
        assert.strictEqual(streamed(eventsOf(text)), `Hello from ${provider}`)
        assert.isTrue(ends(text), text.slice(-300))
        assert.strictEqual(headers["x-switchyard-deployment"], `on-${provider}`)
      })
  )

  it.scopedLive.each(pairs)(
    "has its tool called, and gives the result: $speech over $provider",
    ({ provider, speech }) =>
      Effect.gen(function* () {
        const { answered, body, call, path, text } = speeches[speech]
        const question = body(provider, false, true)
        const first = good(yield* ask(path(provider, false), question))
        assert.deepStrictEqual(JSON.parse(call(first) ?? "null"), { place: "Oslo" })
        const second = good(yield* ask(path(provider, false), answered(question, first)))
        assert.strictEqual(text(second), `Hello from ${provider}`)
      })
  )

  it.scopedLive.each(pairs)("is told of a refusal in its own words: $speech over $provider", ({ provider, speech }) =>
    Effect.gen(function* () {
      const { body, path } = speeches[speech]
      fake(provider).fail(400)
      const { status, text } = yield* ask(path(provider, true), body(provider, true, false))
      const { error, type } = JSON.parse(text) as Json
      assert.strictEqual(status, 400, text)
      assert.include(error.message, "scripted failure")
      if (speech === "messages") assert.deepStrictEqual([type, error.type], ["error", "invalid_request_error"])
      if (speech === "gemini") assert.deepStrictEqual([error.code, error.status], [400, "INVALID_ARGUMENT"])
    })
  )
})

describe("a count", () => {
  const paths = {
    messages: () => "/v1/messages/count_tokens",
    responses: () => "/v1/responses/input_tokens",
    gemini: (model: string) => `/v1beta/models/${model}:countTokens`
  }
  const counted = (json: Json): number => json.input_tokens ?? json.totalTokens

  it.scopedLive.each(
    (["messages", "responses", "gemini"] as const).flatMap((speech) => apis.map((provider) => ({ speech, provider })))
  )(
    "is the provider's own where it counts, else an estimate that says so: $speech over $provider",
    ({ provider, speech }) =>
      Effect.gen(function* () {
        const { stream: _, max_tokens: _max, ...body } = speeches[speech].body(provider, false, true)
        const answer = yield* ask(paths[speech](provider), body)
        const tokens = counted(good(answer))
        assert.strictEqual(answer.headers["x-switchyard-count"], provider === "chat" ? "estimate" : "provider")
        if (provider === "chat") assert.isAbove(tokens, 10)
        else assert.strictEqual(tokens, 77)
      })
  )

  it.scopedLive("is an estimate where the counter fails, and closes nothing", () =>
    Effect.gen(function* () {
      const body = { model: "messages", messages: [{ role: "user", content: "Hi" }] }
      fake("messages").fail(500)
      const answer = yield* ask("/v1/messages/count_tokens", body)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers["x-switchyard-count"], "estimate")
      const unknown = yield* ask("/v1/messages/count_tokens", { ...body, model: "nobody" })
      assert.strictEqual(unknown.status, 404)
      assert.strictEqual((JSON.parse(unknown.text) as Json).error.type, "not_found_error")
      yield* holdsNothing(gateway)
    })
  )
})

describe("texts to embed", () => {
  const content = (text: string) => ({ parts: [{ text }] })
  const values = [0.5, 0.25, 0.125]

  it.scopedLive.each([{ provider: "gemini" as const }, { provider: "chat" as const }])(
    "of Google's callers, one or many, are embedded by $provider",
    ({ provider }) =>
      Effect.gen(function* () {
        const at = (verb: string) => `/v1beta/models/${provider}:${verb}`
        const single = good(yield* ask(at("embedContent"), { content: content("Hi"), taskType: "RETRIEVAL_QUERY" }))
        assert.deepStrictEqual(single.embedding, { values })
        const requests = ["a", "b"].map((text) => ({ model: `models/${provider}`, content: content(text) }))
        const many = good(yield* ask(at("batchEmbedContents"), { requests }))
        assert.deepStrictEqual(many.embeddings, [{ values }, { values }])
        assert.include(JSON.stringify(lastAsked(provider).body), `${provider}-model`)
      })
  )

  it.scopedLive("of OpenAI's callers are embedded by Gemini", () =>
    Effect.gen(function* () {
      const answer = good(yield* ask("/v1/embeddings", { model: "gemini", input: ["a", "b"] }))
      assert.deepStrictEqual(
        answer.data.map(({ embedding }: Json) => embedding),
        [values, values]
      )
    })
  )
})

describe("a conversation", () => {
  it.scopedLive("is made shorter by a provider of Responses, and by no other", () =>
    Effect.gen(function* () {
      const body = (model: string) => ({ model, input: [{ role: "user", content: "Hi" }] })
      const { output } = good(yield* ask("/v1/responses/compact", body("responses")))
      assert.strictEqual(output[0].encrypted_content, "shorter")
      assert.include(lastAsked("responses").path, "/responses/compact")
      const { status, text } = yield* ask("/v1/responses/compact", body("messages"))
      assert.strictEqual(status, 400, text)
      assert.include(text, "compact")
    })
  )
})

describe("a response that is kept", () => {
  it.scopedLive("is read, cancelled and deleted where it was made, under the id that its caller knows", () =>
    Effect.gen(function* () {
      const { id } = good(yield* ask("/v1/responses", { model: "responses", input: "Hi", store: true }))
      const at = (method: string, part = "") =>
        Effect.promise(async () => {
          const answer = await fetch(`${gateway.url}/v1/responses/${id}${part}`, { method, headers: authorized })
          return { status: answer.status, json: (await answer.json()) as Json }
        })
      assert.deepStrictEqual((yield* at("GET")).json.id, id)
      const before = fake("responses").journal().length
      const cancelled = yield* at("POST", "/cancel")
      assert.deepStrictEqual([cancelled.status, cancelled.json.id], [200, id])
      const asked = fake("responses").journal().slice(before)
      assert.deepStrictEqual(
        asked.map(({ path }) => /\/responses\/resp_\d+\/cancel$/.test(path)),
        [true]
      )
      assert.strictEqual((yield* at("DELETE")).status, 200)
      assert.strictEqual((yield* at("POST", "/cancel")).status, 404)
    })
  )
})

describe("what is meant for Responses and sent to the path of chat", () => {
  it.scopedLive.each(apis.map((provider) => ({ provider })))(
    "is answered as Responses, whole and streamed, by $provider",
    ({ provider }) =>
      Effect.gen(function* () {
        const { body, ends, streamed, text } = speeches.responses
        const json = good(yield* ask("/v1/chat/completions", body(provider, false, false)))
        assert.deepStrictEqual([json.object, text(json)], ["response", `Hello from ${provider}`])
        const stream = yield* ask("/v1/chat/completions", body(provider, true, false))
        assert.strictEqual(streamed(eventsOf(stream.text)), `Hello from ${provider}`)
        assert.isTrue(ends(stream.text), stream.text.slice(-300))
      })
  )
})

describe("a picture too large to be read", () => {
  // Enough for bodies whose long texts stay in their bytes.
  const data = Buffer.alloc(600_000, "switchyard").toString("base64")
  const url = `data:image/png;base64,${data}`
  const asked: Readonly<Record<Api, (model: string) => Json>> = {
    chat: (model) => ({
      model,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "image_url", image_url: { url } }
          ]
        }
      ]
    }),
    responses: (model) => ({
      model,
      input: [{ role: "user", content: [{ type: "input_image", image_url: url }] }]
    }),
    messages: (model) => ({
      model,
      max_tokens: 9,
      messages: [
        { role: "user", content: [{ type: "image", source: { type: "base64", media_type: "image/png", data } }] }
      ]
    }),
    gemini: () => ({ contents: [{ role: "user", parts: [{ inlineData: { mimeType: "image/png", data } }] }] })
  }
  /** As each API has it: with the prefix of a data URL, or without. */
  const expected: Readonly<Record<Api, string>> = { chat: url, responses: url, messages: data, gemini: data }
  for (const caller of apis) {
    for (const api of apis) {
      it.scopedLive(`comes whole from a caller of ${caller} to a provider of ${api}`, () =>
        Effect.gen(function* () {
          good(yield* ask(speeches[caller].path(api, false), asked[caller](api)))
          const sent = JSON.stringify(lastAsked(api).body)
          assert.include(sent, `"${expected[api]}"`)
        })
      )
    }
  }
})
