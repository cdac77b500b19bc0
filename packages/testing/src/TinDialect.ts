/**
 * A dialect that no provider speaks, with no field of OpenAI's: what a layer knows of a request or an answer in it, it has
 * read through the dialect.
 *
 * A request: `{ engine, live, lines: [{ by: "boss" | "me" | "bot", says, seal }], gadgets, cap, picture, shape, ponder, lane,
 * after, copies, heat }`. An answer: `{ ref, engine, words, seals, ended, spent: { in, out } }`, or `{ oops }`. Events: `open`,
 * `words`, `gadget`, `close`, `oops`, by their `kind`.
 */
import type {
  CannedRequest,
  Delivered,
  Dialect,
  EventReader,
  Joint,
  ProviderState,
  StreamEvent,
  StreamFacts,
  Turn
} from "@switchyard/core/Dialect"
import { eventOf } from "@switchyard/core/Dialect"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as PromptSize from "@switchyard/core/PromptSize"
import { Splice } from "@switchyard/core/Splice"
import { type Usage, zero } from "@switchyard/core/Usage"

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)

const linesOf = (body: JsonObject): ReadonlyArray<JsonObject> => arrayOf(body.lines).filter(isJsonObject)

const states = (body: JsonObject): ReadonlyArray<ProviderState> => [
  ...linesOf(body).flatMap(({ seal }) =>
    typeof seal === "string" ? [{ kind: "seal", value: seal, hard: false }] : []
  ),
  ...(typeof body.after === "string" ? [{ kind: "earlier answer", value: body.after, hard: true }] : [])
]

const saidBy = (body: JsonObject, by: string): unknown => linesOf(body).find((line) => line.by === by)?.says

const usageOf = ({ spent }: JsonObject): Usage | undefined =>
  isJsonObject(spent)
    ? { ...zero, inputTokens: numberOf(spent.in) ?? 0, outputTokens: numberOf(spent.out) ?? 0 }
    : undefined

const finishes: Readonly<Record<string, string>> = { done: "stop", capped: "length", filtered: "content_filter" }

const reader: EventReader = {
  read: ({ json }: StreamEvent, facts: StreamFacts) => {
    switch (json.kind) {
      case "open":
        facts.named(json.ref, json.engine)
        return facts.began()
      case "seal":
        facts.reasoned(0)
        return facts.issue(textOf(json.seal))
      case "words":
        return facts.content(textOf(json.words).length)
      case "gadget":
        return facts.toolCall(textOf(json.gadget).length)
      case "close": {
        const usage = usageOf(json)
        if (usage !== undefined) facts.used(usage)
        return facts.ended(finishes[textOf(json.ended)] ?? "stop")
      }
    }
  },
  text: ({ json }) => (json.kind === "words" ? textOf(json.words) : "")
}

class DeliveredTin implements Delivered {
  text = ""
  hasText = false
  isFixed = false
  private hasBegun = false

  read({ json }: StreamEvent): void {
    this.hasBegun = true
    if (json.kind === "gadget") this.isFixed = true
    if (json.kind !== "words") return
    this.hasText = true
    this.text += textOf(json.words)
  }

  joint(repeated: string): Joint | undefined {
    if (!this.hasBegun) return undefined
    const splice = new Splice(repeated)
    return {
      get isDone() {
        return splice.isDone
      },
      take: (event) => {
        const { json } = event
        if (json.kind === "open") return []
        if (json.kind !== "words") return splice.isDone ? [event] : undefined
        const rest = splice.take(textOf(json.words))
        if (rest === undefined) return undefined
        return rest === "" ? [] : [eventOf(dialect.answer, { ...json, words: rest })]
      }
    }
  }
}

const whole = ({ inputTokens, model }: CannedRequest, words: string, id: string): JsonObject => ({
  ref: id,
  engine: model,
  words,
  ended: "done",
  spent: { in: inputTokens, out: Math.ceil(words.length / 4) }
})

const events = ({ ended, engine, ref, seals, spent, words }: JsonObject): ReadonlyArray<JsonObject> => [
  { kind: "open", ref, engine },
  ...arrayOf(seals).map((seal) => ({ kind: "seal", seal })),
  ...textOf(words)
    .split(/(?<= )/)
    .map((word) => ({ kind: "words", words: word })),
  { kind: "close", ended, ...(spent === undefined ? {} : { spent }) }
]

/** The dialect. */
export const dialect: Dialect = {
  name: "tin",
  request: {
    promptFields: ["lines"],
    textFields: ["lines", "gadgets"],
    problems: (_, body) => (Array.isArray(body.lines) ? [] : ["lines: expected a list"]),
    model: (body) => body.engine,
    modelField: "engine",
    streams: (body) => body.live === true,
    size: (_, body) => PromptSize.ofConversation(body.lines, body.gadgets),
    maxOutputTokens: (body) => numberOf(body.cap),
    largestOutputBound: (body) => numberOf(body.cap),
    choices: (_, body) => numberOf(body.copies) ?? 1,
    tools: (body) => arrayOf(body.gadgets),
    responseFormat: (body) => (typeof body.shape === "string" ? body.shape : undefined),
    hasImages: (body) => body.picture !== undefined,
    asksForReasoning: (body) => (typeof body.ponder === "boolean" ? body.ponder : undefined),
    serviceTier: (body) => body.lane,
    settings: (body) => ({ temperature: body.heat, maxTokens: body.cap, choices: body.copies }),
    turns: (_, body) =>
      linesOf(body).map(({ by, says }): Turn => ({ role: textOf(by), parts: [{ type: "text", text: textOf(says) }] })),
    beginning: (_, body) => ({ system: saidBy(body, "boss"), user: saidBy(body, "me") }),
    states,
    overlay: (below, above) => ({ ...below, ...above }),
    prefilled: (_, body, text) => ({ ...body, lines: [...linesOf(body), { by: "bot", says: text }] }),
    isBeyondText: (body) => (numberOf(body.copies) ?? 1) > 1
  },
  answer: {
    failure: (_, body) => {
      if (typeof body.oops === "string") return { _tag: "error", error: { message: body.oops } }
      return typeof body.words === "string" ? undefined : { _tag: "empty" }
    },
    usage: usageOf,
    characters: (body) => textOf(body.words).length,
    view: (body) => ({
      text: textOf(body.words),
      reasoning: "",
      refusal: undefined,
      toolCalls: [],
      finishReason: finishes[textOf(body.ended)],
      usage: usageOf(body),
      body
    }),
    identity: ({ ended, engine, ref }) => ({ id: ref, model: engine, finishReasons: [textOf(ended)] }),
    turn: (body) => ({ role: "bot", parts: [{ type: "text", text: textOf(body.words) }] }),
    issued: ({ ref, seals }) => [textOf(ref), ...arrayOf(seals).map(textOf)],
    isFiltered: (body) => body.ended === "filtered",
    error: ({ json }) => (json.kind === "oops" ? { message: json.why } : undefined),
    eventName: (json) => textOf(json.kind),
    reader: () => reader,
    fold: () => {
      const seen: Array<StreamEvent> = []
      const first = (kind: string): JsonObject => seen.find(({ json }) => json.kind === kind)?.json ?? {}
      return {
        add: (event) => {
          seen.push(event)
        },
        answer: () => {
          const { engine, ref } = first("open")
          const { ended, spent } = first("close")
          return { ref, engine, words: seen.map(reader.text).join(""), ended, spent }
        }
      }
    },
    events: (body) => events(body).map((json) => eventOf(dialect.answer, json)),
    delivered: () => new DeliveredTin(),
    canned: (asked, text, { id }) => whole(asked, text, id)
  }
}

/** A request in the dialect, to group `m` where the body names no engine. */
export const request = (body: JsonObject = {}, options: LlmRequest.DialectOptions = {}): LlmRequest.LlmRequest =>
  LlmRequest.of(dialect, "chat", { engine: "m", lines: [{ by: "me", says: "Hi" }], ...body }, options)
