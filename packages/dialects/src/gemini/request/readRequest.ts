/**
 * A request of Gemini's as a conversation.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Conversation, Part, Turn } from "../../conversation/Conversation.js"
import type { Problem } from "../../conversation/Problem.js"
import { asText, isGiven, others } from "../../parts/values.js"
import type { Given } from "../../Translator.js"
import { readPart } from "../parts/readParts.js"
import { extraOf, field, known, listOf, objectsOf } from "../parts/spelling.js"
import { readSettings } from "./readSettings.js"
import { readChoice, readTools } from "./tools.js"

const bodyFields = known("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model")
const contentFields = known("role", "parts")

/** A bare string is a part that says it: SDKs' callers forget the wrapping. */
const partsOf = (value: unknown): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  for (const part of listOf(value)) {
    if (isJsonObject(part)) parts.push(readPart(part))
    else if (typeof part === "string") parts.push({ type: "text", text: part })
  }
  return parts
}

/** `function` is the role that results of functions once had. */
const roles: Readonly<Record<string, Turn["role"]>> = { model: "assistant", function: "tool", system: "system" }

const turnOf = (content: JsonObject, at: number): Turn => {
  const said = asText(content.role)
  const role = (said === undefined ? undefined : roles[said]) ?? "user"
  const extra = others(content, contentFields)
  const parts = partsOf(content.parts)
  return extra === undefined ? { role, parts, at } : { role, parts, at, extra }
}

const instructions = (value: unknown): Turn | undefined => {
  if (typeof value === "string") return { role: "system", parts: [{ type: "text", text: value }], at: -1 }
  if (!isJsonObject(value)) return undefined
  const role = asText(value.role)
  const extra = { ...extraOf(value, contentFields).extra, ...(role === undefined ? {} : { role }) }
  return { role: "system", parts: partsOf(value.parts), at: -1, ...(Object.keys(extra).length > 0 ? { extra } : {}) }
}

const turnsOf = (body: JsonObject): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  const system = instructions(field(body, "systemInstruction"))
  if (system !== undefined) turns.push(system)
  if (typeof body.contents === "string") {
    turns.push({ role: "user", parts: [{ type: "text", text: body.contents }], at: 0 })
  }
  let at = 0
  for (const content of listOf(body.contents)) {
    if (isJsonObject(content)) turns.push(turnOf(content, at))
    at++
  }
  return turns
}

/** What is wrong with a payload, where nothing can be made of it. */
export const problemsOf = (body: JsonObject): ReadonlyArray<Problem> => {
  const { contents } = body
  const problems: Array<Problem> = []
  if (typeof contents === "string" ? contents === "" : listOf(contents).length === 0) {
    problems.push({ path: "contents", expected: "expected a list of at least one content" })
  } else {
    let at = 0
    for (const content of listOf(contents)) {
      if (problems.length >= 8) break
      const place = at++
      if (typeof content === "string") continue
      if (!isJsonObject(content)) problems.push({ path: `contents[${place}]`, expected: "expected an object" })
      else if (typeof content.parts !== "string" && !listOf(content.parts).every(isPart)) {
        problems.push({ path: `contents[${place}].parts`, expected: "expected a list of objects" })
      }
    }
  }
  for (const name of ["generationConfig", "toolConfig"]) {
    const value = field(body, name)
    if (value !== undefined && !isJsonObject(value)) problems.push({ path: name, expected: "expected an object" })
  }
  return problems
}

const isPart = (part: unknown): boolean => isJsonObject(part) || typeof part === "string"

/** `models/gemini-2.5-flash` and a path of Vertex's both name the model by their end. */
export const modelName = (model: string): string => {
  const publisher = model.lastIndexOf("/models/")
  if (publisher !== -1) return model.slice(publisher + 8)
  return model.startsWith("models/") ? model.slice(7) : model
}

/** The whole request; the model and whether it streams stand in the path. */
export const readRequest = (body: JsonObject, given?: Given): Either.Either<Conversation, ReadonlyArray<Problem>> => {
  const problems = problemsOf(body)
  if (problems.length > 0) return Either.left(problems)
  const { rest: restOfConfig, settings } = readSettings(field(body, "generationConfig"))
  const { rest: restOfChoice, toolChoice } = readChoice(field(body, "toolConfig"))
  const extra: Record<string, unknown> = { ...extraOf(body, bodyFields).extra, ...restOfConfig }
  for (const name in restOfChoice) extra[`toolConfig.${name}`] = restOfChoice[name]
  for (const name in extra) if (!isGiven(extra[name])) delete extra[name]
  return Either.right({
    origin: "gemini",
    model: given?.model ?? modelName(asText(body.model) ?? ""),
    stream: given?.stream ?? false,
    turns: turnsOf(body),
    tools: readTools(objectsOf(body.tools)),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    settings,
    extra
  })
}
