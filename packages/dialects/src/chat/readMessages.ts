import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Part, Signature, ToolCallPart, Turn } from "../conversation/Conversation.js"
import type { Problem } from "../conversation/Problem.js"
import { splitSignature } from "../parts/toolIds.js"
import { asObject, asString, asText, isGiven, others } from "../parts/values.js"
import { pathOf } from "./fields.js"
import { readCache, readCitations, readContent } from "./readParts.js"
import { readReasoning, reasoningFields } from "./reasoning.js"

const roles: ReadonlySet<string> = new Set(["system", "developer", "user", "assistant"])
const isRole = (role: string): role is "system" | "developer" | "user" | "assistant" => roles.has(role)

const ofTurn: ReadonlySet<string> = new Set(["role", "content", "name"])
const ofResult: ReadonlySet<string> = new Set(["role", "content", "tool_call_id", "name"])
const ofAssistant: ReadonlySet<string> = new Set([
  ...ofTurn,
  ...reasoningFields,
  "tool_calls",
  "function_call",
  "refusal",
  "audio",
  "annotations"
])
const ofCall: ReadonlySet<string> = new Set(["id", "type", "function", "custom"])

/** Arguments are text; some clients send the object itself. */
export const argumentsText = (value: unknown): string =>
  typeof value === "string" ? value : isGiven(value) ? JSON.stringify(value) : ""

/** Gemini's signature, as its own compatible endpoint has it. */
const googleSignature = (call: JsonObject): Signature | undefined => {
  const google = asObject(asObject(call.extra_content)?.google)
  const value = asText(google?.thought_signature) ?? asText(asObject(call.function)?.thought_signature)
  return value === undefined ? undefined : { dialect: "gemini", value }
}

/** A call of a tool as it stands in a message. */
export const readCall = (call: unknown): ToolCallPart | undefined => {
  if (!isJsonObject(call)) return undefined
  const custom = call.type === "custom" ? asObject(call.custom) : undefined
  const said = custom ?? asObject(call.function)
  const name = asString(said?.name)
  if (said === undefined || name === undefined) return undefined
  const { id, signature = googleSignature(call) } = splitSignature(asString(call.id) ?? "")
  const left = others(call, ofCall)
  return {
    type: "toolCall",
    id: id === "" ? undefined : id,
    name,
    kind: custom === undefined ? "function" : "custom",
    arguments: custom === undefined ? argumentsText(said.arguments) : (asString(said.input) ?? ""),
    signature,
    extra: call.type === undefined ? { ...left, type: undefined } : left
  }
}

const legacyCall = (value: unknown): ToolCallPart | undefined => {
  const name = isJsonObject(value) ? asText(value.name) : undefined
  if (!isJsonObject(value) || name === undefined) return undefined
  const extra = { function_call: value }
  return { type: "toolCall", id: undefined, name, kind: "function", arguments: argumentsText(value.arguments), extra }
}

const withSignatures = (parts: ReadonlyArray<Part>): ReadonlyArray<Part> => {
  // OpenRouter tells the signature of a Gemini call among the thoughts, by the call's id.
  const signatures = new Map<string, Signature>()
  for (const part of parts) {
    if (part.type === "reasoning" && part.id !== undefined && part.signature?.dialect === "gemini") {
      signatures.set(part.id, part.signature)
    }
  }
  if (signatures.size === 0) return parts
  return parts.map((part) =>
    part.type === "toolCall" && part.id !== undefined && part.signature === undefined
      ? { ...part, signature: signatures.get(part.id) }
      : part
  )
}

const cited = (parts: ReadonlyArray<Part>, annotations: unknown): ReadonlyArray<Part> => {
  const citations = readCitations(annotations)
  const at = citations === undefined ? -1 : parts.findIndex((part) => part.type === "text")
  return at === -1 ? parts : parts.map((part, place) => (place === at ? { ...part, citations } : part) as Part)
}

const audioOf = (audio: unknown): ReadonlyArray<Part> => {
  if (!isJsonObject(audio)) return []
  const data = asText(audio.data)
  const id = asText(audio.id)
  if (data !== undefined) return [{ type: "audio", source: { kind: "bytes", mime: "audio/wav", data }, extra: audio }]
  return id === undefined ? [] : [{ type: "audio", source: { kind: "id", id }, extra: audio }]
}

/** What the assistant says in a message, the content being read already. */
export const readAssistant = (message: JsonObject, content: ReadonlyArray<Part>): ReadonlyArray<Part> => {
  const reasoning = readReasoning(message)
  const parts: Array<Part> = [...reasoning, ...cited(content, message.annotations)]
  const refusal = asText(message.refusal)
  if (refusal !== undefined) parts.push({ type: "refusal", text: refusal })
  if (isJsonObject(message.audio)) parts.push(...audioOf(message.audio))
  for (const call of arrayOf(message.tool_calls)) {
    const read = readCall(call)
    if (read !== undefined) parts.push(read)
  }
  const legacy = legacyCall(message.function_call)
  if (legacy !== undefined) parts.push(legacy)
  return reasoning.some(({ id }) => id !== undefined) ? withSignatures(parts) : parts
}

/** What an assistant's message says with nothing in it: `null`, `[]`, an empty string. */
const idle = (
  message: JsonObject,
  extra: JsonObject | undefined,
  parts: ReadonlyArray<Part>
): JsonObject | undefined => {
  const left: Record<string, unknown> = { ...extra }
  for (const name of ["refusal", "audio", "annotations", "tool_calls", "function_call"]) {
    const value = message[name]
    if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) left[name] = value
  }
  if (message.annotations !== undefined) left.annotations = message.annotations
  if (message.name === null) left.name = null
  if (isJsonObject(message.audio) && !parts.some(({ type }) => type === "audio")) left.audio = message.audio
  if (isJsonObject(message.function_call) && !parts.some(({ extra }) => extra?.function_call !== undefined)) {
    left.function_call = message.function_call
  }
  if (!parts.some(({ type }) => type === "reasoning")) {
    for (const name of reasoningFields) if (name in message) left[name] = message[name]
  }
  return left
}

/** A name that is `null` is none, and stands there again. */
const named = (message: JsonObject, extra: JsonObject | undefined): JsonObject | undefined =>
  message.name === null ? { ...extra, name: null } : extra

const resultOf = (message: JsonObject, content: ReadonlyArray<Part>, at: number): Turn => {
  const id = asText(message.tool_call_id)
  const name = asText(message.name)
  const left = named(message, others(message, ofResult))
  return {
    role: "tool",
    parts: [
      {
        type: "toolResult",
        id: id === undefined ? undefined : splitSignature(id).id,
        name,
        kind: "function",
        content
      }
    ],
    at,
    isBare: typeof message.content === "string",
    extra: message.role === "function" ? { ...left, role: "function" } : left
  }
}

const readMessage = (message: unknown, at: number): Turn | Problem => {
  if (!isJsonObject(message)) return { path: pathOf(at), expected: "expected an object with a role" }
  const role = asString(message.role)
  const content = readContent(message.content)
  if (content === undefined) return { path: `${pathOf(at)}.content`, expected: "expected a string or a list of parts" }
  if (role === "tool" || role === "function") return resultOf(message, content, at)
  if (role === undefined || !isRole(role)) {
    return { path: `${pathOf(at)}.role`, expected: "expected system, developer, user, assistant or tool" }
  }
  const isBare = typeof message.content === "string"
  const isEmpty = message.content === null || (Array.isArray(message.content) && message.content.length === 0)
  const name = asString(message.name)
  if (role === "assistant") {
    const parts = readAssistant(message, content)
    const extra = idle(message, others(message, ofAssistant), parts)
    return { role, parts, at, name, isBare, extra: isEmpty ? { ...extra, content: message.content } : extra }
  }
  const extra = named(message, others(message, ofTurn))
  return { role, parts: content, at, name, isBare, extra: isEmpty ? { ...extra, content: message.content } : extra }
}

/** A mark of the cache may stand beside the content, as it does for many who write it as a string: it is the last part's. */
const marked = (turn: Turn): Turn => {
  const cache = readCache(turn.extra?.cache_control)
  const last = turn.parts.at(-1)
  if (cache === undefined || last === undefined || last.cache !== undefined || last.type === "reasoning") return turn
  return { ...turn, parts: [...turn.parts.slice(0, -1), { ...last, cache }] }
}

/** The turns of a list of messages; what is wrong with them goes to `problems`. */
export const readMessages = (messages: unknown, problems: Array<Problem>): ReadonlyArray<Turn> => {
  if (!Array.isArray(messages)) {
    problems.push({ path: "messages", expected: "expected a list of messages" })
    return []
  }
  const turns: Array<Turn> = []
  messages.forEach((message: unknown, at) => {
    const turn = readMessage(message, at)
    if ("expected" in turn) problems.push(turn)
    else turns.push(marked(turn))
  })
  return turns
}
