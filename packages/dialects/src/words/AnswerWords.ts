/**
 * What the tower reads of a dialect's answers, made of its translator: a dialect says only what no translator can know.
 */
import type {
  AnswerWords,
  Delivered,
  EventFold,
  EventReader,
  StreamEvent,
  StreamFacts,
  Turn,
  TurnPart
} from "@switchyard/core/Dialect"
import type { JsonObject } from "@switchyard/core/Json"
import type { Usage } from "@switchyard/core/Usage"
import { Either } from "effect"
import type { Answer, AnswerEvent, Choice } from "../conversation/Answer.js"
import type { Part } from "../conversation/Conversation.js"
import { toUsage } from "../conversation/Tokens.js"
import { lengthOf } from "../parts/lengths.js"
import type { Translator, WireEvent } from "../Translator.js"
import { AnswerFold } from "./AnswerFold.js"
import { answerSteps } from "./answerSteps.js"
import { DeliveredAnswer } from "./continued.js"
import { finishWords } from "./finishWords.js"
import { optionsWithout } from "./optionsWithout.js"

/** What a translator cannot know. */
export interface AnswerHints {
  /** The text that an event adds to the first choice; empty for all else. */
  readonly text: (json: JsonObject) => string
  /** The name that an event goes by on the wire; left out where events have none. */
  readonly eventName?: (json: JsonObject) => string | undefined
  /** Why the provider blocked the prompt; undefined when it did not. */
  readonly blocked?: (body: JsonObject) => string | undefined
  /** The whole answer, where an event holds it. */
  readonly whole?: (json: JsonObject) => JsonObject | undefined
  /** Whether an embeddings answer holds any; default: no answer does. */
  readonly hasEmbeddings?: (body: JsonObject) => boolean
  /** In place of the one that goes by the translator's own events; false where streams cannot be taken up again. */
  readonly delivered?: (() => Delivered) | false
}

const textsOf = (choice: Choice | undefined, type: "text" | "reasoning" | "refusal"): string => {
  let text = ""
  for (const part of choice?.parts ?? []) if (part.type === type) text += part.text
  return text
}

const turnPart = (part: Part): TurnPart => {
  if (part.type === "text") return { type: "text", text: part.text }
  if (part.type === "toolCall") return { type: "tool_call", name: part.name, arguments: part.arguments }
  return { type: "other", name: part.type }
}

const wordOf = ({ finish }: Choice): ReadonlyArray<string> => (finish === undefined ? [] : [finishWords[finish]])

const tellFacts = (said: AnswerEvent, facts: StreamFacts): void => {
  switch (said.type) {
    case "start":
      facts.named(said.id, said.model)
      return facts.began(0)
    case "text":
    case "refusal":
      if (said.text.length > 0) facts.content(said.text.length, said.choice)
      return
    case "reasoning":
      if (said.text.length > 0) facts.reasoned(said.text.length)
      return
    case "signature":
      facts.issue(said.signature.value)
      return facts.reasoned(0)
    case "toolCall":
      if (said.signature !== undefined) facts.issue(said.signature.value)
      return facts.toolCall(said.name.length, said.choice)
    case "arguments":
      return facts.toolCall(said.text.length, said.choice)
    case "part":
      return facts.content(0, said.choice)
    case "finish":
      return facts.ended(finishWords[said.finish], said.choice)
    case "usage":
      return facts.used(toUsage(said.usage))
  }
}

class FactReader implements EventReader {
  private readonly inner

  constructor(
    translator: Translator,
    readonly textOf: (json: JsonObject) => string
  ) {
    this.inner = translator.eventReader()
  }

  read({ event, json }: StreamEvent, facts: StreamFacts): void {
    this.inner.read(json, (said) => tellFacts(said, facts), event)
  }

  text({ json }: StreamEvent): string {
    return this.textOf(json)
  }
}

/** The words of a dialect's answers. */
export const ofTranslator = (translator: Translator, hints: AnswerHints): AnswerWords => {
  const answers = new WeakMap<JsonObject, Either.Either<Answer, string>>()
  const read = (body: JsonObject): Either.Either<Answer, string> => {
    const known = answers.get(body)
    if (known !== undefined) return known
    const answer = translator.readAnswer(body)
    answers.set(body, answer)
    return answer
  }
  const choicesOf = (body: JsonObject): ReadonlyArray<Choice> =>
    Either.match(read(body), { onLeft: () => [], onRight: ({ choices }) => choices })
  const usageOf = (body: JsonObject): Usage | undefined => {
    const answer = read(body)
    return Either.isRight(answer) && answer.right.usage !== undefined ? toUsage(answer.right.usage) : undefined
  }
  const eventOf = ({ event, json }: WireEvent): StreamEvent => {
    const data = JSON.stringify(json)
    return event === undefined ? { data, json } : { event, data, json }
  }
  const errorIn = (body: JsonObject): JsonObject | undefined => {
    const said = translator.readError(body)
    if (said === undefined) return undefined
    const { code, message, param, status, type } = said
    return {
      message,
      ...(code === undefined ? {} : { code }),
      ...(type === undefined ? {} : { type }),
      ...(param === undefined ? {} : { param }),
      ...(status === undefined ? {} : { status })
    }
  }
  const { blocked, delivered, hasEmbeddings, whole } = hints
  return {
    failure: (operation, body) => {
      const error = errorIn(body)
      if (error !== undefined) return { _tag: "error", error }
      if (operation === "embeddings") return hasEmbeddings?.(body) === true ? undefined : { _tag: "empty" }
      const why = blocked?.(body)
      if (why !== undefined) return { _tag: "blocked", why }
      return choicesOf(body).length === 0 ? { _tag: "empty" } : undefined
    },
    usage: usageOf,
    characters: (body) => {
      let sum = 0
      for (const { parts } of choicesOf(body)) sum += lengthOf(parts)
      return sum
    },
    view: (body) => {
      const first = choicesOf(body)[0]
      return {
        text: textsOf(first, "text"),
        reasoning: textsOf(first, "reasoning"),
        refusal: textsOf(first, "refusal") || undefined,
        toolCalls: (first?.parts ?? []).flatMap((part) =>
          part.type === "toolCall" ? [{ id: part.id, name: part.name, arguments: part.arguments }] : []
        ),
        finishReason: first === undefined ? undefined : wordOf(first)[0],
        usage: usageOf(body),
        body
      }
    },
    identity: (body) => {
      const answer = read(body)
      const { id, model } = Either.isRight(answer) ? answer.right : { id: undefined, model: undefined }
      return { id, model, finishReasons: choicesOf(body).flatMap(wordOf) }
    },
    turn: (body): Turn | undefined => {
      const first = choicesOf(body)[0]
      return first === undefined ? undefined : { role: "assistant", parts: first.parts.map(turnPart) }
    },
    issued: (body) => {
      const answer = read(body)
      const found: Array<string> = []
      if (Either.isLeft(answer)) return found
      if (answer.right.id !== undefined) found.push(answer.right.id)
      for (const { parts } of answer.right.choices) {
        for (const part of parts) {
          if ((part.type === "reasoning" || part.type === "text" || part.type === "toolCall") && part.signature) {
            found.push(part.signature.value)
          }
        }
      }
      return found
    },
    isFiltered: (body) => choicesOf(body).some(({ finish }) => finish === "filter" || finish === "refusal"),
    error: ({ json }) => errorIn(json),
    ...(hints.eventName === undefined ? {} : { eventName: hints.eventName }),
    reader: () => new FactReader(translator, hints.text),
    fold: (): EventFold => {
      const reader = translator.eventReader()
      const fold = new AnswerFold()
      let held: JsonObject | undefined
      return {
        add: ({ event, json }) => {
          held = whole?.(json) ?? held
          reader.read(json, (said) => fold.add(said), event)
        },
        answer: () => held ?? translator.writeAnswer(fold.answer(), optionsWithout)
      }
    },
    events: (body) => {
      const answer = read(body)
      if (Either.isLeft(answer)) return [eventOf({ json: body })]
      const events: Array<StreamEvent> = []
      const tell = (event: WireEvent): void => void events.push(eventOf(event))
      const writer = translator.eventWriter(optionsWithout)
      answerSteps(answer.right, (said) => {
        if (said.type !== "end") writer.write(said, tell)
      })
      writer.end(tell)
      return events
    },
    ...(delivered === false ? {} : { delivered: delivered ?? (() => new DeliveredAnswer(translator)) }),
    canned: ({ inputTokens, model }, text, { created, id }) =>
      translator.writeAnswer(
        {
          model,
          created,
          choices: [{ parts: [{ type: "text", text }], finish: "stop" }],
          usage: {
            uncached: inputTokens,
            cacheRead: 0,
            cacheWrite: 0,
            text: Math.ceil(text.length / 4),
            reasoning: 0
          }
        },
        { ...optionsWithout, id, created, conversation: { ...optionsWithout.conversation, model } }
      )
  }
}
