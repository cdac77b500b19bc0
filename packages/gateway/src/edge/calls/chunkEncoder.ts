import { fromCompletion, type StreamEvent } from "@switchyard/core/ChatChunk"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import type { Usage } from "@switchyard/core/Usage"
import { WrittenChunk } from "@switchyard/core/WrittenChunk"
import type { Told } from "../../errors/spokenError.js"
import type { Pieces } from "./chunkedBody.js"
import type { EventEncoder } from "./streamPump.js"

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

const isWritten = (event: StreamEvent): event is WrittenChunk => event instanceof WrittenChunk

/** Passes OpenAI's chunks on as they came, but for the usage that the gateway itself asked the provider for. */
export class ChunkEncoder implements EventEncoder {
  readonly contentType = "text/event-stream; charset=utf-8"
  readonly waiting = ": waiting for the model\n\n"
  readonly alive = ": keep-alive\n\n"
  private sawUsage = false
  private last: StreamEvent | undefined

  constructor(private readonly wantsUsage: boolean) {}

  /** Chunks that were read in their bytes go on as those. */
  pieces(batch: ReadonlyArray<StreamEvent>): Pieces {
    if (!batch.some(isWritten)) return this.encode(batch)
    this.last = batch.at(-1)
    return batch.every(isWritten) ? batch : batch.map((event) => (isWritten(event) ? event : this.one(event)))
  }

  encode(batch: ReadonlyArray<StreamEvent>): string {
    this.last = batch.at(-1)
    let text = ""
    for (const event of batch) text += this.one(event)
    return text
  }

  /** What a caller who asked for usage has not got yet. */
  ending(usage: Usage | undefined): string {
    return this.wantsUsage && !this.sawUsage && usage !== undefined
      ? usageChunk(this.last?.json ?? {}, usage) + done
      : done
  }

  /** For an upstream that does not stream. */
  whole({ body, outcome }: CompleteResponse): string {
    const { usage: _, ...chunk } = fromCompletion(body)
    return `data: ${JSON.stringify(chunk)}\n\n${this.wantsUsage ? usageChunk(chunk, outcome.usage) : ""}${done}`
  }

  /** Without `[DONE]` no client takes it for a clean end. */
  failure(told: Told): string {
    return `data: ${JSON.stringify(told)}\n\n`
  }

  private one({ data, json }: StreamEvent): string {
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
