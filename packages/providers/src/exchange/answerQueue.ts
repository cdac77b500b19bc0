/**
 * How an answer that comes as a stream is known for one, and the queue that it is pushed into.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import * as Defect from "@switchyard/core/Defect"
import { EventQueue } from "@switchyard/core/EventQueue"
import { estimateInputTokens, unitsAsked } from "@switchyard/core/LlmRequest"
import type { Headers } from "@switchyard/core/LlmResponse"
import type { Clock } from "effect"
import type { Framing } from "../protocols/protocol.js"
import type { AnswerSettings, Wire } from "./answering.js"

/** Whether an answer calls itself a stream of server-sent events. */
export const isEventStream = (headers: Headers): boolean =>
  headers["content-type"]?.trimStart().toLowerCase().startsWith("text/event-stream") === true

/** Whether an answer comes in events, by its type; of framings that have no type that all keep to, by what it is not. */
export const comesInEvents = (framing: Framing, headers: Headers): boolean => {
  switch (framing) {
    case "sse":
      return isEventStream(headers)
    case "ndjson":
      return !/^\s*application\/json/i.test(headers["content-type"] ?? "")
    case "aws":
    case "aws-sse":
      return /eventstream/i.test(headers["content-type"] ?? "")
  }
}

/** The queue of an attempt's stream, which keeps the pace of its wire. */
export const queueOf = (
  attempt: Attempt,
  clock: Clock.Clock,
  wire: Wire,
  ways: Pick<AnswerSettings, "onMalformed" | "onMissingFinish">
): EventQueue =>
  new EventQueue({
    clock,
    startedAt: attempt.startedAt,
    provider: attempt.provider,
    deployment: attempt.deployment,
    dialect: attempt.request.dialect,
    estimateInputTokens: () => estimateInputTokens(attempt.request),
    unitsAsked: () => unitsAsked(attempt.request),
    pause: () => wire.pause(),
    resume: () => wire.resume(),
    abort: () => wire.abort(),
    ...ways,
    onDefect: (cause) => Defect.deathOf(attempt, cause, true)
  })
