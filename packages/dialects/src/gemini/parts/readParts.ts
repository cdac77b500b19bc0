/**
 * Parts of a turn, of requests and answers alike.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Part, Signature, ToolResultPart } from "../../conversation/Conversation.js"
import { asString, asText, objectOf, others } from "../../parts/values.js"
import { readFile, readInline } from "./media.js"
import { readSignature, type Signed } from "./signatures.js"
import { extraOf, field, given, known, objectsOf } from "./spelling.js"

const textFields = known("text", "thought", "thoughtSignature")
const callFields = known("functionCall", "thoughtSignature")
const mediaFields = known("inlineData", "fileData")
const responseFields = known("id", "name", "parts")

const signedOf = (part: JsonObject): Signed | undefined => {
  const value = asText(field(part, "thoughtSignature"))
  return value === undefined ? undefined : readSignature(value)
}

const signatureIn = (signed: Signed | undefined): { readonly signature?: Signature } =>
  signed === undefined ? {} : { signature: signed.signature }

const opaque = (value: JsonObject): Part => ({ type: "opaque", dialect: "gemini", value })

/** Names under which tools are wont to put a text. */
const plainNames: ReadonlySet<string> = new Set(["output", "result", "content", "return_value", "error"])

/** What a tool answered, in words: the text where it is all there is, else the whole as JSON. */
const wordsOf = (response: JsonObject): string => {
  const [name, ...more] = Object.keys(response)
  if (name === undefined) return ""
  const only = response[name]
  return more.length === 0 && plainNames.has(name) && typeof only === "string" ? only : JSON.stringify(response)
}

const readResult = (result: JsonObject): ToolResultPart => {
  const response = objectOf(field(result, "response"))
  const content: Array<Part> = []
  const words = wordsOf(response)
  if (words !== "") content.push({ type: "text", text: words })
  for (const part of objectsOf(field(result, "parts"))) content.push(readPart(part))
  return {
    type: "toolResult",
    id: asText(field(result, "id")),
    ...given("name", asString(field(result, "name"))),
    kind: "function",
    content,
    ...(Object.hasOwn(response, "error") ? { isError: true } : {}),
    ...extraOf(result, responseFields)
  }
}

/** The arguments of a call as JSON text. */
export const argumentsOf = (call: JsonObject): string => {
  const args = field(call, "args")
  return isJsonObject(args) ? JSON.stringify(args) : "{}"
}

/** A part; one that is unknown here stays as it is. */
export const readPart = (part: JsonObject): Part => {
  const { text } = part
  if (typeof text === "string") {
    const signed = signedOf(part)
    const extra = others(part, textFields)
    if (signed === undefined && extra === undefined && part.thought !== true) return { type: "text", text }
    return part.thought === true
      ? {
          type: "reasoning",
          text,
          ...signatureIn(signed),
          ...(signed?.isRedacted === true ? { isRedacted: true } : {}),
          ...given("extra", extra)
        }
      : { type: "text", text, ...signatureIn(signed), ...given("extra", extra) }
  }
  const call = field(part, "functionCall")
  if (isJsonObject(call)) {
    return {
      type: "toolCall",
      id: asText(field(call, "id")),
      name: asString(field(call, "name")) ?? "",
      kind: "function",
      arguments: argumentsOf(call),
      ...signatureIn(signedOf(part)),
      ...extraOf(part, callFields)
    }
  }
  const result = field(part, "functionResponse")
  if (isJsonObject(result)) return readResult(result)
  const inline = field(part, "inlineData")
  const file = field(part, "fileData")
  const media = isJsonObject(inline) ? readInline(inline) : isJsonObject(file) ? readFile(file) : undefined
  return media === undefined ? opaque(part) : { ...media, ...extraOf(part, mediaFields) }
}
