/**
 * What Hugging Face's containers at SageMaker that take no chats are told and tell: a text to go on with, in words of their own.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Shape, Stamp } from "./protocol.js"

/** The containers refuse none at all. */
const least = { temperature: 0.01, max_new_tokens: 1 } as const

const numberOr = (value: unknown, smallest: number): unknown => (value === 0 ? smallest : value)

/** A prompt in the containers' words; a parameter that nobody here knows goes on as it is. */
export const writeText = (body: JsonObject): JsonObject => {
  const {
    echo,
    max_completion_tokens: newer,
    max_tokens: older,
    model: _,
    n,
    prompt,
    stop,
    stream,
    stream_options: __,
    temperature,
    user: ___,
    ...rest
  } = body
  const bound = numberOr(newer ?? older, least.max_new_tokens)
  return {
    inputs: Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt,
    parameters: {
      ...rest,
      ...(bound === undefined ? {} : { max_new_tokens: bound }),
      ...(temperature === undefined ? {} : { temperature: numberOr(temperature, least.temperature) }),
      ...(stop === undefined || stop === null ? {} : { stop: typeof stop === "string" ? [stop] : stop }),
      ...(n === undefined || n === 1 ? {} : { best_of: n, do_sample: true }),
      ...(rest.return_full_text === undefined ? { return_full_text: echo === true } : {})
    },
    ...(stream === true ? { stream: true } : {})
  }
}

const finishOf = (reason: unknown): string => (reason === "length" ? "length" : "stop")

const usageOf = (details: unknown): JsonObject => {
  const { generated_tokens: written, input_length: length, prefill } = isJsonObject(details) ? details : {}
  const read = typeof length === "number" ? length : arrayOf(prefill).length
  if (typeof written !== "number" || read === 0) return {}
  return { usage: { prompt_tokens: read, completion_tokens: written, total_tokens: read + written } }
}

/** The containers' answers as completions of a text. */
export const textShape = (model: string, { created, id }: Stamp): Shape => {
  const head = { id: `cmpl-${id}`, object: "text_completion", created, model }
  return {
    ofList: ([first]) => (isJsonObject(first) ? first : {}),
    answer: (body) => {
      const text = body.generated_text ?? body.generation
      if (typeof text !== "string") return body
      const { details } = body
      const reason = isJsonObject(details) ? details.finish_reason : undefined
      const choice = { index: 0, text, logprobs: null, finish_reason: finishOf(reason) }
      return { ...head, choices: [choice], ...usageOf(details) }
    },
    events:
      () =>
      ({ details, generated_text: whole, token }) => {
        const { special, text } = isJsonObject(token) ? token : {}
        const isLast = typeof whole === "string" || isJsonObject(details)
        const said = typeof text === "string" && special !== true ? text : ""
        const reason = isJsonObject(details) ? details.finish_reason : undefined
        const choice = { index: 0, text: said, logprobs: null, finish_reason: isLast ? finishOf(reason) : null }
        return { ...head, choices: [choice], ...usageOf(details) }
      }
  }
}
