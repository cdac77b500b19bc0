/**
 * A streamed answer as a `ReadableStream`: read as it is pulled, and closed upstream when its reader leaves or the signal says so.
 */
import type { JSONObject, LanguageModelV3StreamPart, SharedV3Warning } from "@ai-sdk/provider"
import type { JsonObject } from "@switchyard/core/Json"
import { isLlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { withAttempts } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import { PieceReader, type Step } from "@switchyard/dialects/Pieces"
import { Effect } from "effect"
import { partsOf, rawUsageOf } from "./content.js"
import type { Run } from "./running.js"

/** What a stream is made of. */
export interface Opened {
  readonly response: LlmResponse
  /** Turns of the request. */
  readonly turns: number
  readonly run: Run
  readonly signal: AbortSignal | undefined
  readonly warnings: ReadonlyArray<SharedV3Warning>
  readonly wantsRaw: boolean
  /** Ends the call; harmless after its end. */
  readonly close: () => void
  /** A failure in the AI SDK's words. */
  readonly failure: (error: unknown) => unknown
}

type Controller = ReadableStreamDefaultController<LanguageModelV3StreamPart>

class AnswerStream {
  private readonly reader: PieceReader
  private readonly ids = new Map<string, string>()
  private usage: JSONObject | undefined
  private isOver = false
  private isRead = false
  private leave = () => {}

  constructor(private readonly opened: Opened) {
    this.reader = new PieceReader(opened.turns)
  }

  start(controller: Controller): void {
    const { signal, warnings } = this.opened
    controller.enqueue({ type: "stream-start", warnings: [...warnings] })
    if (signal === undefined) return
    const abort = () => {
      this.finish()
      controller.error(signal.reason)
    }
    signal.addEventListener("abort", abort, { once: true })
    this.leave = () => signal.removeEventListener("abort", abort)
    if (signal.aborted) abort()
  }

  async pull(controller: Controller): Promise<void> {
    for (let told = 0; told === 0 && !this.isOver; ) {
      const batch = await this.batch(controller)
      if (this.isOver || batch === undefined) return
      for (const json of batch) {
        this.usage = rawUsageOf(json) ?? this.usage
        if (this.opened.wantsRaw) controller.enqueue({ type: "raw", rawValue: json })
        told += this.tell(this.reader.read(json), controller)
      }
      if (batch.length === 0) this.end(controller, this.reader.end())
    }
  }

  cancel(): void {
    this.finish()
  }

  /** The next chunks; none at the clean end, undefined where the stream has failed. */
  private async batch(controller: Controller): Promise<ReadonlyArray<JsonObject> | undefined> {
    const { response, run, signal } = this.opened
    if (response._tag === "Complete") return this.once(response.body)
    try {
      const events = await run(() => response.events.pull, signal)
      return events.map(({ json }) => json as JsonObject)
    } catch (error) {
      if (!this.isOver) this.fail(controller, isLlmError(error) ? withAttempts(error, response.journal) : error)
      return undefined
    }
  }

  private once(body: JsonObject): ReadonlyArray<JsonObject> {
    if (this.isRead) return []
    this.isRead = true
    return openAi.answer.events(body).map(({ json }) => json as JsonObject)
  }

  private fail(controller: Controller, error: unknown): void {
    controller.enqueue({ type: "error", error: this.opened.failure(error) })
    // A text that has begun ends; a call is not whole, and nobody may make it.
    const steps = this.reader.end().flatMap((step): ReadonlyArray<Step> => {
      if (step.type === "end") return [{ type: "end", ending: { ...step.ending, finish: "error" } }]
      return step.type === "piece" && step.piece.type !== "call" ? [step] : []
    })
    this.end(controller, steps)
  }

  private tell(steps: ReadonlyArray<Step>, controller: Controller): number {
    let told = 0
    for (const step of steps) {
      for (const part of partsOf(step, this.ids, this.opened.response.journal, this.usage)) {
        controller.enqueue(part)
        told++
      }
    }
    return told
  }

  private end(controller: Controller, steps: ReadonlyArray<Step>): void {
    this.finish()
    this.tell(steps, controller)
    controller.close()
  }

  private finish(): void {
    if (this.isOver) return
    this.isOver = true
    this.leave()
    this.opened.close()
  }
}

/** The parts of a streamed answer. */
export const answerStream = (opened: Opened): ReadableStream<LanguageModelV3StreamPart> =>
  new ReadableStream(new AnswerStream(opened))

/** Runs what nobody waits for. */
export const forget = (effect: Effect.Effect<void>): void => {
  Effect.runFork(effect)
}
