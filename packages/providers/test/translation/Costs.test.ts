/**
 * One answer costs the same through every dialect: whoever gave it, whoever asked, whole and streamed.
 */
import { assert, describe, it } from "@effect/vitest"
import { StreamFacts } from "@switchyard/core/ChatChunk"
import type { Dialect } from "@switchyard/core/Dialect"
import type { JsonObject } from "@switchyard/core/Json"
import { openAi } from "@switchyard/core/OpenAi"
import type { Usage } from "@switchyard/core/Usage"
import type { Answer } from "@switchyard/dialects/Answer"
import { chat } from "@switchyard/dialects/Chat"
import { cohere } from "@switchyard/dialects/Cohere"
import { converse } from "@switchyard/dialects/Converse"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { ollama } from "@switchyard/dialects/Ollama"
import * as Pair from "@switchyard/dialects/Pair"
import { responses } from "@switchyard/dialects/Responses"
import * as Tokens from "@switchyard/dialects/Tokens"
import type { AnswerOptions, Target, Translator, WireEvent } from "@switchyard/dialects/Translator"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Either, FastCheck } from "effect"

const price = { input: 3, cachedInput: 0.3, cacheWrite: 3.75, output: 15 }
const book = PriceBook.make({ m: price })
const deployment = StubLlm.slot("d", { model: "m" }).deployment

const costOf = (usage: Usage | undefined): number => {
  const known = book.price(deployment)
  if (known === undefined || usage === undefined) throw new Error("no price, or no usage")
  return PriceBook.cost(usage, known)
}

/** Each caller's dialect, and what the tower reads of its answers. */
const callers: ReadonlyArray<readonly [Translator, Dialect]> = [
  [chat, openAi],
  [messages, messages],
  [responses, responses],
  [gemini, gemini]
]

const options: AnswerOptions = {
  conversation: Either.getOrThrow(chat.readRequest({ model: "m", messages: [{ role: "user", content: "Hi" }] })),
  id: "abcdefghijklmnopqrstuvwx",
  created: 1_700_000_000,
  wantsUsage: true
}

const wire = (json: JsonObject): JsonObject => JSON.parse(JSON.stringify(json)) as JsonObject

/** What a stream's settlement is told of its usage. */
const streamed = (
  origin: Translator,
  { answer: words }: Dialect,
  events: ReadonlyArray<WireEvent>
): Usage | undefined => {
  const facts = new StreamFacts()
  const reader = words.reader()
  for (const { event, json } of events) {
    const sent = wire(json)
    const told = { data: JSON.stringify(sent), json: sent, ...(event === undefined ? {} : { event }) }
    if (origin === chat) facts.read(sent)
    else reader.read(told, facts)
  }
  return facts.usage
}

/** An answer of a provider's, whole and as events, in its own dialect. */
interface Given {
  readonly target: Target
  readonly whole: JsonObject
  readonly events: ReadonlyArray<WireEvent>
}

const fromTranslator = (target: Translator, answer: Answer): Given => {
  const events: Array<WireEvent> = []
  const tell = (event: WireEvent): void => void events.push(event)
  const writer = target.eventWriter(options)
  writer.write({ type: "start", model: "m" }, tell)
  writer.write({ type: "text", text: "Hello", choice: 0, part: 0 }, tell)
  writer.write({ type: "finish", choice: 0, finish: "stop" }, tell)
  if (answer.usage !== undefined) writer.write({ type: "usage", usage: answer.usage }, tell)
  writer.end(tell)
  return { target, whole: target.writeAnswer(answer, options), events }
}

/** Those that are only asked, by hand; they tell nothing of thoughts, and Ollama nothing of caches. */
const byHand = (tokens: Tokens.Tokens): ReadonlyArray<Given> => {
  const usage = {
    inputTokens: tokens.uncached,
    cacheReadInputTokens: tokens.cacheRead,
    cacheWriteInputTokens: tokens.cacheWrite,
    outputTokens: Tokens.output(tokens),
    totalTokens: Tokens.input(tokens) + Tokens.output(tokens)
  }
  const bedrock: Given = {
    target: converse,
    whole: { output: { message: { role: "assistant", content: [{ text: "Hello" }] } }, stopReason: "end_turn", usage },
    events: [
      { event: "messageStart", json: { messageStart: { role: "assistant" } } },
      { event: "contentBlockDelta", json: { contentBlockDelta: { contentBlockIndex: 0, delta: { text: "Hello" } } } },
      { event: "messageStop", json: { messageStop: { stopReason: "end_turn" } } },
      { event: "metadata", json: { metadata: { usage } } }
    ]
  }
  const cohereUsage = {
    tokens: { input_tokens: Tokens.input(tokens), output_tokens: Tokens.output(tokens) },
    cached_tokens: tokens.cacheRead
  }
  const cohereAnswer: Given = {
    target: cohere,
    whole: {
      id: "c",
      message: { role: "assistant", content: [{ type: "text", text: "Hello" }] },
      finish_reason: "COMPLETE",
      usage: cohereUsage
    },
    events: [
      { json: { type: "message-start", id: "c", delta: { message: { role: "assistant" } } } },
      { json: { type: "content-delta", index: 0, delta: { message: { content: { text: "Hello" } } } } },
      { json: { type: "message-end", delta: { finish_reason: "COMPLETE", usage: cohereUsage } } }
    ]
  }
  const ollamaWhole = {
    model: "m",
    message: { role: "assistant", content: "Hello" },
    done: true,
    done_reason: "stop",
    prompt_eval_count: Tokens.input(tokens),
    eval_count: Tokens.output(tokens)
  }
  const ollamaAnswer: Given = { target: ollama, whole: ollamaWhole, events: [{ json: ollamaWhole }] }
  return [
    bedrock,
    ...(tokens.cacheWrite === 0 ? [cohereAnswer] : []),
    ...(tokens.cacheWrite === 0 && tokens.cacheRead === 0 ? [ollamaAnswer] : [])
  ]
}

const figure = FastCheck.oneof(FastCheck.constant(0), FastCheck.integer({ min: 1, max: 200_000 }))
const figures: FastCheck.Arbitrary<Tokens.Tokens> = FastCheck.record({
  uncached: figure,
  cacheRead: figure,
  cacheWrite: figure,
  text: FastCheck.integer({ min: 1, max: 100_000 }),
  reasoning: figure
})

describe("one answer", () => {
  it("costs the same through every dialect, whole and streamed", () => {
    FastCheck.assert(
      FastCheck.property(figures, (tokens) => {
        const answer: Answer = {
          model: "m",
          choices: [{ parts: [{ type: "text", text: "Hello" }], finish: "stop" }],
          usage: tokens
        }
        const cost = costOf(Tokens.toUsage(tokens))
        const givens = [...callers.map(([target]) => fromTranslator(target, answer)), ...byHand(tokens)]
        for (const { events, target, whole } of givens) {
          for (const [origin, words] of callers) {
            const name = `${origin.name} over ${target.name}`
            const body = wire(Either.getOrThrow(Pair.answer(wire(whole), origin, target, options)))
            assert.closeTo(costOf(words.answer.usage(body)), cost, cost * 1e-9, name)
            const heard: Array<WireEvent> = []
            const tell = (event: WireEvent): void => void heard.push(event)
            const bridge = Pair.events(origin, target, options)
            for (const { event, json } of events) bridge.read(wire(json), tell, event)
            bridge.end(tell)
            assert.closeTo(costOf(streamed(origin, words, heard)), cost, cost * 1e-9, `${name}, streamed`)
          }
        }
      }),
      { numRuns: 25, seed: 12 }
    )
  })
})
