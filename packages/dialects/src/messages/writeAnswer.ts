import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Answer, Choice } from "../conversation/Answer.js"
import type { Citation, Part, Signature, ToolCallPart } from "../conversation/Conversation.js"
import { estimated, type Tokens, zero } from "../conversation/Tokens.js"
import { lengthOf } from "../parts/lengths.js"
import { toolId, withSignature, wordIds } from "../parts/toolIds.js"
import type { AnswerOptions } from "../Translator.js"
import { stopReason, writeTokens } from "./tokens.js"
import { inputOf } from "./writeParts.js"

/** The id of a message. */
export const messageId = (id: string | undefined, made: string): string =>
  id?.startsWith("msg_") === true ? id : `msg_${made}`

/** The id of a call; it carries the signature of a provider that signs calls. */
export const toolUseId = (
  { id, signature }: Pick<ToolCallPart, "id" | "signature">,
  made: string,
  place: number
): string => {
  const own = toolId(id ?? `toolu_${made}_${place}`, wordIds)
  return signature === undefined ? own : withSignature(own, signature)
}

/** A signature in the place of Anthropic's own: that of another dialect says whose it is. */
export const signatureOf = (signature: Signature | undefined, id?: string): string => {
  if (signature === undefined) return ""
  return signature.dialect === "messages" ? signature.value : withSignature(id ?? "", signature)
}

/** A citation as Anthropic has it; undefined where the other dialect's has no page to name. */
export const writeCitation = ({ cited, dialect, title, url, value }: Citation): JsonObject | undefined => {
  if (dialect === "messages") return value
  if (url === undefined) return undefined
  return { type: "web_search_result_location", cited_text: cited ?? "", encrypted_index: "", title: title ?? null, url }
}

const withCache = (block: Record<string, unknown>, { extra }: Part): JsonObject => {
  if (extra !== undefined) for (const name in extra) block[name] = extra[name]
  return block
}

/** A block of an answer; undefined for what only another dialect can say. */
export const writeAnswerBlock = (part: Part, made: string, place: number): JsonObject | undefined => {
  switch (part.type) {
    case "text": {
      const citations = part.citations?.flatMap((one) => writeCitation(one) ?? [])
      const cited = citations === undefined || citations.length === 0 ? {} : { citations }
      return withCache({ type: "text", text: part.text, ...cited }, part)
    }
    case "refusal":
      return { type: "text", text: part.text }
    case "reasoning":
      return part.isRedacted === true && part.signature?.dialect === "messages"
        ? withCache({ type: "redacted_thinking", data: part.signature.value }, part)
        : withCache({ type: "thinking", thinking: part.text, signature: signatureOf(part.signature, part.id) }, part)
    case "toolCall":
      return withCache(
        { type: "tool_use", id: toolUseId(part, made, place), name: part.name, input: inputOf(part) },
        part
      )
    case "opaque":
      return part.dialect === "messages" ? part.value : undefined
    case "toolResult":
      return undefined
    case "image":
    case "audio":
    case "video":
    case "file":
      return {
        type: "text",
        text: `[${part.type === "audio" ? "a sound" : `a ${part.type}`} that this API cannot carry]`
      }
  }
}

/** Why a choice ended, in Anthropic's words; a provider of others that says `stop` beside calls waits for their results all the same. */
export const reasonOf = ({ finish, reason, stopSequence }: Omit<Choice, "parts">, hasCalls: boolean): string => {
  const said = stopReason(finish ?? "stop", reason, stopSequence)
  return said === "end_turn" && said !== reason && hasCalls ? "tool_use" : said
}

/** Usage, with what Anthropic alone tells of it. */
export const usageOf = (usage: JsonObject, extra: JsonObject | undefined): JsonObject =>
  isJsonObject(extra?.usage) ? { ...usage, ...extra.usage } : usage

/** Fields of the whole answer that Anthropic alone has, without those of its usage. */
export const restOf = (extra: JsonObject | undefined): JsonObject | undefined => {
  if (extra === undefined || extra.usage === undefined) return extra
  const { usage: _, ...rest } = extra
  return rest
}

/** Figures for an answer of which none are told: Anthropic's clients count on them. */
export const guessed = ({ estimateInput }: AnswerOptions, characters: number): Tokens =>
  estimateInput === undefined ? zero : estimated(estimateInput(), characters)

/** A whole message: the first of the answers, since Anthropic gives one. */
export const writeAnswer = ({ choices, extra, id, model, usage }: Answer, options: AnswerOptions): JsonObject => {
  const choice: Choice = choices[0] ?? { parts: [], finish: undefined }
  const content: Array<JsonObject> = []
  for (const [place, part] of choice.parts.entries()) {
    const block = writeAnswerBlock(part, options.id, place)
    if (block !== undefined) content.push(block)
  }
  const hasCalls = choice.parts.some(({ type }) => type === "toolCall")
  return {
    id: messageId(id, options.id),
    type: "message",
    role: "assistant",
    model: model ?? options.conversation.model,
    content,
    stop_reason: reasonOf(choice, hasCalls),
    stop_sequence: choice.stopSequence ?? null,
    usage: usageOf(writeTokens(usage ?? guessed(options, lengthOf(choice.parts))), extra),
    ...restOf(extra)
  }
}
