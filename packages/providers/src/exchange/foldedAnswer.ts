/**
 * The events of a stream put together to the whole answer that they are: for providers that stream although they were asked
 * for a whole answer.
 */

import { type StreamEvent, StreamFacts } from "@switchyard/core/ChatChunk"
import type { AnswerWords } from "@switchyard/core/Dialect"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { EventSink } from "./feed.js"

/** Takes the events of one answer; `settled` is told once. */
export class FoldedAnswer implements EventSink {
  isOver = false
  private readonly fold
  private readonly reader
  private readonly facts = new StreamFacts()

  constructor(
    /** Of the dialect that the events are in. */
    words: AnswerWords,
    private readonly onMissingFinish: "cut" | "accept",
    private readonly settled: {
      /** The whole answer, as it would have come whole. */
      readonly answered: (body: JsonObject) => void
      /** The stream ended before its answer did. */
      readonly cut: () => void
      /** The provider blocked the prompt, and said nothing else. */
      readonly blocked: (why: string) => void
      readonly malformed: (data: string, why?: string) => void
      readonly failed: (error: LlmError) => void
    }
  ) {
    this.fold = words.fold()
    this.reader = words.reader()
  }

  push(event: StreamEvent): void {
    if (this.isOver) return
    this.reader.read(event, this.facts)
    this.fold.add(event)
  }

  malformed(data: string, why?: string): void {
    this.settle(() => this.settled.malformed(data, why))
  }

  end(saidDone = false): void {
    this.settle(() => {
      const { blocked, finishReason, hasContent, hasFinished, hasReasoning, isClosed } = this.facts
      const isAccepted = this.onMissingFinish === "accept" && (hasContent || hasReasoning)
      if (saidDone ? hasFinished || isAccepted : isClosed) this.settled.answered(this.fold.answer())
      else if (blocked !== undefined && finishReason === undefined && !hasContent) this.settled.blocked(blocked)
      else this.settled.cut()
    })
  }

  fail(error: LlmError): void {
    // Only the goodbye is missing, as in a stream.
    if (this.facts.isWhole) this.end()
    else this.settle(() => this.settled.failed(error))
  }

  private settle(tell: () => void): void {
    if (this.isOver) return
    this.isOver = true
    tell()
  }
}
