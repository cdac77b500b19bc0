import { assert, describe, it } from "@effect/vitest"
import { EventStreamCodec } from "@smithy/eventstream-codec"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { messages } from "@switchyard/dialects/Messages"
import { Effect } from "effect"
import { signatureOf, signerOf } from "../support/sigv4.js"
import * as S from "../support/support.js"
import { type Answer, jsonOf, upstream } from "../support/upstream.js"

const service = S.serviceOver(S.undici)

const secret = "sagemaker-secret-8f3a"
const on = (origin: string, more: Partial<DeploymentConfig> = {}): Partial<DeploymentConfig> => ({
  provider: "sagemaker_chat",
  protocol: "sagemaker",
  model: "my-llama",
  location: "eu-west-1",
  baseUrl: origin,
  apiKey: undefined as never,
  auth: { accessKeyId: "AKIASAGE", secretAccessKey: secret, sessionToken: "session-of-sagemaker" },
  ...more
})

const completion = {
  id: "c1",
  object: "chat.completion",
  created: 1,
  model: "my-llama",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello there" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }
}

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => new TextEncoder().encode(text)
)
const text = (value: string) => ({ type: "string" as const, value })
const part = (body: Uint8Array): Uint8Array =>
  codec.encode({ headers: { ":message-type": text("event"), ":event-type": text("PayloadPart") }, body })
const exception = (type: string, body: object): Uint8Array =>
  codec.encode({
    headers: { ":message-type": text("exception"), ":exception-type": text(type) },
    body: new TextEncoder().encode(JSON.stringify(body))
  })

const chunk = (delta: object, finish: string | null = null, more: object = {}): string =>
  `data: ${JSON.stringify({
    id: "c1",
    object: "chat.completion.chunk",
    created: 1,
    model: "my-llama",
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more
  })}\n\n`

const said = [
  chunk({ role: "assistant", content: "" }),
  chunk({ content: "Grüße " }),
  chunk({ content: "aus 東京" }),
  chunk({}, "stop", { usage: completion.usage }),
  "data: [DONE]\n\n"
].join("")

/** The bytes of server-sent events, cut into messages wherever it happens. */
const cut = (events: string, size: number): Buffer => {
  const bytes = Buffer.from(events)
  const parts: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += size) parts.push(part(bytes.subarray(at, at + size)))
  return Buffer.concat(parts)
}

const streamOf = (body: Uint8Array): Answer => ({ type: "application/vnd.amazon.eventstream", body, step: 11 })

describe("Signature Version 4, as the tests work it out", () => {
  it("gives the signature of Amazon's own example", () => {
    const headers = [
      ["host", "example.amazonaws.com"],
      ["x-amz-date", "20150830T123600Z"]
    ] as const
    assert.strictEqual(
      signatureOf(
        { method: "GET", path: "/", query: "", headers, body: Buffer.alloc(0) },
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "20150830/us-east-1/service/aws4_request",
        "20150830T123600Z"
      ),
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
  })
})

describe("SageMaker", () => {
  it.scopedLive("is asked for a chat at its endpoint, by a signed request", () =>
    Effect.gen(function* () {
      const up = yield* upstream(() => ({ body: completion }))
      const headers = { "X-Amzn-SageMaker-Inference-Component": "part-1" }
      const answer = yield* S.call(yield* service, S.chat({ temperature: 0.5 }), on(up.origin, { headers }))
      assert.include(S.complete(answer).raw, "Hello there")
      const [first] = up.received
      if (first === undefined) return assert.fail("nothing came")
      assert.strictEqual(first.url, "/endpoints/my-llama/invocations")
      assert.strictEqual(signerOf(first, secret), "AKIASAGE eu-west-1 sagemaker")
      assert.strictEqual(first.headers["x-amz-security-token"], "session-of-sagemaker")
      assert.strictEqual(first.headers["x-amzn-sagemaker-inference-component"], "part-1")
      assert.deepStrictEqual(jsonOf(first), {
        model: "my-llama",
        messages: S.messages,
        temperature: 0.5,
        stream: false
      })
    })
  )

  for (const size of [1, 5, 64, 10_000]) {
    it.scopedLive(`streams, its events cut into messages of ${size} bytes`, () =>
      Effect.gen(function* () {
        const up = yield* upstream(() => streamOf(cut(said, size)))
        const stream = S.streaming(yield* S.call(yield* service, S.streamed(), on(up.origin)))
        assert.strictEqual(S.textOf(yield* S.readAll(stream.events)), "Grüße aus 東京")
        const { outcome } = stream.events.settlement
        assert.deepInclude(outcome?._tag === "Completed" ? outcome.usage : {}, { inputTokens: 12, outputTokens: 7 })
        const [first] = up.received
        if (first === undefined) return assert.fail("nothing came")
        assert.strictEqual(first.url, "/endpoints/my-llama/invocations-response-stream")
        assert.strictEqual(signerOf(first, secret), "AKIASAGE eu-west-1 sagemaker")
        assert.isTrue(jsonOf(first).stream)
      })
    )
  }

  it.scopedLive("answers callers of other dialects, whole and as a stream", () =>
    Effect.gen(function* () {
      const up = yield* upstream(({ url }) => (url.endsWith("stream") ? streamOf(cut(said, 40)) : { body: completion }))
      const claude = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }
      const base = yield* service
      const whole = S.complete(yield* S.call(base, LlmRequest.of(messages, "chat", claude), on(up.origin)))
      assert.deepInclude(whole.body, { type: "message", content: [{ type: "text", text: "Hello there" }] })
      const streamed = LlmRequest.of(messages, "chat", { ...claude, stream: true })
      const stream = S.streaming(yield* S.call(base, streamed, on(up.origin)))
      const events = yield* S.readAll(stream.events)
      const texts = events.map(({ json }) => (json.delta as { readonly text?: string } | undefined)?.text ?? "")
      assert.strictEqual(texts.join(""), "Grüße aus 東京")
    })
  )

  it.scopedLive(
    "without `stream_options`, where its container refuses them, is asked again by a signature of its own",
    () =>
      Effect.gen(function* () {
        const up = yield* upstream((_, number) =>
          number === 1
            ? {
                status: 424,
                body: { OriginalStatusCode: 400, OriginalMessage: "stream_options is not permitted", Message: "m" }
              }
            : streamOf(cut(said, 100))
        )
        const stream = S.streaming(yield* S.call(yield* service, S.streamed(), on(up.origin)))
        assert.strictEqual(S.textOf(yield* S.readAll(stream.events)), "Grüße aus 東京")
        assert.deepStrictEqual(
          up.received.map((one) => [signerOf(one, secret), "stream_options" in jsonOf(one)]),
          [
            ["AKIASAGE eu-west-1 sagemaker", true],
            ["AKIASAGE eu-west-1 sagemaker", false]
          ]
        )
      })
  )

  it.scopedLive("may be named by its whole address, and Nova's containers are told no model", () =>
    Effect.gen(function* () {
      const up = yield* upstream(() => ({ body: completion }))
      const base = yield* service
      yield* S.call(base, S.chat(), on(`${up.origin}/endpoints/other/invocations`))
      yield* S.call(base, S.chat(), on(up.origin, { provider: "sagemaker_nova" }))
      assert.deepStrictEqual(
        up.received.map((one) => [one.url, jsonOf(one).model]),
        [
          ["/endpoints/other/invocations", "my-llama"],
          ["/endpoints/my-llama/invocations", undefined]
        ]
      )
    })
  )

  it.scopedLive("whose container takes no chats goes on with a text, whole and as a stream", () =>
    Effect.gen(function* () {
      const event = (text: string, more: object = {}): string =>
        `data:${JSON.stringify({ index: 1, token: { id: 1, text, special: text === "</s>" }, generated_text: null, details: null, ...more })}\n\n`
      const details = { finish_reason: "length", generated_tokens: 7, input_length: 12 }
      const events = event("Grüße ") + event("aus 東京") + event("</s>", { generated_text: "Grüße aus 東京", details })
      const up = yield* upstream(({ url }) =>
        url.endsWith("stream") ? streamOf(cut(events, 9)) : { body: [{ generated_text: "there", details }] }
      )
      const base = yield* service
      const asked = { model: "m", prompt: "Hello ", max_tokens: 5, temperature: 0, stop: "END" }
      const text = { provider: "sagemaker" }
      const { body, outcome } = S.complete(yield* S.call(base, LlmRequest.completion(asked), on(up.origin, text)))
      assert.deepInclude(body, { object: "text_completion", model: "my-llama" })
      assert.deepStrictEqual(body.choices as unknown, [
        { index: 0, text: "there", logprobs: null, finish_reason: "length" }
      ])
      assert.deepInclude(outcome.usage, { inputTokens: 12, outputTokens: 7 })
      const stream = S.streaming(
        yield* S.call(base, LlmRequest.completion({ ...asked, stream: true }), on(up.origin, text))
      )
      const read = yield* S.readAll(stream.events)
      const texts = read.map(({ json }) => (json.choices as ReadonlyArray<{ readonly text?: string }>)[0]?.text ?? "")
      assert.strictEqual(texts.join(""), "Grüße aus 東京")
      assert.strictEqual(stream.events.settlement.outcome?._tag, "Completed")
      const parameters = { max_new_tokens: 5, temperature: 0.01, stop: ["END"], return_full_text: false }
      assert.deepStrictEqual(up.received.map(jsonOf), [
        { inputs: "Hello ", parameters },
        { inputs: "Hello ", parameters, stream: true }
      ])
      assert.deepStrictEqual(
        up.received.map((one) => signerOf(one, secret)),
        ["AKIASAGE eu-west-1 sagemaker", "AKIASAGE eu-west-1 sagemaker"]
      )
    })
  )

  it.scopedLive("embeds texts, however its container writes the vectors", () =>
    Effect.gen(function* () {
      const vectors = [
        [0.5, 1],
        [2, 3]
      ]
      const up = yield* upstream((_, number) => ({ body: number === 1 ? vectors : { embedding: vectors } }))
      const base = yield* service
      const request = LlmRequest.embeddings({ model: "m", input: ["a", "b"] })
      for (const _ of [1, 2]) {
        const { body } = S.complete(yield* S.call(base, request, on(up.origin)))
        const data = body.data as ReadonlyArray<{ readonly embedding: unknown }>
        assert.deepStrictEqual(
          data.map(({ embedding }) => embedding),
          vectors
        )
      }
      assert.deepStrictEqual(up.received.map(jsonOf), [{ inputs: ["a", "b"] }, { inputs: ["a", "b"] }])
      assert.strictEqual(up.received[0]?.url, "/endpoints/my-llama/invocations")
    })
  )

  const model = (status: number, message: object | string): Answer => ({
    status: 424,
    headers: { "x-amzn-errortype": "ModelError" },
    body: {
      ErrorCode: "CLIENT_ERROR_FROM_MODEL",
      Message: `Received client error (${status}) from primary`,
      OriginalStatusCode: status,
      OriginalMessage: typeof message === "string" ? message : JSON.stringify(message)
    }
  })
  const errors: ReadonlyArray<readonly [what: string, answer: Answer, reason: string]> = [
    [
      "a prompt that is too long for the container",
      model(400, { error: { message: "maximum context length is 4096 tokens", type: "BadRequestError" } }),
      "ContextWindowExceeded"
    ],
    ["a container that fails", model(500, "CUDA out of memory"), "Unavailable"],
    ["a container with too much to do", model(429, { error: { message: "busy" } }), "RateLimited"],
    ["a request that the container refuses", model(422, "unknown field"), "InvalidRequest"],
    [
      "a model that is still loading",
      { status: 429, headers: { "x-amzn-errortype": "ModelNotReadyException" }, body: { Message: "loading" } },
      "Unavailable"
    ],
    [
      "an endpoint that is not there",
      {
        status: 400,
        headers: { "x-amzn-errortype": "ValidationError" },
        body: { Message: "Endpoint my-llama of account 123456789012 not found." }
      },
      "ModelNotFound"
    ],
    [
      "credentials that have expired",
      {
        status: 403,
        headers: { "x-amzn-errortype": "ExpiredTokenException" },
        body: { Message: `The security token session-of-sagemaker included in the request is expired (${secret})` }
      },
      "Authentication"
    ]
  ]
  it.scopedLive.each(errors)("tells %s", ([_, answer, reason]) =>
    Effect.gen(function* () {
      const up = yield* upstream(() => answer)
      const error = yield* Effect.flip(S.call(yield* service, S.chat(), on(up.origin)))
      assert.strictEqual(error.reason, reason)
      assert.isDefined(error.providerMessage)
      assert.notInclude(JSON.stringify(error), secret)
      assert.notInclude(JSON.stringify(error), "session-of-sagemaker")
    })
  )

  it.scopedLive("tells failures within a stream, damage, and an answer that is cut", () =>
    Effect.gen(function* () {
      const begun = cut(chunk({ content: "Hi" }), 1000)
      const broken = cut(chunk({ content: "Hi" }), 1000)
      broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 0xff
      const cases: ReadonlyArray<readonly [Uint8Array, string]> = [
        [exception("ModelStreamError", { Message: "broke", ErrorCode: "StreamBroken" }), "Unavailable"],
        [exception("InternalStreamFailure", { Message: "failed" }), "Unavailable"],
        [broken, "MalformedResponse"],
        [begun, "StreamInterrupted"]
      ]
      for (const [body, reason] of cases) {
        const up = yield* upstream(() => streamOf(body))
        const stream = S.streaming(yield* S.call(yield* service, S.streamed(), on(up.origin)))
        assert.strictEqual((yield* Effect.flip(S.readAll(stream.events))).reason, reason)
      }
    })
  )
})
