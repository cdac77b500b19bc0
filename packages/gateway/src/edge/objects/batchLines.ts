/**
 * The lines of a batch's file: each is a request, and held to what requests are held to. They are read and written one by one, so that
 * a file is never held whole.
 */
import { membersOf, stringify } from "@switchyard/core/ExactJson"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { responses } from "@switchyard/dialects/Responses"
import { fateOf } from "../calls/foreignFields.js"

/** Bytes of one line. */
const maxLine = 32 * 1024 * 1024

/** Output tokens to reckon with where a line sets no bound. */
const assumedOutput = 4096

/** A line that refuses its file. */
export class BadLine extends Error {
  override readonly name = "BadLine"
  constructor(
    readonly line: number,
    readonly why: string
  ) {
    super(`line ${line}: ${why}`)
  }
}

/** Tokens that lines may use together. */
export interface LineTokens {
  input: number
  output: number
}

/** What is done with the model that a line names: the provider's own name in its place, or why it is refused. */
export type Renamed = (model: string) => { readonly model: string } | { readonly refused: string }

const newline = 0x0a
const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The lines of a file, with their numbers; empty ones are left out. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<readonly [number, string]> {
  let rest: Array<Uint8Array> = []
  let size = 0
  let number = 0
  const line = (last: Uint8Array): readonly [number, string] | undefined => {
    const bytes = rest.length === 0 ? last : Buffer.concat([...rest, last])
    rest = []
    size = 0
    number++
    let text: string
    try {
      text = utf8.decode(bytes).trim()
    } catch {
      throw new BadLine(number, "it is not valid UTF-8")
    }
    return text === "" ? undefined : [number, text]
  }
  for await (const chunk of source) {
    let from = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      const found = line(chunk.subarray(from, at))
      from = at + 1
      if (found !== undefined) yield found
    }
    size += chunk.length - from
    if (size > maxLine) throw new BadLine(number + 1, `it is longer than ${maxLine} bytes`)
    if (from < chunk.length) rest.push(Uint8Array.prototype.slice.call(chunk, from))
  }
  const found = size === 0 ? undefined : line(new Uint8Array(0))
  if (found !== undefined) yield found
}

const operationAt = (url: unknown): LlmRequest.Operation | "responses" | undefined => {
  switch (typeof url === "string" ? url.replace(/^\/?(?:openai\/)?(?:v1\/)?/, "") : undefined) {
    case "chat/completions":
      return "chat"
    case "completions":
      return "completion"
    case "embeddings":
      return "embeddings"
    case "moderations":
      return "moderation"
    case "responses":
      return "responses"
    default:
      return undefined
  }
}

const requestOf = (
  operation: LlmRequest.Operation | "responses",
  body: JsonObject
): LlmRequest.LlmRequest | undefined => {
  if (operation === "responses") return LlmRequest.of(responses, "chat", body)
  return operation === "chat" || operation === "completion" || operation === "embeddings"
    ? ({ ...LlmRequest.chat({ model: "", messages: [] }), operation, body } as LlmRequest.LlmRequest)
    : undefined
}

const parsed = (line: number, text: string): JsonObject => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BadLine(line, "it is not valid JSON")
  }
  if (!isJsonObject(value)) throw new BadLine(line, "it is JSON, but not an object")
  return value
}

/**
 * One line as it goes on: with the provider's name of its model, and written anew, so that no field of it is read in two ways.
 * Throws `BadLine`.
 */
export const checked = (line: number, text: string, renamed: Renamed, tokens: LineTokens): string => {
  const { body, ...rest } = parsed(line, text)
  const { custom_id: id, method, url } = rest
  const refuse = (why: string): never => {
    throw new BadLine(line, why)
  }
  if (typeof id !== "string" || id === "") refuse("custom_id: expected a string that is not empty")
  if (method !== "POST") refuse('method: expected "POST"')
  const operation = operationAt(url)
  if (operation === undefined) return refuse("url: expected the path of an endpoint like /v1/chat/completions")
  if (!isJsonObject(body)) return refuse("body: expected an object")
  const { model } = body
  if (typeof model !== "string" || model === "") return refuse("body.model: expected a string that is not empty")
  const own = Object.keys(body).find((name) => fateOf(name) === "refused")
  if (own !== undefined) refuse(`body.${own.slice(0, 100)}: where a request goes is not its own to say`)
  const named = renamed(model)
  if ("refused" in named) return refuse(`body.model: ${named.refused}`)
  const request = requestOf(operation, body)
  if (request !== undefined) {
    const words = LlmRequest.wordsOf(request)
    tokens.input += LlmRequest.estimateInputTokens(request)
    if (operation !== "embeddings") {
      tokens.output += (words.largestOutputBound(body) ?? assumedOutput) * words.choices(request.operation, body)
    }
  }
  return written(text, { ...rest, body: { ...body, model: named.model } }, body)
}

const asText = (json: string | Uint8Array): string => (typeof json === "string" ? json : Buffer.from(json).toString())

/** A line with its body, whose numbers have the digits that the line gives them. `was` is the body before it was changed. */
const written = (text: string, line: JsonObject & { readonly body: JsonObject }, was: JsonObject): string => {
  const { body } = line
  const members = membersOf(text, { ...line, body: was })
  if (members === undefined) return JSON.stringify(line)
  const within = members.get("body")
  const inBody = within === undefined ? undefined : membersOf(within.text, was)
  const ofBody = inBody === undefined ? JSON.stringify(body) : asText(stringify(body, inBody))
  return asText(stringify(line, new Map([...members, ["body", { value: body, text: ofBody }]])))
}

/** Usage in a file of results, line by line. */
export const usageOfResults = async (
  source: AsyncIterable<Uint8Array>,
  add: (usage: unknown) => void
): Promise<void> => {
  for await (const [line, text] of linesOf(source)) {
    const { response } = parsed(line, text)
    if (isJsonObject(response) && isJsonObject(response.body)) add(response.body.usage)
  }
}
