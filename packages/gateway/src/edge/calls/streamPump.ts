import { fromCompletion, type StreamEvent } from "@switchyard/core/ChatChunk"
import type { EventStream } from "@switchyard/core/EventStream"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import type { Usage } from "@switchyard/core/Usage"
import { Effect } from "effect"
import type { StreamWriter } from "./StreamWriter.js"

const done = "data: [DONE]\n\n"

const usageOf = (usage: Usage): JsonObject => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  total_tokens: usage.inputTokens + usage.outputTokens,
  prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
  completion_tokens_details: { reasoning_tokens: usage.reasoningTokens }
})

const usageChunk = (like: JsonObject, usage: Usage): string => {
  const { created, id, model, object } = like
  return `data: ${JSON.stringify({ id, object, created, model, choices: [], usage: usageOf(usage) })}\n\n`
}

/** Passes chunks on as they came, but for the usage that the gateway itself asked the provider for. */
class ChunkWriter {
  private sawUsage = false
  private last: JsonObject = {}

  constructor(private readonly wantsUsage: boolean) {}

  encode(batch: ReadonlyArray<StreamEvent>): string {
    let text = ""
    for (const event of batch) text += this.one(event)
    return text
  }

  /** What a caller who asked for usage has not got yet. */
  ending(usage: Usage | undefined): string {
    return this.wantsUsage && !this.sawUsage && usage !== undefined ? usageChunk(this.last, usage) + done : done
  }

  private one({ data, json }: StreamEvent): string {
    this.last = json
    if (isJsonObject(json.usage)) {
      this.sawUsage = true
      if (!this.wantsUsage) {
        const { usage: _, ...rest } = json
        const isEmpty = Array.isArray(json.choices) && json.choices.length === 0
        return isEmpty ? "" : `data: ${JSON.stringify(rest)}\n\n`
      }
    }
    return `data: ${data}\n\n`
  }
}

/** Forwards a stream to its end; fails with what cut it. */
export const pump = (events: EventStream, writer: StreamWriter, wantsUsage: boolean): Effect.Effect<void, LlmError> => {
  const chunks = new ChunkWriter(wantsUsage)
  const forwarded = events.forward((batch) => {
    const text = chunks.encode(batch)
    return text === "" || writer.write(text) ? undefined : writer.drained
  })
  return Effect.map(forwarded, () => {
    writer.write(chunks.ending(events.settlement.outcome?.usage))
  })
}

/** A whole answer as the events of a stream, for an upstream that does not stream. */
export const wholeAsEvents = ({ body, outcome }: CompleteResponse, wantsUsage: boolean): string => {
  const { usage: _, ...chunk } = fromCompletion(body)
  return `data: ${JSON.stringify(chunk)}\n\n${wantsUsage ? usageChunk(chunk, outcome.usage) : ""}${done}`
}
