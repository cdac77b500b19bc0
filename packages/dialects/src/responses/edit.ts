import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { splitSignature } from "../parts/toolIds.js"
import { callIdOf } from "./request/writeItems.js"
import { isSealed } from "./seal.js"

/** Chat's names of what Responses has too. */
const renamed: Readonly<Record<string, string>> = {
  max_tokens: "max_output_tokens",
  max_completion_tokens: "max_output_tokens"
}

/** Default parameters in chat's words, or in its own, in its own. */
export const defaults = (given: JsonObject): JsonObject => {
  const own: Record<string, unknown> = {}
  const within = (field: string, name: string, value: unknown): void => {
    const known = own[field]
    own[field] = { ...(isJsonObject(known) ? known : {}), [name]: value }
  }
  for (const name in given) {
    const value = given[name]
    const to = Object.hasOwn(renamed, name) ? renamed[name] : undefined
    if (to !== undefined) own[to] ??= value
    else if (name === "reasoning_effort") within("reasoning", "effort", value)
    else if (name === "verbosity") within("text", "verbosity", value)
    else if (name === "response_format") {
      const schema = isJsonObject(value) && isJsonObject(value.json_schema) ? value.json_schema : undefined
      within("text", "format", schema === undefined ? value : { type: "json_schema", ...schema })
    } else if (name === "stream_options") continue
    else if ((name === "text" || name === "reasoning") && isJsonObject(value)) {
      for (const inner in value) within(name, inner, value[inner])
    } else own[name] = value
  }
  return own
}

const isForeignCall = (id: unknown): id is string =>
  typeof id === "string" && splitSignature(id).signature !== undefined

/** Without what other dialects sealed into it: the provider would refuse thoughts that are none of its own. */
const withoutSeals = (input: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  let kept: Array<unknown> | undefined
  input.forEach((item, at) => {
    const isThought = isJsonObject(item) && item.type === "reasoning" && isSealed(item.encrypted_content)
    const isCall = isJsonObject(item) && isForeignCall(item.call_id)
    if (isThought || isCall) kept ??= input.slice(0, at)
    if (isThought || kept === undefined) return
    kept.push(isCall ? { ...item, call_id: callIdOf(splitSignature(item.call_id as string).id) } : item)
  })
  return kept ?? input
}

/** The same request to the same dialect but for the model, streaming, defaults below the caller's fields, and sealed state. */
export const edit = (
  body: JsonObject,
  edits: { readonly model: string; readonly stream: boolean; readonly defaults: JsonObject }
): JsonObject => {
  const edited: Record<string, unknown> = { ...body, model: edits.model }
  if (edits.stream || body.stream !== undefined) edited.stream = edits.stream
  if (Array.isArray(body.input)) edited.input = withoutSeals(body.input)
  for (const name in edits.defaults) {
    const value = edits.defaults[name]
    const said = edited[name]
    if (said === undefined) edited[name] = value
    else if ((name === "text" || name === "reasoning") && isJsonObject(said) && isJsonObject(value)) {
      edited[name] = { ...value, ...said }
    }
  }
  return edited
}
