/**
 * A whole answer as Gemini says it.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Answer, Choice, Finish } from "../../conversation/Answer.js"
import type { Part, ToolCallPart } from "../../conversation/Conversation.js"
import type { Tokens } from "../../conversation/Tokens.js"
import { objectOf, parsedObject } from "../../parts/values.js"
import type { AnswerOptions } from "../../Translator.js"
import { given, objectsOf } from "../parts/spelling.js"
import { type PartOptions, writePart } from "../parts/writeParts.js"
import { reasonFor } from "./finish.js"
import { type Cited, type Said, writeGrounding, writeLogprobs } from "./grounding.js"
import { callId } from "./readAnswer.js"
import { readTokens, writeTokens } from "./tokens.js"

/** Parts of an answer: every signature goes along, others' as such. */
export const answerParts: PartOptions = { isOwn: false, signs: () => true, hasMediaInResults: true }
const ownParts: PartOptions = { ...answerParts, isOwn: true }

/** Whether a call's arguments are an object, as Gemini's are always. */
export const isWhole = (call: ToolCallPart): boolean =>
  call.kind === "custom" || call.arguments === "" || parsedObject(call.arguments) !== undefined

/** How Gemini tells of a call that is none. */
export const malformed = (call: ToolCallPart): string =>
  `Malformed function call: ${call.name}(${call.arguments.slice(0, 500)})`

const sameTokens = (one: Tokens, other: Tokens | undefined): boolean =>
  other !== undefined &&
  one.uncached === other.uncached &&
  one.cacheRead === other.cacheRead &&
  one.text === other.text &&
  one.reasoning === other.reasoning

class ChoiceWriter {
  readonly parts: Array<JsonObject> = []
  readonly texts: Array<Said> = []
  readonly cited: Array<Cited> = []
  broken: string | undefined
  private calls = 0

  constructor(
    private readonly options: PartOptions,
    /** Of an answer that was read here: ids that were made in reading are not said. */
    private readonly id: string | undefined
  ) {}

  add(part: Part): void {
    if (part.type === "toolCall") {
      const number = this.calls++
      if (!isWhole(part)) {
        this.broken ??= malformed(part)
        return
      }
      const isMade = this.options.isOwn && part.id === callId(this.id, part.name, number)
      return this.push(isMade ? { ...part, id: undefined } : part)
    }
    if (part.type === "text") {
      const at = this.parts.length
      for (const citation of part.citations ?? []) this.cited.push({ part: at, citation })
      this.texts.push({ part: at, text: part.text })
    }
    this.push(part)
  }

  private push(part: Part): void {
    for (const written of writePart(part, this.options, this.parts)) this.parts.push(written)
  }
}

const candidateOf = (
  choice: Choice,
  index: number,
  id: string | undefined,
  own: JsonObject | undefined
): JsonObject => {
  const writer = new ChoiceWriter(own === undefined ? answerParts : ownParts, id)
  for (const part of choice.parts) writer.add(part)
  const { broken, cited, parts, texts } = writer
  const finish: Finish | undefined = broken === undefined ? choice.finish : "malformedCall"
  const finishReason = finish === undefined ? {} : { finishReason: reasonFor(finish, choice.reason) }
  if (own !== undefined) {
    const { content, ...rest } = own
    const body = isJsonObject(content) ? { content: { ...content, ...(parts.length > 0 ? { parts } : {}) } } : {}
    return { ...body, ...finishReason, ...rest }
  }
  return {
    content: { parts, role: "model" },
    ...finishReason,
    ...given("finishMessage", broken),
    index,
    ...given("groundingMetadata", writeGrounding(cited, texts)),
    ...(choice.logprobs === undefined ? {} : { logprobsResult: writeLogprobs(choice.logprobs) })
  }
}

/** The body; `extra.gemini` is what `readAnswer` kept. */
export const writeAnswer = (answer: Answer, options: AnswerOptions): JsonObject => {
  const own = answer.extra?.gemini
  const { candidates: kept, usageMetadata: raw, ...rest } = objectOf(own)
  const owned = isJsonObject(own) ? objectsOf(kept) : undefined
  const isBlocked = owned !== undefined && owned.length === 0
  const { usage } = answer
  const isSame = usage === undefined ? raw !== undefined : sameTokens(usage, readTokens(raw))
  const model = answer.model ?? (owned === undefined ? options.conversation.model : undefined)
  const responseId = answer.id ?? (owned === undefined ? options.id : undefined)
  return {
    ...(isBlocked
      ? {}
      : { candidates: answer.choices.map((choice, at) => candidateOf(choice, at, answer.id, owned?.[at])) }),
    ...(isSame ? { usageMetadata: raw } : usage === undefined ? {} : { usageMetadata: writeTokens(usage) }),
    ...given("modelVersion", model),
    ...given("responseId", responseId),
    ...rest
  }
}
