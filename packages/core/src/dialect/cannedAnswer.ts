import type { JsonObject } from "../json/Json.js"
import * as StandIn from "../json/StandIn.js"
import type { CannedRequest, Stamp } from "./Dialect.js"

/** What OpenAI allows: choices of one answer, and inputs of one embeddings request. */
const mostChoices = 128
const mostInputs = 2_048

/** Numbers in a vector when the request names none, and the most that it may name. */
const defaultDimensions = 8
const mostDimensions = 8_192

const whole = (value: unknown, most: number, otherwise: number): number =>
  typeof value === "number" && value >= 1 ? Math.min(Math.floor(value), most) : otherwise

const isNumbers = (value: unknown): boolean =>
  typeof value === "number" || (typeof value === "string" && StandIn.numbersOf(value) > 0)

/** How many things a prompt or an input asks for: a list of numbers is one, in tokens. */
const parts = (value: unknown): number =>
  Array.isArray(value) && value.length > 0 && !isNumbers(value[0]) ? value.length : 1

const choicesOf = ({ body, operation }: CannedRequest): number =>
  Math.min(mostChoices, whole(body.n, mostChoices, 1) * (operation === "completion" ? parts(body.prompt) : 1))

const usageOf = ({ inputTokens }: CannedRequest, output: number): JsonObject => ({
  prompt_tokens: inputTokens,
  completion_tokens: output,
  total_tokens: inputTokens + output
})

const textUsage = (request: CannedRequest, text: string): JsonObject =>
  usageOf(request, Math.ceil(text.length / 4) * choicesOf(request))

const each = <A>(count: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, index) => make(index))

/** A unit vector, as a list or, where the request wants that, as the bytes of its floats in base64. */
const vector = ({ body }: CannedRequest): unknown => {
  const numbers = new Float32Array(whole(body.dimensions, mostDimensions, defaultDimensions))
  numbers[0] = 1
  if (body.encoding_format !== "base64") return Array.from(numbers)
  let bytes = ""
  for (const byte of new Uint8Array(numbers.buffer)) bytes += String.fromCharCode(byte)
  return btoa(bytes)
}

/** A whole answer in OpenAI's shape, with this text in each of its choices; its usage is estimated. */
export const cannedAnswer = (request: CannedRequest, text: string, stamp: Stamp): JsonObject => {
  const { model, operation } = request
  switch (operation) {
    case "embeddings": {
      const embedding = vector(request)
      const count = Math.min(mostInputs, parts(request.body.input))
      const data = each(count, (index) => ({ object: "embedding", index, embedding }))
      return { object: "list", data, model, usage: usageOf(request, 0) }
    }
    case "completion": {
      const choices = each(choicesOf(request), (index) => ({ text, index, logprobs: null, finish_reason: "stop" }))
      return { ...stamp, object: "text_completion", model, choices, usage: textUsage(request, text) }
    }
    default: {
      const message = { role: "assistant", content: text, refusal: null }
      const choices = each(choicesOf(request), (index) => ({ index, message, logprobs: null, finish_reason: "stop" }))
      return { ...stamp, object: "chat.completion", model, choices, usage: textUsage(request, text) }
    }
  }
}

/** The same answer chunk by chunk, word by word, its usage in the last one. */
export const cannedChunks = (request: CannedRequest, text: string, stamp: Stamp): ReadonlyArray<JsonObject> => {
  const { model } = request
  const isChat = request.operation === "chat"
  const object = isChat ? "chat.completion.chunk" : "text_completion"
  const count = choicesOf(request)
  const chunk = (fields: JsonObject, finish: string | null): ReadonlyArray<JsonObject> =>
    each(count, (index) => {
      const choice = { index, ...fields, logprobs: null, finish_reason: finish }
      return { ...stamp, object, model, choices: [choice] }
    })
  const words = text.split(/(?<= )/).filter((word) => word !== "")
  return [
    ...(isChat ? chunk({ delta: { role: "assistant", content: "" } }, null) : []),
    ...words.flatMap((word) => chunk(isChat ? { delta: { content: word } } : { text: word }, null)),
    ...chunk(isChat ? { delta: {} } : { text: "" }, "stop"),
    { ...stamp, object, model, choices: [], usage: textUsage(request, text) }
  ]
}
