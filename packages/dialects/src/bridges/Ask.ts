/**
 * Requests of libraries that model conversations themselves, as the router takes them: in chat's words, which hold thoughts and
 * their states, and which every deployment can be asked in.
 */
import type { ChatBody } from "@switchyard/core/Chat"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { Either } from "effect"
import { writeRequest } from "../chat/writeRequest.js"
import type { Settings, Tool, ToolChoice, Turn } from "../conversation/Conversation.js"

/** What is asked. */
export interface Ask {
  /** The model group. */
  readonly model: string
  readonly stream: boolean
  readonly turns: ReadonlyArray<Turn>
  readonly tools: ReadonlyArray<Tool>
  readonly toolChoice: ToolChoice | undefined
  readonly settings: Settings
  /** Further fields, as chat has them; they beat what is said above. */
  readonly extra: JsonObject
}

/** The request; fails with `InvalidRequest` that names what cannot be said. */
export const request = (
  { extra, model, ...asked }: Ask,
  options: LlmRequest.RequestOptions = {}
): Either.Either<LlmRequest.LlmRequest, LlmError> => {
  const { messages: _, model: __, stream: ___, ...fields } = extra
  const written = writeRequest({ origin: "chat", model, ...asked, extra: fields }, { model })
  return Either.mapBoth(written, {
    onLeft: (problems) =>
      new LlmError({
        reason: "InvalidRequest",
        description: problems.map(({ expected, path }) => `${path}: ${expected}`).join("; "),
        code: "invalid_request"
      }),
    onRight: ({ body }) => LlmRequest.chat(body as unknown as ChatBody, options)
  })
}

const unknownToStrict = ["allOf", "oneOf", "not", "if", "patternProperties", "prefixItems"]

const isClosed = (schema: JsonObject): boolean => {
  const properties = isJsonObject(schema.properties) ? schema.properties : {}
  const required = arrayOf(schema.required)
  return (
    schema.additionalProperties === false &&
    Object.entries(properties).every(([name, one]) => required.includes(name) && isStrictPart(one))
  )
}

const isStrictPart = (schema: unknown): boolean => {
  if (!isJsonObject(schema) || unknownToStrict.some((name) => name in schema)) return false
  if (schema.$ref !== undefined || schema.enum !== undefined || schema.const !== undefined) return true
  if (Array.isArray(schema.anyOf)) return schema.anyOf.every(isStrictPart)
  const types = Array.isArray(schema.type) ? schema.type : [schema.type]
  if (types.includes("object") && !isClosed(schema)) return false
  if (types.includes("array") && !isStrictPart(schema.items)) return false
  return schema.type !== undefined
}

/**
 * Whether a schema keeps the rules of OpenAI's strict mode, so that answers can be held to it: an object, closed as all in it,
 * every field required.
 */
export const isStrict = (schema: JsonObject): boolean =>
  schema.type === "object" &&
  isStrictPart(schema) &&
  [schema.$defs, schema.definitions].every((defs) => !isJsonObject(defs) || Object.values(defs).every(isStrictPart))
