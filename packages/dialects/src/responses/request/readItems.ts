import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { OpaquePart, Part, ReasoningPart, ToolCallPart, Turn } from "../../conversation/Conversation.js"
import type { FieldClass, Problem } from "../../conversation/Problem.js"
import { flatName } from "../../parts/namespaces.js"
import { splitSignature } from "../../parts/toolIds.js"
import { asString, asText } from "../../parts/values.js"
import { keep } from "../own.js"
import { unseal } from "../seal.js"
import { contentAsParts } from "./readContent.js"

/** Items without which the rest means something else: other dialects refuse them. */
const meaningful: ReadonlySet<string> = new Set(["item_reference", "compaction", "compaction_summary"])

/** An item that only Responses knows. */
export const opaqueItem = (item: JsonObject): OpaquePart => {
  const fieldClass: FieldClass | undefined = meaningful.has(String(item.type)) ? "meaning" : undefined
  return {
    type: "opaque",
    dialect: "responses",
    value: item,
    ...(fieldClass === undefined ? {} : { fieldClass }),
    extra: keep(item)
  }
}

/** A call of a function or of a tool of free text. */
export const callItem = (item: JsonObject): ToolCallPart => {
  const isCustom = item.type === "custom_tool_call"
  const namespace = asText(item.namespace)
  const name = asString(item.name) ?? ""
  const said = asText(item.call_id) ?? asText(item.id)
  const { id, signature } = said === undefined ? { id: undefined, signature: undefined } : splitSignature(said)
  const written = isCustom ? item.input : item.arguments
  return {
    type: "toolCall",
    id,
    name: namespace === undefined ? name : flatName(name, namespace),
    kind: isCustom ? "custom" : "function",
    arguments: typeof written === "string" ? written : written === undefined ? "" : JSON.stringify(written),
    ...(namespace === undefined ? {} : { namespace }),
    ...(signature === undefined ? {} : { signature }),
    extra: keep(item)
  }
}

const textsIn = (list: unknown): ReadonlyArray<string> =>
  arrayOf(list).flatMap((one) => (isJsonObject(one) && typeof one.text === "string" ? [one.text] : []))

/** What the model thought: a part for each summary and each text; the last one bears the signature. */
export const reasoningItem = (item: JsonObject): ReadonlyArray<ReasoningPart> => {
  const id = asText(item.id)
  const base = { type: "reasoning" as const, ...(id === undefined ? {} : { id }), extra: keep(item) }
  const content = asText(item.encrypted_content)
  const sealed = content === undefined ? undefined : unseal(content)
  const isOwn = sealed === undefined || sealed.signature.dialect === "responses"
  const parts: Array<ReasoningPart> = [
    // What another dialect thought stands in a summary, and is none.
    ...textsIn(item.summary).map((text) => (isOwn ? { ...base, text, isSummary: true } : { ...base, text })),
    ...textsIn(item.content).map((text) => ({ ...base, text }))
  ]
  if (parts.length === 0) parts.push({ ...base, text: "" })
  if (sealed === undefined) return parts
  const last = parts.length - 1
  parts[last] = {
    ...(parts[last] as ReasoningPart),
    signature: sealed.signature,
    ...(sealed.isRedacted ? { isRedacted: true } : {})
  }
  return parts
}

const resultItem = (item: JsonObject, path: string, problems: Array<Problem>): Part => {
  const { output } = item
  const isContent = typeof output === "string" || Array.isArray(output) || output === undefined || output === null
  const said = asText(item.call_id)
  if (said === undefined) problems.push({ path: `${path}.call_id`, expected: "expected a string" })
  return {
    type: "toolResult",
    id: said === undefined ? undefined : splitSignature(said).id,
    kind: item.type === "custom_tool_call_output" ? "custom" : "function",
    content: isContent
      ? contentAsParts(item, output, `${path}.output`, problems)
      : [{ type: "text", text: JSON.stringify(output), extra: keep(item) }],
    extra: keep(item)
  }
}

const roleOf = (role: unknown): Turn["role"] =>
  role === "system" || role === "developer" || role === "assistant" ? role : "user"

/** A list of items as turns: what the model said and did at a stretch is one, results of tools at a stretch are one. */
export const itemsAsTurns = (items: ReadonlyArray<unknown>, problems: Array<Problem>): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  let open: { readonly role: "assistant" | "tool"; readonly parts: Array<Part> } | undefined
  const add = (role: "assistant" | "tool", at: number, parts: ReadonlyArray<Part>): void => {
    if (open?.role === role) open.parts.push(...parts)
    else {
      open = { role, parts: [...parts] }
      turns.push({ role, parts: open.parts, at })
    }
  }
  for (let at = 0; at < items.length; at++) {
    const item = items[at]
    const path = `input[${at}]`
    if (!isJsonObject(item)) {
      problems.push({ path, expected: "expected an object" })
      continue
    }
    switch (item.type) {
      case undefined:
      case null:
      case "message": {
        if (typeof item.role !== "string") {
          problems.push({ path: `${path}.role`, expected: "expected a string" })
          break
        }
        const parts = contentAsParts(item, item.content, `${path}.content`, problems)
        const role = roleOf(item.role)
        if (role === "assistant" && parts.length > 0) add("assistant", at, parts)
        else {
          open = undefined
          const isBare = typeof item.content === "string"
          turns.push({ role, parts, at, ...(isBare ? { isBare } : {}), extra: keep(item) })
        }
        break
      }
      case "function_call":
      case "custom_tool_call":
        if (typeof item.name !== "string") problems.push({ path: `${path}.name`, expected: "expected a string" })
        add("assistant", at, [callItem(item)])
        break
      case "function_call_output":
      case "custom_tool_call_output":
        add("tool", at, [resultItem(item, path, problems)])
        break
      case "reasoning":
        add("assistant", at, reasoningItem(item))
        break
      default:
        add("assistant", at, [opaqueItem(item)])
    }
  }
  return turns
}
