/**
 * Refusals, lists of models and the first words of coding agents, each in the language of the client that asks.
 */
import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import { answerError, answerRefusal } from "@switchyard/gateway/ErrorBody"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { authorized, deploymentOf, masterKey, start } from "../support/gateways.js"
import { connectTo, head } from "../support/rawHttp.js"

let scope: Scope.CloseableScope
let upstream: FakeProvider.FakeProvider
let gateway: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    upstream = yield* FakeProvider.make({ name: "one" })
    gateway = yield* start([], {
      deployments: [
        deploymentOf(upstream, { contextWindow: 64_000 }),
        deploymentOf(upstream, { id: "slashed", group: "org/embed", model: "text-embedding-3-small" })
      ]
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
  readonly json: Json
}

const ask = (method: string, path: string, headers: Readonly<Record<string, string>> = authorized, body?: unknown) =>
  Effect.promise(async (): Promise<Got> => {
    const answer = await fetch(gateway.url + path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      json: (await answer.json()) as Json
    }
  })

const isAnthropic = ({ headers, json }: Got, type: string): void => {
  assert.strictEqual(json.type, "error")
  assert.strictEqual(json.error.type, type)
  assert.isString(json.error.message)
  assert.strictEqual(json.request_id, headers["request-id"])
  assert.strictEqual(json.request_id, headers["x-request-id"])
}

const isGoogle = ({ json, status }: Got, state: string): void => {
  assert.strictEqual(json.error.code, status)
  assert.strictEqual(json.error.status, state)
  assert.isString(json.error.message)
  assert.strictEqual(json.error.details[0]["@type"], "type.googleapis.com/google.rpc.ErrorInfo")
}

const isOpenAi = ({ json }: Got, code: string): void => {
  assert.strictEqual(json.error.code, code)
  assert.isString(json.error.type)
}

const google = "/v1beta/models/smart:generateContent"

describe("a refusal at the door", () => {
  it.scopedLive(
    "without a key, with a body that is none, or at a path that is none is said in the caller's words",
    () =>
      Effect.gen(function* () {
        const none = {}
        for (const path of ["/v1/messages", "/anthropic/v1/messages?beta=true", "/v1/messages/count_tokens"]) {
          const unknown = yield* ask("POST", path, none, {})
          assert.strictEqual(unknown.status, 401)
          isAnthropic(unknown, "authentication_error")
          isAnthropic(yield* ask("POST", path, authorized, "{no json"), "invalid_request_error")
          const wrong = yield* ask("GET", path)
          assert.strictEqual(wrong.status, 405)
          isAnthropic(wrong, "invalid_request_error")
        }
        for (const path of [google, "/v1beta/models/smart:streamGenerateContent?alt=sse"]) {
          isGoogle(yield* ask("POST", path, none, {}), "UNAUTHENTICATED")
          isGoogle(yield* ask("POST", path, authorized, "[]"), "INVALID_ARGUMENT")
        }
        isOpenAi(yield* ask("POST", "/v1/responses", none, {}), "invalid_api_key")
        isOpenAi(yield* ask("POST", "/openai/responses?api-version=1", authorized, "{"), "invalid_json")
        const version = { ...authorized, "anthropic-version": "2023-06-01" }
        isAnthropic(yield* ask("GET", "/v1/nothing", version), "not_found_error")
        isGoogle(yield* ask("POST", "/v1beta/models/smart:predict", authorized, {}), "NOT_FOUND")
      })
  )

  it("of each kind has the status, the class and the advice that clients go by", () => {
    const cases = [
      [400, "invalid_request_error", "INVALID_ARGUMENT", "false"],
      [401, "authentication_error", "UNAUTHENTICATED", "false"],
      [403, "permission_error", "PERMISSION_DENIED", "false"],
      [404, "not_found_error", "NOT_FOUND", "false"],
      [413, "request_too_large", "INVALID_ARGUMENT", "false"],
      [415, "invalid_request_error", "INVALID_ARGUMENT", "false"],
      [429, "rate_limit_error", "RESOURCE_EXHAUSTED", undefined],
      [500, "api_error", "INTERNAL", undefined],
      [503, "overloaded_error", "UNAVAILABLE", undefined],
      [504, "timeout_error", "DEADLINE_EXCEEDED", undefined]
    ] as const
    for (const [status, type, state, advice] of cases) {
      const refusal = { status, code: "some_code", message: "why", param: "field", retryAfter: 2000 }
      const id = { "x-request-id": "r1" }
      const anthropic = answerRefusal(refusal, id, undefined, "messages")
      const told = JSON.parse(anthropic.body) as Json
      assert.deepStrictEqual(told, {
        type: "error",
        error: { type, message: "why", code: "some_code", param: "field" },
        request_id: "r1"
      })
      assert.strictEqual(anthropic.status, status)
      assert.strictEqual(anthropic.headers["x-should-retry"], advice)
      assert.strictEqual(anthropic.headers["retry-after"], "2")
      const gemini = answerRefusal(refusal, id, undefined, "gemini")
      const { error } = JSON.parse(gemini.body) as Json
      assert.deepInclude(error, { code: status, message: "why", status: state })
      assert.deepInclude(error.details, { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "2.000s" })
      assert.strictEqual(gemini.headers["x-should-retry"], advice)
      assert.strictEqual(gemini.headers["request-id"], undefined)
    }
  })
})

describe("a failed request", () => {
  const error = (reason: LlmError["reason"], more = {}) =>
    new LlmError({ reason, description: "what happened", ...more })
  const told = (failed: LlmError, speech: "messages" | "gemini" | "responses") =>
    JSON.parse(answerError(failed, { "x-request-id": "r1" }, undefined, undefined, { speech }).body) as Json

  it("of every reason is told in the words of Anthropic and of Google", () => {
    const cases = [
      ["RateLimited", "rate_limit_error", "RESOURCE_EXHAUSTED"],
      ["Timeout", "timeout_error", "DEADLINE_EXCEEDED"],
      ["Unavailable", "overloaded_error", "UNAVAILABLE"],
      ["Authentication", "api_error", "UNAVAILABLE"],
      ["MalformedResponse", "api_error", "UNAVAILABLE"],
      ["InvalidRequest", "invalid_request_error", "INVALID_ARGUMENT"],
      ["ContentPolicyViolation", "invalid_request_error", "INVALID_ARGUMENT"],
      ["NoDeployment", "overloaded_error", "UNAVAILABLE"],
      ["UnknownModel", "not_found_error", "NOT_FOUND"],
      ["BudgetExceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"]
    ] as const
    for (const [reason, type, state] of cases) {
      assert.deepInclude(told(error(reason), "messages").error, { type, reason })
      assert.strictEqual(told(error(reason), "gemini").error.status, state)
      assert.strictEqual(told(error(reason), "responses").error.reason, reason)
    }
  })

  it("for a prompt that is too long says so in the words by which coding agents know it, once", () => {
    const failed = error("ContextWindowExceeded", { providerMessage: "maximum context length is 8192 tokens" })
    assert.match(told(failed, "messages").error.message, /^prompt is too long: maximum context/)
    assert.match(told(failed, "gemini").error.message, /^The input token count exceeds .*: maximum context/)
    const said = error("ContextWindowExceeded", { providerMessage: "prompt is too long: 9 tokens > 8 maximum" })
    assert.strictEqual(told(said, "messages").error.message, "prompt is too long: 9 tokens > 8 maximum")
    assert.strictEqual(told(said, "responses").error.code, "context_length_exceeded")
  })

  it("tells callers who may not know of deployments nothing of them in any language", () => {
    const attempts = [
      { number: 1, deployment: "secret-east", provider: "p", group: "g", outcome: "failed" as const, startedAfter: 0 }
    ]
    const failed = error("Unavailable", { description: "secret-east is down", deployment: "secret-east", attempts })
    for (const speech of ["messages", "gemini", "responses"] as const) {
      const { body } = answerError(failed, {}, undefined, undefined, { speech, shown: { routing: "none" } })
      assert.notInclude(body, "secret-east")
    }
  })
})

describe("the models", () => {
  it.scopedLive("are listed in the caller's words", () =>
    Effect.gen(function* () {
      const openAi = yield* ask("GET", "/v1/models")
      assert.strictEqual(openAi.json.object, "list")
      const version = { "x-api-key": masterKey, "anthropic-version": "2023-06-01" }
      const { json: anthropic } = yield* ask("GET", "/v1/models?limit=1", version)
      assert.deepInclude(anthropic, { has_more: true, first_id: anthropic.last_id })
      assert.deepInclude(anthropic.data[0], { type: "model", display_name: anthropic.first_id })
      assert.match(anthropic.data[0].created_at, /^\d{4}-\d\d-\d\dT/)
      const { json: rest } = yield* ask("GET", `/v1/models?after_id=${anthropic.last_id}`, version)
      assert.strictEqual(rest.data.length, 1)
      assert.strictEqual(rest.has_more, false)
      const { json: one } = yield* ask("GET", "/v1/models/org%2Fembed", version)
      assert.deepInclude(one, { type: "model", id: "org/embed" })
      for (const [path, headers] of [
        ["/v1beta/models", authorized],
        ["/v1/models", { "x-goog-api-key": masterKey }],
        [`/v1beta/models?key=${masterKey}`, {}]
      ] as const) {
        const { json } = yield* ask("GET", path, headers)
        assert.deepInclude(
          json.models.find(({ name }: Json) => name === "models/smart"),
          { displayName: "smart", inputTokenLimit: 64_000 }
        )
        const embedding = json.models.find(({ name }: Json) => name === "models/org/embed")
        assert.include(embedding.supportedGenerationMethods, "embedContent")
      }
      const { json: gemini } = yield* ask("GET", "/v1beta/models/org/embed")
      assert.strictEqual(gemini.name, "models/org/embed")
      isGoogle(yield* ask("GET", "/v1beta/models/nobody"), "NOT_FOUND")
      isAnthropic(yield* ask("GET", "/v1/models/nobody", version), "not_found_error")
    })
  )

  it.scopedLive("are told to whoever has the key in the query, and nothing of the master's is", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("GET", "/v1/models?key=wrong", {})).status, 401)
      assert.strictEqual((yield* ask("GET", `/admin/config?key=${masterKey}`, {})).status, 401)
      const answer = yield* ask(
        "POST",
        `/v1/chat/completions?key=${masterKey}`,
        {},
        { model: "smart", messages: [{ role: "user", content: "Hi" }] }
      )
      assert.strictEqual(answer.status, 200)
      const [entry] = upstream.journal().slice(-1)
      assert.notInclude(JSON.stringify(entry), masterKey)
    })
  )
})

describe("a coding agent", () => {
  it.scopedLive("that looks whether anybody is there gets a 200 without a key", () =>
    Effect.gen(function* () {
      const status = yield* Effect.promise(async () => (await fetch(gateway.url, { method: "HEAD" })).status)
      assert.strictEqual(status, 200)
    })
  )

  it.scopedLive("that wants a websocket of Responses is sent back to HTTP at once", () =>
    Effect.gen(function* () {
      for (const path of ["/v1/responses", "/responses?x=1"]) {
        const client = yield* connectTo(gateway)
        client.send(head("GET", path, { ...authorized, connection: "Upgrade", upgrade: "websocket" }))
        const [answer] = yield* client.answers(1)
        assert.strictEqual(answer?.status, 426)
        assert.deepInclude(answer?.headers, { upgrade: "HTTP/1.1", connection: "close" })
        yield* client.closed
      }
    })
  )
})
