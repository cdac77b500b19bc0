import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import * as SpokenProvider from "@switchyard/testing/SpokenProvider"
import { Effect } from "effect"
import * as S from "../support/support.js"

const service = S.serviceOver(S.undici)
const claude = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }
const asked = (
  body: Readonly<Record<string, unknown>> = {},
  options: LlmRequest.DialectOptions = {}
): LlmRequest.LlmRequest => LlmRequest.of(messages, "chat", { ...claude, ...body }, options)

const tool = { name: "look", description: "Looks", input_schema: { type: "object", properties: {} } }

describe("the caller's own dialect", () => {
  it.scopedLive("goes through as it is but for model, key and version; its answer and its events too", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const on: Partial<DeploymentConfig> = { protocol: "anthropic", baseUrl: up.origin }
      const base = yield* service
      const own = {
        system: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }],
        metadata: { user_id: "u" }
      }
      const whole = S.complete(yield* S.call(base, asked(own), on))
      assert.strictEqual((whole.body as { readonly type?: unknown }).type, "message")
      assert.deepInclude(whole.outcome.usage, { inputTokens: 12, outputTokens: 7 })
      const stream = S.streaming(yield* S.call(base, asked({ ...own, stream: true }), on))
      const events = yield* S.readAll(stream.events)
      assert.deepStrictEqual(
        events.map(({ event }) => event),
        [
          "message_start",
          "ping",
          "content_block_start",
          "content_block_delta",
          "content_block_delta",
          "content_block_stop",
          "message_delta",
          "message_stop"
        ]
      )
      const [first] = up.requests()
      assert.strictEqual(first?.path, "/v1/messages")
      assert.deepStrictEqual(first?.body, { ...claude, ...own, model: "up-model" })
      assert.strictEqual(first?.headers["x-api-key"], S.key)
      assert.strictEqual(first?.headers["anthropic-version"], "2023-06-01")
    })
  )

  it.scopedLive("a signature of somebody else is refused, and left out of a second request", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const body = {
        messages: [
          { role: "user", content: "Hi" },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "sig-other" },
              { type: "text", text: "Yes?" }
            ]
          },
          { role: "user", content: "Go on" }
        ]
      }
      const answer = S.complete(
        yield* S.call(yield* service, asked(body), { protocol: "anthropic", baseUrl: up.origin })
      )
      assert.strictEqual(answer.status, 200)
      const [first, second] = up.requests().map((request) => JSON.stringify(request.body))
      assert.include(first, "sig-other")
      assert.notInclude(second, "sig-other")
      assert.include(second, "Yes?")
    })
  )

  it.scopedLive("an error is classified, and a stream that is cut is no answer", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const on: Partial<DeploymentConfig> = { protocol: "anthropic", provider: "anthropic", baseUrl: up.origin }
      const base = yield* service
      const cases: ReadonlyArray<readonly [status: number, message: string, reason: string]> = [
        [529, "Overloaded", "Unavailable"],
        [429, "slow down", "RateLimited"],
        [401, "invalid x-api-key", "Authentication"],
        [400, "prompt is too long: 210000 tokens > 200000 maximum", "ContextWindowExceeded"],
        [400, "Your credit balance is too low to access the Anthropic API.", "QuotaExhausted"],
        [400, "max_tokens: Field required", "InvalidRequest"]
      ]
      for (const [status, message, reason] of cases) {
        up.next({ status, message })
        const error = yield* Effect.flip(S.call(base, asked(), on))
        assert.strictEqual(error.reason, reason, message)
        assert.strictEqual(error.providerMessage, message)
      }
      up.next({ cutAfterEvents: 5 })
      const stream = S.streaming(yield* S.call(base, asked({ stream: true }), on))
      const cut = yield* Effect.flip(S.readAll(stream.events))
      assert.strictEqual(cut.reason, "StreamInterrupted")
    })
  )
})

describe("another dialect", () => {
  it.scopedLive("is asked in its own words, and answers in the caller's, whole and streamed", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({
        name: "up",
        dialect: "gemini",
        reply: { text: "Hello there", toolCalls: [{ name: "look", arguments: { at: "it" } }] }
      })
      const on: Partial<DeploymentConfig> = { protocol: "gemini", baseUrl: up.origin, model: "gemini-x" }
      const base = yield* service
      const whole = S.complete(yield* S.call(base, asked({ tools: [tool] }), on))
      const body = whole.body as unknown as {
        readonly content: ReadonlyArray<{ readonly type: string; readonly text?: string; readonly input?: unknown }>
        readonly stop_reason: string
      }
      assert.deepStrictEqual(
        body.content.map(({ type }) => type),
        ["text", "tool_use"]
      )
      assert.deepStrictEqual(body.content[1]?.input, { at: "it" })
      assert.strictEqual(body.stop_reason, "tool_use")
      assert.deepInclude(whole.outcome.usage, { inputTokens: 12, outputTokens: 7 })
      const stream = S.streaming(yield* S.call(base, asked({ tools: [tool], stream: true }), on))
      const fold = messages.answer.fold()
      for (const event of yield* S.readAll(stream.events)) fold.add(event)
      const folded = fold.answer() as typeof body & { readonly [name: string]: unknown }
      assert.strictEqual(folded.content[0]?.text, "Hello there")
      assert.deepStrictEqual(folded.content[1]?.input, { at: "it" })
      assert.deepInclude(
        stream.events.settlement.outcome?._tag === "Completed" ? stream.events.settlement.outcome.usage : {},
        {
          inputTokens: 12
        }
      )
      const [first, second] = up.requests()
      assert.strictEqual(first?.path, "/v1beta/models/gemini-x:generateContent")
      assert.strictEqual(second?.path, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse")
      assert.strictEqual(first?.headers["x-goog-api-key"], S.key)
      assert.strictEqual(first?.headers["anthropic-version"], undefined)
    })
  )

  it.scopedLive("what it cannot express is a refusal that names the field, sends nothing, and may do elsewhere", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "gemini" })
      const body = {
        messages: [{ role: "user", content: [{ type: "document", source: { type: "file", file_id: "f" } }] }]
      }
      const error = yield* Effect.flip(S.call(yield* service, asked(body), { protocol: "gemini", baseUrl: up.origin }))
      assert.deepInclude({ ...error.data }, { reason: "InvalidRequest", code: "dialect" })
      assert.include(error.description, "messages[0].content[0]")
      assert.strictEqual(error.retry, "other")
      assert.strictEqual(error.breaker, "neutral")
      assert.lengthOf(up.requests(), 0)
    })
  )

  it.scopedLive("Mistral gets ids of nine letters and digits, a call's and its result's the same", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const body = {
        tools: [{ name: "weather", input_schema: { type: "object", properties: {} } }],
        messages: [
          { role: "user", content: "Hi" },
          {
            role: "assistant",
            content: [{ type: "tool_use", id: "toolu_01A09q90qw90lq91", name: "weather", input: {} }]
          },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_01A09q90qw90lq91", content: "rain" }] }
        ]
      }
      const to = { protocol: "openai", provider: "mistral", baseUrl: up.origin }
      yield* Effect.exit(S.call(yield* service, asked(body), to))
      const [sent] = up.requests()
      const said = JSON.stringify(sent?.body)
      const ids = [...said.matchAll(/"(?:id|tool_call_id)":"([^"]*)"/g)].map(([, id]) => id)
      assert.lengthOf(ids, 2, said)
      assert.match(String(ids[0]), /^[A-Za-z0-9]{9}$/)
      assert.strictEqual(ids[1], ids[0])
    })
  )

  it.scopedLive("a stream that is cut is no whole answer in the caller's words either", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages", reply: { cutAfterEvents: 5 } })
      const request = LlmRequest.of(
        gemini,
        "chat",
        { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
        {
          model: "m",
          stream: true
        }
      )
      const stream = S.streaming(yield* S.call(yield* service, request, { protocol: "anthropic", baseUrl: up.origin }))
      assert.strictEqual((yield* Effect.flip(S.readAll(stream.events))).reason, "StreamInterrupted")
    })
  )
})

describe("beta features", () => {
  const headers = { "anthropic-beta": "context-1m-2025-08-07,claude-code-20250219" }

  it.scopedLive("go to Anthropic as they are named, and to no other dialect", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const other = yield* SpokenProvider.make({ name: "other", dialect: "gemini" })
      const base = yield* service
      const request = asked({}, { overrides: { headers } })
      yield* S.call(base, request, { protocol: "anthropic", baseUrl: up.origin })
      yield* S.call(base, request, { protocol: "gemini", baseUrl: other.origin })
      assert.strictEqual(up.requests()[0]?.headers["anthropic-beta"], headers["anthropic-beta"])
      assert.strictEqual(other.requests()[0]?.headers["anthropic-beta"], undefined)
    })
  )

  it.scopedLive("go to Bedrock in the body, and only those that it knows", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const request = asked({}, { overrides: { headers } })
      yield* S.call(yield* service, request, {
        protocol: "bedrock",
        model: "us.anthropic.claude-x-v1:0",
        baseUrl: up.origin
      })
      const [sent] = up.requests()
      assert.strictEqual(sent?.path, "/model/us.anthropic.claude-x-v1%3A0/invoke")
      const { max_tokens, messages: said } = claude
      assert.deepStrictEqual(sent?.body, {
        max_tokens,
        messages: said,
        anthropic_beta: ["context-1m-2025-08-07"],
        anthropic_version: "bedrock-2023-05-31"
      })
      assert.strictEqual(sent?.headers["anthropic-beta"], undefined)
    })
  )

  it.scopedLive("take what belongs to them along, and what belongs to others stays away from clouds", () =>
    Effect.gen(function* () {
      const up = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const base = yield* service
      const scoped = { type: "ephemeral", scope: "global" }
      const marked = (mark: object) => [{ type: "text", text: "Be brief.", cache_control: mark }]
      const more = {
        system: marked(scoped),
        tools: [{ name: "f", input_schema: { type: "object" }, eager_input_streaming: true }],
        context_management: { edits: [] },
        cache_control: { type: "ephemeral" }
      }
      const model = "us.anthropic.claude-x-v1:0"
      yield* S.call(base, asked(more), { protocol: "bedrock", model, baseUrl: up.origin })
      const known = { overrides: { headers: { "anthropic-beta": "context-management-2025-06-27" } } }
      yield* S.call(base, asked(more, known), { protocol: "bedrock", model, baseUrl: up.origin })
      yield* S.call(base, asked(more), { protocol: "anthropic", baseUrl: up.origin })
      const [first, second, own] = up.requests().map(({ body }) => body as Record<string, unknown>)
      assert.deepStrictEqual(first?.system, marked({ type: "ephemeral" }))
      assert.deepStrictEqual(first?.tools, [{ name: "f", input_schema: { type: "object" } }])
      assert.notProperty(first, "context_management")
      assert.notProperty(first, "cache_control")
      const said = first?.messages as ReadonlyArray<{ readonly content: ReadonlyArray<object> }>
      assert.deepInclude(said.at(-1)?.content.at(-1), { cache_control: { type: "ephemeral" } })
      assert.deepInclude(second, { context_management: { edits: [] } })
      assert.deepInclude(own, more)
    })
  )
})
