/**
 * Sends the requests of a scenario at a fixed concurrency and keeps what became of each.
 */
import { completionText, text } from "@switchyard/core/ChatChunk"
import type { RouteReport } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Time from "@switchyard/core/Time"
import { Effect } from "effect"
import type { Job, Scenario } from "./scenarios.js"

/** What became of one request. Times are ms. */
export interface Result {
  readonly index: number
  readonly stream: boolean
  /** The error that reached the caller; undefined for a whole answer. */
  readonly error: LlmError | undefined
  readonly characters: number
  readonly latency: number
  readonly firstToken: number
  readonly report: RouteReport | undefined
}

interface Answer {
  readonly characters: number
  readonly firstToken: number
  readonly report: RouteReport
}

const toRequest = (job: Job): LlmRequest.LlmRequest =>
  LlmRequest.chat({
    model: job.model,
    messages: [{ role: "user", content: job.prompt }],
    max_tokens: 64,
    stream: job.stream
  })

const readStream = (request: LlmRequest.LlmRequest, startedAt: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const response = yield* LlmService.open(request)
      const firstToken = (yield* Time.now) - startedAt
      if (response._tag === "Complete") {
        return { characters: completionText(response.body).length, firstToken, report: response.journal.report() }
      }
      let characters = 0
      for (let batch = yield* response.events.pull; batch.length > 0; batch = yield* response.events.pull) {
        for (const event of batch) characters += text(event.json).length
      }
      return { characters, firstToken, report: response.journal.report() }
    })
  )

const readWhole = (request: LlmRequest.LlmRequest, startedAt: number) =>
  Effect.gen(function* () {
    const response = yield* LlmService.complete(request)
    return {
      characters: completionText(response.body).length,
      firstToken: (yield* Time.now) - startedAt,
      report: response.journal.report()
    }
  })

const send = (index: number, job: Job): Effect.Effect<Result, never, LlmService> =>
  Effect.gen(function* () {
    const startedAt = yield* Time.now
    const request = toRequest(job)
    const answer: Effect.Effect<Answer, LlmError, LlmService> = job.stream
      ? readStream(request, startedAt)
      : readWhole(request, startedAt)
    const outcome = yield* Effect.either(answer)
    const latency = (yield* Time.now) - startedAt
    return outcome._tag === "Right"
      ? { index, stream: job.stream, error: undefined, latency, ...outcome.right }
      : {
          index,
          stream: job.stream,
          error: outcome.left,
          characters: 0,
          latency,
          firstToken: Number.NaN,
          report: undefined
        }
  })

/** Runs the workload; `onResult` sees each result as it comes. */
export const run = (
  scenario: Scenario,
  options: { readonly requests: number; readonly concurrency: number },
  onResult: (result: Result) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Result>, never, LlmService> => {
  let done = 0
  return Effect.forEach(
    Array.from({ length: options.requests }, (_, index) => index),
    (index) =>
      send(index, scenario.job(index)).pipe(
        Effect.tap(onResult),
        Effect.tap(() => scenario.onProgress(++done / options.requests))
      ),
    { concurrency: options.concurrency }
  )
}

/** Sends one prompt and streams the answer to `write` as it comes, for real endpoints. */
export const prompt = (
  model: string,
  content: string,
  write: (text: string) => void
): Effect.Effect<RouteReport, LlmError, LlmService> =>
  Effect.scoped(
    Effect.gen(function* () {
      const request = LlmRequest.chat({ model, messages: [{ role: "user", content }], stream: true })
      const response = yield* LlmService.open(request)
      if (response._tag === "Complete") {
        write(completionText(response.body))
        return response.journal.report()
      }
      for (let batch = yield* response.events.pull; batch.length > 0; batch = yield* response.events.pull) {
        for (const event of batch) write(text(event.json))
      }
      return response.journal.report()
    })
  )
