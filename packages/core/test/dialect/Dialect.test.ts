import { assert, describe, it } from "@effect/vitest"
import * as AnswerView from "@switchyard/core/AnswerView"
import * as BaseService from "@switchyard/core/BaseService"
import * as Deployment from "@switchyard/core/Deployment"
import { eventOf } from "@switchyard/core/Dialect"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Reasoning from "@switchyard/core/Reasoning"
import * as StateOrigins from "@switchyard/core/StateOrigins"
import * as StubLlm from "@switchyard/testing/StubLlm"
import * as Tin from "@switchyard/testing/TinDialect"
import { Effect, Either, FastCheck as fc, Stream } from "effect"

const problems = (body: unknown, options: LlmRequest.DialectOptions = {}) =>
  Either.match(LlmRequest.decodeIn(Tin.dialect, "chat", body, options), {
    onLeft: ({ description }) => description,
    onRight: () => "none"
  })

describe("a request in a dialect", () => {
  it("is checked by its dialect, and takes model and stream from beside the payload where they stand there", () => {
    assert.strictEqual(problems([]), "body: expected an object")
    assert.strictEqual(problems({}), "model: expected a string that is not empty; lines: expected a list")
    assert.strictEqual(problems({ lines: [] }, { model: "m" }), "none")
    const inBody = LlmRequest.of(Tin.dialect, "chat", { engine: "m", lines: [], live: true })
    const inPath = LlmRequest.of(Tin.dialect, "chat", { lines: [] }, { model: "m", stream: true })
    assert.deepStrictEqual([inBody.model, inBody.stream], [inPath.model, inPath.stream])
    assert.strictEqual(inBody.dialect, Tin.dialect)
    assert.isUndefined(LlmRequest.of(openAi, "chat", { model: "m", messages: [] }).dialect)
  })

  it("answers every question through its dialect", () => {
    const request = Tin.request({
      gadgets: [1, 2],
      cap: 7,
      shape: "json_schema",
      ponder: true,
      max_tokens: 1,
      tools: []
    })
    assert.deepStrictEqual(
      [
        LlmRequest.tools(request).length,
        LlmRequest.maxOutputTokens(request),
        LlmRequest.responseFormat(request),
        LlmRequest.asksForReasoning(request)
      ],
      [2, 7, "json_schema", true]
    )
    assert.strictEqual(LlmRequest.estimateInputTokens(Tin.request({ lines: [{ says: "x".repeat(40) }] })), 10)
    const attempt = (body: JsonObject) => StubLlm.attempt(Tin.request(body), StubLlm.slot("a"))
    assert.deepStrictEqual(
      [{ ponder: true }, {}, { reasoning_effort: "high" }].map((body) => Reasoning.isExpected(attempt(body))),
      [true, false, false]
    )
    assert.deepStrictEqual(
      [{ lane: "flex" }, { service_tier: "flex" }].map((body) => Reasoning.isFlex(attempt(body))),
      [true, false]
    )
  })
})

/** Fields that mean something in OpenAI's dialect, with anything in them. */
const anyValue = fc.oneof(fc.constantFrom(null, "", "stop", "text", 1, -1, true, {}, []), fc.jsonValue({ maxDepth: 1 }))
const anyObject =
  (...names: ReadonlyArray<string>) =>
  (value: fc.Arbitrary<unknown>) =>
    fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 })
const anyList = (item: fc.Arbitrary<unknown>) => fc.oneof(anyValue, fc.array(item, { maxLength: 3 }))
const anyPart = anyObject("type", "text", "function", "signature")(anyValue)
const anyMessage = anyObject("role", "content", "tool_calls", "thinking_blocks")(anyList(anyPart))
const anyChoice = anyObject("message", "delta", "text", "finish_reason", "index")(fc.oneof(anyValue, anyMessage))
const anyBody = fc
  .tuple(
    anyObject(
      "prompt",
      "input",
      "n",
      "stream",
      "response_format",
      "usage",
      "error",
      "data",
      "reasoning",
      "options"
    )(anyValue),
    anyList(anyMessage),
    anyList(anyChoice)
  )
  .map(([rest, messages, choices]): JsonObject => ({ ...rest, messages, choices }))

it("OpenAI's words survive any JSON", () => {
  const { answer, request } = openAi
  fc.assert(
    fc.property(
      anyBody,
      fc.constantFrom("chat" as const, "completion" as const, "embeddings" as const),
      (body, operation) => {
        request.problems(operation, body)
        request.size(operation, body)
        for (const turn of request.turns(operation, body)) for (const part of turn.parts) assert.isString(part.type)
        request.beginning(operation, body)
        request.states(body)
        request.prefilled(operation, body, "x")
        assert.isAtLeast(request.choices(operation, body), 1)
        request.asksForReasoning(body)
        request.overlay(body, body)
        answer.failure(operation, body)
        answer.view(body)
        answer.identity(body)
        for (const part of answer.turn(body)?.parts ?? []) assert.isString(part.type)
        answer.issued(body)
        answer.isFiltered(body)
        assert.isAtLeast(answer.characters(body), 0)
        answer.canned({ operation, model: "m", body, inputTokens: 1 }, "x", { id: "i", created: 0 })
        const delivered = answer.delivered?.()
        const fold = answer.fold()
        for (const event of answer.events(body)) {
          delivered?.read(event)
          delivered?.joint("x")?.take(event)
          fold.add(event)
        }
        fold.answer()
      }
    ),
    { numRuns: 200 }
  )
})

const queue = (clock: Parameters<typeof makeQueue>[0], onMissingFinish: "cut" | "accept" = "cut") =>
  makeQueue(clock, onMissingFinish)
const makeQueue = (clock: ConstructorParameters<typeof EventQueue>[0]["clock"], onMissingFinish: "cut" | "accept") =>
  new EventQueue({ clock, startedAt: 0, estimateInputTokens: () => 3, dialect: Tin.dialect, onMissingFinish })
const said = (json: JsonObject) => eventOf(Tin.dialect.answer, json)

describe("a stream in a dialect", () => {
  it.effect("is read by its dialect: first content, state, usage, the end, the text that is kept", () =>
    Effect.map(Effect.clock, (clock) => {
      const events = queue(clock)
      events.push(said({ kind: "open", ref: "r-1", engine: "tin-1" }))
      assert.isFalse(events.settlement.hasContent)
      events.push(said({ kind: "words", words: "be" }))
      events.keepText(6)
      events.push(said({ kind: "words", words: "tween" }))
      assert.isTrue(events.settlement.hasContent)
      assert.isFalse(events.facts.isWhole)
      events.push(said({ kind: "seal", seal: "wax" }))
      events.push(said({ kind: "close", ended: "filtered", spent: { in: 4, out: 2 } }))
      events.end()
      const { facts, settlement } = events
      assert.deepStrictEqual(
        [facts.id, facts.model, facts.keptText, facts.finishReason],
        ["r-1", "tin-1", "betwee", "content_filter"]
      )
      assert.deepStrictEqual([...facts.issued], ["r-1", "wax"])
      assert.strictEqual(settlement.outcome?._tag, "Completed")
      assert.strictEqual(settlement.outcome?.usage?.outputTokens, 2)
    })
  )

  it.effect("is cut where it does not say why it ends, and estimated where it tells no usage", () =>
    Effect.map(Effect.clock, (clock) => {
      const cut = queue(clock)
      cut.push(said({ kind: "open" }))
      cut.push(said({ kind: "words", words: "12345678" }))
      assert.deepStrictEqual([cut.usage().outputTokens, cut.usage().estimated], [2, true])
      cut.end(true)
      assert.strictEqual(cut.settlement.outcome?._tag, "Failed")
      const accepted = queue(clock, "accept")
      accepted.push(said({ kind: "words", words: "x" }))
      accepted.end(true)
      assert.strictEqual(accepted.settlement.outcome?._tag, "Failed", "the dialect adds no finish")
    })
  )

  it.effect("fails by its own error events alone", () =>
    Effect.map(Effect.clock, (clock) => {
      const events = queue(clock)
      events.push(said({ kind: "open", error: { message: "no error in this dialect" }, type: "error" }))
      assert.strictEqual(events.heard, 1)
      events.push(said({ kind: "oops", why: "the kettle is empty" }))
      const { outcome } = events.settlement
      assert.strictEqual(outcome?._tag === "Failed" ? outcome.error.providerMessage : undefined, "the kettle is empty")
    })
  )

  it.effect("is collected through its dialect", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "one two" })
      const view = yield* AnswerView.collect(LlmService.stream(stub.requests, Tin.request()), Tin.dialect.answer)
      assert.deepStrictEqual([view.text, view.finishReason, view.usage?.outputTokens], ["one two", "stop", 2])
    })
  )
})

describe("a client of one's own", () => {
  const body: JsonObject = { words: "two words", ended: "done", spent: { in: 1, out: 2 } }
  const handlers: BaseService.Handlers = {
    complete: () => Effect.succeed(body),
    stream: () => Stream.fromIterable(Tin.dialect.answer.events(body).map(({ json }) => json))
  }

  it.effect("is not asked in a dialect that it does not name, and may name some or any", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(LlmService.complete(BaseService.forRequests(handlers), Tin.request()))
      assert.deepStrictEqual([refused.reason, refused.code], ["InvalidRequest", "dialect"])
      for (const dialects of ["any", ["tin"]] as const) {
        const service = BaseService.forRequests({ ...handlers, dialects })
        const answer = yield* LlmService.complete(service, Tin.request())
        assert.deepStrictEqual([answer.body.words, answer.outcome.usage?.outputTokens], ["two words", 2])
        const events = yield* Stream.runCollect(LlmService.stream(service, Tin.request()))
        assert.deepStrictEqual(
          [...events].map(({ event }) => event),
          ["open", "words", "words", "close"]
        )
      }
    })
  )

  it.effect("gets the provider's model where the dialect has a place for it, and no field of OpenAI's", () =>
    Effect.gen(function* () {
      const seen: Array<JsonObject> = []
      const service = BaseService.make({
        ...handlers,
        dialects: "any",
        complete: (request) => {
          seen.push(request.body)
          return Effect.succeed(body)
        }
      })
      const slot = StubLlm.slot("a", { model: "tin-9", defaults: { cap: 5, heat: 1 } })
      yield* service.call(StubLlm.attempt(Tin.request({ cap: 7 }), slot))
      yield* service.call(StubLlm.attempt(LlmRequest.of(Tin.dialect, "chat", { lines: [] }, { model: "m" }), slot))
      assert.deepStrictEqual(seen, [
        { engine: "tin-9", lines: [{ by: "me", says: "Hi" }], cap: 7, heat: 1 },
        { lines: [], cap: 5, heat: 1 }
      ])
    })
  )

  it.effect("answers a request for a stream with a whole answer, which comes as the events of the dialect", () =>
    Effect.gen(function* () {
      const service = BaseService.forRequests({ ...handlers, dialects: "any" })
      const whole = {
        ...service,
        call: (request: LlmRequest.LlmRequest) => service.call({ ...request, stream: false })
      }
      const events = yield* Stream.runCollect(LlmService.stream(whole, Tin.request({ live: true })))
      assert.deepStrictEqual(
        [...events].map(({ event }) => event),
        ["open", "words", "words", "close"]
      )
    })
  )
})

describe("the account of a deployment", () => {
  const make = (id: string, more: object) => Deployment.make({ id, group: "m", model: "m", ...more })
  const a = make("a", { provider: "p", baseUrl: "https://p", apiKey: "one" })

  it.each([
    ["the same key at the same place", { provider: "p", baseUrl: "https://p", apiKey: "one", model: "other" }, true],
    ["another key", { provider: "p", baseUrl: "https://p", apiKey: "two" }, false],
    ["another place", { provider: "p", baseUrl: "https://q", apiKey: "one" }, false],
    ["another provider", { provider: "q", baseUrl: "https://p", apiKey: "one" }, false]
  ])("is told by provider, place and key: %s", (_, more, expected) => {
    const b = make("b", more)
    assert.strictEqual(Deployment.isSameAccount(a, b), expected)
    const carrying = { origins: new Map([["wax", a]]) }
    assert.strictEqual(StateOrigins.foreignTo(carrying, b).has("wax"), !expected)
    assert.isTrue(Deployment.isSameAccount(a, make("a", { provider: "elsewhere" })))
  })
})
