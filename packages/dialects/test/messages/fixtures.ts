/**
 * Payloads and answers as Anthropic's documentation has them, and a fold of its events by its rules, independent of the reader.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerOptions } from "@switchyard/dialects/Translator"

/** Options of an answer to a plain question. */
export const optionsFor = (model = "claude"): AnswerOptions => ({
  conversation: { origin: "messages", model, stream: true, turns: [], tools: [], settings: {}, extra: {} },
  id: "aB3dE6gH9jK2mN5pQ8sT1vW4",
  created: 1_700_000_000
})

/** Without fields that are null or zero, which say as much as those that are left out. */
export const plain = (value: JsonObject): JsonObject => {
  const kept: Record<string, unknown> = {}
  for (const name in value) {
    const inner = value[name]
    if (inner === null || inner === undefined || inner === 0) continue
    if (!isJsonObject(inner)) kept[name] = inner
    else if (name === "usage" || name === "cache_creation" || name === "output_tokens_details") {
      const one = plain(inner)
      if (Object.keys(one).length > 0 || name === "usage") kept[name] = one
    } else kept[name] = inner
  }
  if (Array.isArray(kept["content"])) {
    kept["content"] = kept["content"].map((block: unknown) => (isJsonObject(block) ? withoutNull(block) : block))
  }
  return kept
}

const withoutNull = (block: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(block).filter(([, value]) => value !== null))

type Mutable = Record<string, unknown>

const grow = (block: Mutable, delta: JsonObject, inputs: Map<Mutable, string>): void => {
  const add = (name: string, text: unknown): void => {
    block[name] = `${block[name] ?? ""}${text}`
  }
  switch (delta.type) {
    case "text_delta":
      return add("text", delta.text)
    case "thinking_delta":
      return add("thinking", delta.thinking)
    case "signature_delta":
      return add("signature", delta.signature)
    case "compaction_delta":
      return add("content", delta.content)
    case "input_json_delta":
      inputs.set(block, `${inputs.get(block) ?? ""}${delta.partial_json}`)
      return
    case "citations_delta":
      block["citations"] = [...((block["citations"] as ReadonlyArray<unknown> | undefined) ?? []), delta.citation]
  }
}

/** The message that a stream's events are. */
export const foldMessage = (events: ReadonlyArray<JsonObject>): JsonObject => {
  let message: Mutable = {}
  let content: Array<Mutable> = []
  const inputs = new Map<Mutable, string>()
  const byIndex = new Map<unknown, Mutable>()
  for (const event of events) {
    if (event.type === "message_start") {
      message = { ...(event.message as JsonObject) }
      content = [...((message["content"] as Array<Mutable> | undefined) ?? [])]
    } else if (event.type === "content_block_start") {
      const block = { ...(event.content_block as JsonObject) }
      content.push(block)
      byIndex.set(event.index, block)
    } else if (event.type === "content_block_delta") {
      grow(byIndex.get(event.index) ?? {}, event.delta as JsonObject, inputs)
    } else if (event.type === "message_delta") {
      const usage = Object.entries((event.usage ?? {}) as JsonObject).filter(([, value]) => value !== null)
      const { delta, type: _, usage: __, ...rest } = event
      message = {
        ...message,
        ...(delta as JsonObject),
        ...rest,
        usage: { ...(message["usage"] as JsonObject), ...Object.fromEntries(usage) }
      }
    }
  }
  for (const [block, json] of inputs) if (json !== "") block["input"] = JSON.parse(json)
  return { ...message, content }
}
