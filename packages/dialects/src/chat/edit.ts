import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { openAi } from "@switchyard/core/OpenAi"
import { splitSignature } from "../parts/toolIds.js"

const hasSeal = (id: unknown): id is string => typeof id === "string" && id.includes("__sig_")

const unsealedCalls = (calls: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  calls.map((call) => (isJsonObject(call) && hasSeal(call.id) ? { ...call, id: splitSignature(call.id).id } : call))

const unsealedMessage = (message: unknown): unknown => {
  if (!isJsonObject(message)) return message
  if (hasSeal(message.tool_call_id)) {
    return { ...message, tool_call_id: splitSignature(message.tool_call_id).id }
  }
  const { tool_calls: calls } = message
  const isSealed = Array.isArray(calls) && calls.some((call) => isJsonObject(call) && hasSeal(call.id))
  return isSealed ? { ...message, tool_calls: unsealedCalls(calls) } : message
}

/** Messages whose ids carry no other dialect's signature; the same list where none does. */
const unsealed = (messages: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  let copy: Array<unknown> | undefined
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at]
    const clean = unsealedMessage(message)
    if (clean === message) continue
    copy ??= [...messages]
    copy[at] = clean
  }
  return copy ?? messages
}

const isEmpty = (object: JsonObject): boolean => {
  for (const _ in object) return false
  return true
}

/** The same request with the provider's model, the defaults below it, and no signatures of others in the ids of its calls. */
export const edit = (
  body: JsonObject,
  { defaults, model, stream }: { readonly model: string; readonly stream: boolean; readonly defaults: JsonObject }
): JsonObject => {
  const laid = isEmpty(defaults) ? { ...body } : openAi.request.overlay(defaults, body)
  laid.model = model
  laid.stream = stream
  if (Array.isArray(body.messages)) laid.messages = unsealed(body.messages)
  return laid
}
