import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { messages } from "@switchyard/dialects/Messages"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect, Fiber, TestClock } from "effect"
import { afterEach, vi } from "vitest"
import { answering } from "../support/answering.js"
import * as S from "../support/support.js"
import { type Answer, jsonOf, type Received, upstream } from "../support/upstream.js"

afterEach(() => vi.unstubAllEnvs())

const service = S.serviceOver(S.undici)
const key = "ibm-key-5d8e2f90"

/** IBM's IAM as its reference has it: a form with a grant type and a key, answered by a token of an hour. */
const token = ({ body, headers, method }: Received, number: number): Answer => {
  const form = new URLSearchParams(body.toString("utf8"))
  const isRight =
    method === "POST" &&
    headers["content-type"] === "application/x-www-form-urlencoded" &&
    form.get("grant_type") === "urn:ibm:params:oauth:grant-type:apikey"
  if (!isRight) return { status: 400, body: { errorCode: "BXNIM0109E", errorMessage: "Property missing" } }
  if (form.get("apikey") !== key) {
    return {
      status: 400,
      body: { errorCode: "BXNIM0415E", errorMessage: `Provided API key ${form.get("apikey")} could not be found.` }
    }
  }
  return { body: { access_token: `ibm-token-${number}`, token_type: "Bearer", expires_in: 3600 } }
}

const iam = Effect.tap(upstream(token), ({ origin }) =>
  Effect.sync(() => vi.stubEnv("WATSONX_IAM_URL", `${origin}/identity/token`))
)

const on = (origin: string, more: Partial<DeploymentConfig> = {}): Partial<DeploymentConfig> => ({
  provider: "watsonx",
  protocol: "watsonx",
  model: "ibm/granite-3-8b-instruct",
  baseUrl: origin,
  apiKey: key,
  project: "project-1",
  ...more
})

const usage = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }
const granite = { id: "chat-1", model_id: "ibm/granite-3-8b-instruct", created: 1, created_at: "2026-01-01T00:00:00Z" }
const completion = {
  ...granite,
  choices: [{ index: 0, message: { role: "assistant", content: "Hello there" }, finish_reason: "stop" }],
  usage,
  system: { warnings: [] }
}
const event = (id: number, choices: ReadonlyArray<object>, more: object = {}): string =>
  `id: ${id}\nevent: message\ndata: ${JSON.stringify({ ...granite, choices, ...more })}\n\n`
const said = [
  event(1, [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]),
  event(2, [{ index: 0, delta: { content: "Hello " }, finish_reason: null }]),
  event(3, [{ index: 0, delta: { content: "there" }, finish_reason: "stop" }]),
  event(4, [], { usage })
].join("")
const streamed: Answer = { type: "text/event-stream;charset=UTF-8", body: said, step: 9 }

describe("watsonx", () => {
  it.scopedLive("is asked for a chat in the name of a project, by a token that the key was exchanged for", () =>
    Effect.gen(function* () {
      const tokens = yield* iam
      const up = yield* upstream(() => ({ body: completion }))
      const tool = {
        type: "function",
        function: {
          name: "look",
          strict: true,
          parameters: { type: "object", properties: { a: { type: "string" } }, additionalProperties: false }
        }
      }
      const request = S.chat({ temperature: 0.5, max_completion_tokens: 9, tools: [tool], tool_choice: "auto" })
      const base = yield* service
      const attempt = yield* S.attemptOn(request, on(up.origin))
      assert.include(S.complete(yield* base.call(attempt)).raw, "Hello there")
      yield* base.call(attempt)
      const [first] = up.received
      if (first === undefined) return assert.fail("nothing came")
      assert.strictEqual(first.url, "/ml/v1/text/chat?version=2024-03-13")
      assert.strictEqual(first.headers.authorization, "Bearer ibm-token-1")
      assert.deepStrictEqual(jsonOf(first), {
        messages: S.messages,
        temperature: 0.5,
        max_tokens: 9,
        tools: [
          {
            type: "function",
            function: { name: "look", parameters: { type: "object", properties: { a: { type: "string" } } } }
          }
        ],
        tool_choice_option: "auto",
        model_id: "ibm/granite-3-8b-instruct",
        project_id: "project-1"
      })
      assert.strictEqual(tokens.received.length, 1)
      assert.notInclude(JSON.stringify([first.headers, first.url]), key)
    })
  )

  it.scopedLive("streams to callers of its own dialect and of others, usage last", () =>
    Effect.gen(function* () {
      yield* iam
      const up = yield* upstream(() => streamed)
      const base = yield* service
      const claude = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }], stream: true }
      for (const request of [S.streamed(), LlmRequest.of(messages, "chat", claude)]) {
        const stream = S.streaming(yield* S.call(base, request, on(up.origin)))
        const events = yield* S.readAll(stream.events)
        assert.include(JSON.stringify(events), "there")
        const { outcome } = stream.events.settlement
        assert.deepInclude(outcome?._tag === "Completed" ? outcome.usage : {}, { inputTokens: 12, outputTokens: 7 })
      }
      assert.deepStrictEqual(
        up.received.map(({ url }) => url),
        ["/ml/v1/text/chat_stream?version=2024-03-13", "/ml/v1/text/chat_stream?version=2024-03-13"]
      )
      assert.doesNotHaveAnyKeys(jsonOf(up.received[0] as Received), ["stream", "stream_options", "model"])
    })
  )

  it.scopedLive("asks a deployed model by its id, a space where that is given, and embeds texts", () =>
    Effect.gen(function* () {
      yield* iam
      const up = yield* upstream(({ url }) =>
        url.includes("embeddings")
          ? { body: { results: [{ embedding: [1, 2] }, { embedding: [3, 4] }], input_token_count: 5 } }
          : { body: completion }
      )
      const base = yield* service
      yield* S.call(base, S.chat(), on(up.origin, { model: "deployment/d-1", project: undefined as never }))
      const space = { project: undefined as never, defaults: { space_id: "space-1" }, apiVersion: "2025-01-01" }
      yield* S.call(base, S.chat({ project_id: "somebody else's" }), on(`${up.origin}/ml/v1/`, space))
      const request = LlmRequest.embeddings({ model: "m", input: ["a", "b"] })
      const { body, outcome } = S.complete(yield* S.call(base, request, on(up.origin)))
      assert.deepStrictEqual(
        up.received.map((one) => [one.url, jsonOf(one)]),
        [
          ["/ml/v1/deployments/d-1/text/chat?version=2024-03-13", { messages: S.messages }],
          [
            "/ml/v1/text/chat?version=2025-01-01",
            { messages: S.messages, model_id: "ibm/granite-3-8b-instruct", space_id: "space-1" }
          ],
          [
            "/ml/v1/text/embeddings?version=2024-03-13",
            { inputs: ["a", "b"], model_id: "ibm/granite-3-8b-instruct", project_id: "project-1" }
          ]
        ]
      )
      assert.deepInclude(body.data, { object: "embedding", index: 1, embedding: [3, 4] })
      assert.deepInclude(outcome.usage, { inputTokens: 5 })
    })
  )

  it.scopedLive("shows a token or a Zen key of the deployment's own as it is", () =>
    Effect.gen(function* () {
      const tokens = yield* iam
      const up = yield* upstream(() => ({ body: completion }))
      const headers = { authorization: "ZenApiKey zen" }
      yield* S.call(yield* service, S.chat(), on(up.origin, { apiKey: undefined as never, headers }))
      assert.strictEqual(up.received[0]?.headers.authorization, "ZenApiKey zen")
      assert.strictEqual(tokens.received.length, 0)
      const refusing = yield* upstream(() => ({
        status: 401,
        body: { errors: [{ message: "zen-key-77aa is unknown" }] }
      }))
      const other = { apiKey: undefined as never, headers: { authorization: "ZenApiKey zen-key-77aa" } }
      const error = yield* Effect.flip(S.call(yield* service, S.chat(), on(refusing.origin, other)))
      assert.strictEqual(error.reason, "Authentication")
      assert.notInclude(JSON.stringify(error), "zen-key-77aa")
    })
  )

  it.scoped("renews its token before that expires, once for all who ask, and bears an outage while it is good", () =>
    Effect.gen(function* () {
      let isAway = false
      const tokens = yield* upstream((one, number) => (isAway ? { status: 503, body: "down" } : token(one, number)))
      vi.stubEnv("WATSONX_IAM_URL", tokens.origin)
      const { sent, transport } = answering(() => completion)
      const base = OpenAiCompatible.make(transport)
      const attempt = yield* S.attemptOn(S.chat(), on("https://w.example"))
      const twice = Effect.all([base.call(attempt), base.call(attempt)], { concurrency: "unbounded" })
      yield* twice
      yield* TestClock.adjust("58 minutes")
      yield* twice
      yield* TestClock.adjust("90 seconds")
      isAway = true
      yield* twice
      isAway = false
      yield* twice
      assert.deepStrictEqual(
        sent.map(({ headers }) => headers.authorization?.slice(-1)),
        ["1", "1", "1", "1", "1", "1", "3", "3"]
      )
      isAway = true
      yield* TestClock.adjust("2 hours")
      const error = yield* Effect.flip(base.call(attempt))
      assert.deepStrictEqual([error.reason, error.code], ["Unavailable", "credentials"])
    })
  )

  it.scoped("who says nothing within ten seconds is not there, which is no error of the key", () =>
    Effect.gen(function* () {
      const tokens = yield* upstream(() => new Promise(() => {}))
      vi.stubEnv("WATSONX_IAM_URL", tokens.origin)
      const { transport } = answering(() => completion)
      const attempt = yield* S.attemptOn(S.chat(), on("https://w.example"))
      const call = yield* Effect.fork(Effect.flip(OpenAiCompatible.make(transport).call(attempt)))
      yield* S.eventually(() => tokens.received.length === 1)
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(call)
      assert.deepStrictEqual([error.reason, error.code], ["Unavailable", "credentials"])
    })
  )

  it.scopedLive("a caller who leaves while the token is fetched takes it from nobody", () =>
    Effect.gen(function* () {
      let open: () => void = () => {}
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const tokens = yield* upstream(async (one, number) => {
        await gate
        return token(one, number)
      })
      vi.stubEnv("WATSONX_IAM_URL", tokens.origin)
      const { sent, transport } = answering(() => completion)
      const base = OpenAiCompatible.make(transport)
      const attempt = yield* S.attemptOn(S.chat(), on("https://w.example"))
      const first = yield* Effect.fork(base.call(attempt))
      const second = yield* Effect.fork(base.call(attempt))
      yield* S.eventually(() => tokens.received.length === 1)
      yield* Fiber.interrupt(first)
      open()
      yield* Fiber.join(second)
      assert.deepStrictEqual([tokens.received.length, sent.length], [1, 1])
    })
  )

  it.scopedLive("a token that is refused is fetched anew by the next who asks", () =>
    Effect.gen(function* () {
      const tokens = yield* iam
      const expired = { errors: [{ code: "authentication_token_expired", message: "expired" }], status_code: 401 }
      const up = yield* upstream(({ headers }) =>
        headers.authorization === "Bearer ibm-token-1" ? { status: 401, body: expired } : { body: completion }
      )
      const base = yield* service
      const attempt = yield* S.attemptOn(S.chat(), on(up.origin))
      const error = yield* Effect.flip(base.call(attempt))
      assert.deepStrictEqual([error.reason, error.code], ["Authentication", "authentication_token_expired"])
      yield* base.call(attempt)
      assert.strictEqual(tokens.received.length, 2)
    })
  )

  it.scopedLive("a key that IBM does not know is an error of credentials that says why and quotes no key", () =>
    Effect.gen(function* () {
      yield* iam
      const wrong = "ibm-wrong-key-1f2e3d"
      const error = yield* Effect.flip(S.call(yield* service, S.chat(), on("https://w.example", { apiKey: wrong })))
      assert.deepStrictEqual([error.reason, error.code], ["Authentication", "credentials"])
      assert.include(error.providerMessage, "BXNIM0415E")
      assert.notInclude(JSON.stringify(error), wrong)
      const none = on("https://w.example", { apiKey: undefined as never })
      assert.match((yield* Effect.flip(S.call(yield* service, S.chat(), none))).providerMessage ?? "", /apiKey/)
    })
  )

  it.scopedLive("a deployment without a project, or without a place, is told so", () =>
    Effect.gen(function* () {
      const base = yield* service
      const projectless = yield* Effect.flip(
        S.call(base, S.chat(), on("https://w.example", { project: undefined as never }))
      )
      assert.match(projectless.description, /set `project`, or WATSONX_PROJECT_ID/)
      const placeless = yield* Effect.flip(S.call(base, S.chat(), on("", { baseUrl: undefined as never })))
      assert.match(placeless.description, /needs a base URL/)
    })
  )

  const errors: ReadonlyArray<readonly [status: number, code: string, message: string, reason: string]> = [
    [404, "model_not_supported", "Model 'x' is not supported for this environment.", "ModelNotFound"],
    [403, "token_quota_reached", "This request cannot be completed: token quota reached", "QuotaExhausted"],
    [429, "rate_limit_reached_requests", "Rate limit reached", "RateLimited"],
    [
      400,
      "invalid_request_entity",
      "the number of input tokens 9000 cannot exceed the total tokens limit 8191 for this model",
      "ContextWindowExceeded"
    ],
    [400, "invalid_input_argument", "Invalid input argument for field temperature", "InvalidRequest"],
    [500, "downstream_request_failed", "Downstream request failed", "Unavailable"]
  ]
  it.scopedLive.each(errors)("an answer of %s %s is read", ([status, code, message, reason]) =>
    Effect.gen(function* () {
      yield* iam
      const up = yield* upstream(() => ({
        status,
        body: { errors: [{ code, message }], trace: "t", status_code: status }
      }))
      const error = yield* Effect.flip(S.call(yield* service, S.chat(), on(up.origin)))
      assert.deepStrictEqual([error.reason, error.code, error.providerMessage], [reason, code, message])
    })
  )
})
