import type { JsonObject } from "@switchyard/core/Json"
import type { Answer, Choice } from "../conversation/Answer.js"
import type {
  AudioPart,
  Citation,
  ImagePart,
  ReasoningPart,
  Signature,
  ToolCallPart
} from "../conversation/Conversation.js"
import { inputOfArguments, isWrapped } from "../parts/customTools.js"
import { urlOf } from "../parts/dataUrls.js"
import { placeId, withSignature } from "../parts/toolIds.js"
import type { AnswerOptions } from "../Translator.js"
import { writeFinish } from "./finish.js"
import { writeReasoning } from "./reasoning.js"
import { writeTokens } from "./usage.js"

/** The form of ids that clients know; those of other dialects are replaced. */
export const answerId = (id: string | undefined, options: AnswerOptions): string =>
  id === undefined || /^(?:msg_|resp_)/.test(id) ? `chatcmpl-${options.id}` : id

/** The id of a call; another dialect's signature travels in it, since most clients drop fields that they do not know. */
export const callId = (
  id: string | undefined,
  signature: Signature | undefined,
  answer: string,
  place: number
): string => {
  const known = id ?? `${placeId(0, place)}_${answer}`
  return signature === undefined || signature.dialect === "chat" ? known : withSignature(known, signature)
}

/**
 * A citation as an annotation, its place counted from the beginning of the message: the text that it is of stands `from` there and
 * has `length` characters, all of which are meant where it names none of them.
 */
export const annotation = (citation: Citation, from: number, length: number): JsonObject | undefined => {
  const { cited, dialect, end, start, title, url, value } = citation
  if (dialect === "chat") return value
  if (url === undefined) return undefined
  return {
    type: "url_citation",
    url_citation: {
      url,
      title: title ?? url,
      start_index: from + (start ?? 0),
      end_index: from + (end ?? start ?? length),
      ...(cited === undefined ? {} : { content: cited })
    }
  }
}

/** A picture as OpenRouter and LiteLLM have it. */
export const imageOf = ({ source }: ImagePart): JsonObject | undefined => {
  const url = urlOf(source)
  return url === undefined ? undefined : { type: "image_url", image_url: { url } }
}

/** A sound as OpenAI has it. */
export const audioOf = ({ extra, source }: AudioPart, id: string): JsonObject => ({
  id: `audio_${id}`,
  data: source.kind === "bytes" ? source.data : "",
  expires_at: 0,
  transcript: "",
  ...extra
})

const callOf = (call: ToolCallPart, options: AnswerOptions, place: number): JsonObject => {
  const id = callId(call.id, call.signature, options.id, place)
  const { name } = call
  if (call.kind === "custom") return { id, type: "custom", custom: { name, input: call.arguments } }
  if (isWrapped(options.conversation.tools, call)) {
    return { id, type: "custom", custom: { name, input: inputOfArguments(call.arguments) } }
  }
  return { id, type: "function", function: { name, arguments: call.arguments }, ...call.extra }
}

/** Chat's own reasoning as it was spelt. */
const reasoningOf = (parts: ReadonlyArray<ReasoningPart>): JsonObject => {
  const spelt = parts[0]?.extra
  return spelt === undefined || spelt.type !== undefined ? writeReasoning(parts) : spelt
}

const messageOf = ({ parts }: Choice, options: AnswerOptions): JsonObject => {
  let content: string | undefined
  let refusal: string | null = null
  const reasoning: Array<ReasoningPart> = []
  const calls: Array<JsonObject> = []
  const images: Array<JsonObject> = []
  const annotations: Array<JsonObject> = []
  let audio: JsonObject | undefined
  let legacy: unknown
  for (const part of parts) {
    switch (part.type) {
      case "text":
        for (const citation of part.citations ?? []) {
          const said = annotation(citation, content?.length ?? 0, part.text.length)
          if (said !== undefined) annotations.push(said)
        }
        content = (content ?? "") + part.text
        break
      case "refusal":
        refusal = (refusal ?? "") + part.text
        break
      case "reasoning":
        reasoning.push(part)
        break
      case "toolCall":
        if (part.extra?.function_call !== undefined) legacy = part.extra.function_call
        else calls.push(callOf(part, options, calls.length))
        break
      case "image": {
        const image = imageOf(part)
        if (image !== undefined) images.push(image)
        break
      }
      case "audio":
        audio ??= audioOf(part, options.id)
        break
      default:
    }
  }
  return {
    role: "assistant",
    content:
      content ?? (calls.length > 0 || refusal !== null || audio !== undefined || legacy !== undefined ? null : ""),
    refusal,
    ...(reasoning.length === 0 ? {} : reasoningOf(reasoning)),
    ...(annotations.length === 0 ? {} : { annotations }),
    ...(images.length === 0 ? {} : { images }),
    ...(audio === undefined ? {} : { audio }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(legacy === undefined ? {} : { function_call: legacy })
  }
}

/** Writes a whole answer. */
export const writeAnswer = (answer: Answer, options: AnswerOptions): JsonObject => ({
  id: answerId(answer.id, options),
  object: "chat.completion",
  created: answer.created ?? options.created,
  model: answer.model ?? options.conversation.model,
  choices: answer.choices.map((choice, index) => ({
    index,
    message: messageOf(choice, options),
    logprobs: choice.logprobs ?? null,
    finish_reason: choice.finish === undefined ? null : writeFinish(choice.finish)
  })),
  ...(answer.usage === undefined ? {} : { usage: writeTokens(answer.usage) }),
  ...(answer.serviceTier === undefined ? {} : { service_tier: answer.serviceTier }),
  ...answer.extra
})
