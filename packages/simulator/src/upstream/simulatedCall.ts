import type { Attempt } from "@switchyard/core/Attempt"
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import { EventStream } from "@switchyard/core/EventStream"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { type Usage, zero } from "@switchyard/core/Usage"
import { Effect } from "effect"
import type { Event, VirtualTime } from "../time/VirtualTime.js"
import * as Asked from "./Asked.js"
import { Place } from "./line.js"
import { refused } from "./simulatedErrors.js"

/** How an answer ends: whole, broken off, or in silence. */
export type Ending = "whole" | "cut" | "stall"

/** How a call ends, as the upstream counts it. */
export type CallEnd = "completed" | "failed" | "limited" | "left"

/** What a call needs of its upstream. */
interface Serving {
  readonly headers: () => Readonly<Record<string, string>>
  readonly ended: (call: SimulatedCall, how: CallEnd, written: number) => void
}

type Resume = (effect: Effect.Effect<LlmResponse, LlmError>) => void

const id = "simulated"
const content: StreamEvent = {
  data: "{}",
  json: { id, choices: [{ index: 0, delta: { content: "word " }, finish_reason: null }] }
}
/** The last chunk's. */
const choices = [{ index: 0, delta: {}, finish_reason: "stop" }]
const body = {
  id,
  choices: [{ index: 0, message: { role: "assistant", content: "words" }, finish_reason: "stop" }]
}
const raw = JSON.stringify(body)

/** Ms between two words of a long answer that are simulated: less than any bound on silence that makes sense. */
const betweenWords = 5000

/** One call at an upstream, from its arrival to its end. */
export class SimulatedCall extends Place {
  readonly asked: Asked.Asked
  /** How often its request was here before. */
  readonly again: number
  /** What comes next. */
  event: Event | undefined
  /** It has a slot. */
  isServed = false
  cachedTokens = 0
  private events: InstanceType<typeof EventStream> | undefined
  private isOver = false
  private firstAt = 0
  private writing = 0

  constructor(
    private readonly attempt: Attempt,
    private readonly upstream: Serving,
    private readonly time: VirtualTime,
    private readonly resume: Resume
  ) {
    super()
    const { journal } = attempt.request.route
    this.asked = Asked.of(journal)
    let calls = 0
    for (const { deployment } of journal.entries) if (deployment === attempt.deployment) calls++
    this.again = calls - 1
    attempt.expire = (error) => {
      // A stream that has begun is ended by its own settling.
      if (this.events !== undefined || this.isOver) return
      this.leave()
      resume(error === undefined ? Effect.interrupt : Effect.fail(error))
    }
  }

  /** Its caller has gone; harmless after the end. */
  leave(): void {
    if (this.isOver) return
    this.end("left", this.firstAt === 0 ? 0 : this.written())
  }

  private written(): number {
    const share = this.writing === 0 ? 1 : (this.time.now - this.firstAt) / this.writing
    return Math.min(1, Math.max(0, share))
  }

  private end(how: CallEnd, written: number): void {
    this.isOver = true
    if (this.event !== undefined) this.time.cancel(this.event)
    this.upstream.ended(this, how, written)
  }

  /** No connection stands. */
  refuse(): void {
    this.event = this.time.at(this.time.now + 1, () => {
      this.attempt.sent = false
      this.fail(refused(this.attempt), "failed")
    })
  }

  /** It is answered with an error. */
  fail(error: LlmError, how: "failed" | "limited"): void {
    this.end(how, 0)
    this.resume(Effect.fail(error))
  }

  /** It is answered: from `firstAt` on, for `writing` ms, to such an end. */
  answer(firstAt: number, writing: number, ending: Ending): void {
    const { request } = this.attempt
    this.writing = writing
    if (request.stream) {
      this.event = this.time.at(firstAt, () => this.begin(writing, ending))
      return
    }
    if (ending === "stall") return
    this.event = this.time.at(firstAt + writing, () => {
      this.firstAt = firstAt
      if (ending === "cut") {
        return this.fail(
          refused(this.attempt).with({
            code: "ECONNRESET",
            unsent: undefined,
            description: "the connection to the provider broke"
          }),
          "failed"
        )
      }
      const headers = this.upstream.headers()
      this.end("completed", 1)
      const { startedAt } = this.attempt
      const duration = this.time.now - startedAt
      this.resume(
        Effect.succeed({
          _tag: "Complete",
          status: 200,
          headers,
          body,
          raw,
          outcome: { _tag: "Completed", usage: this.usage(), timeToFirstToken: duration, duration },
          journal: request.route.journal
        })
      )
    })
  }

  private usage(): Usage {
    const { inputTokens, outputTokens } = this.asked
    return { ...zero, inputTokens, outputTokens, cachedInputTokens: this.cachedTokens }
  }

  private begin(writing: number, ending: Ending): void {
    const { attempt, time } = this
    this.firstAt = time.now
    const events = new EventStream({
      clock: time.clock,
      soon: time.soon,
      startedAt: attempt.startedAt,
      provider: attempt.provider,
      deployment: attempt.deployment,
      estimateInputTokens: () => estimateInputTokens(attempt.request),
      abort: () => this.leave()
    })
    this.events = events
    attempt.adopt(events)
    events.push(content)
    this.write(events, time.now + writing, ending)
    this.resume(
      Effect.succeed({
        _tag: "Streaming",
        status: 200,
        headers: this.upstream.headers(),
        events,
        journal: attempt.request.route.journal
      })
    )
  }

  /** Writes until `endsAt`. A long answer says a word now and then: bounds on silence are for those that say none. */
  private write(events: InstanceType<typeof EventStream>, endsAt: number, ending: Ending): void {
    const { time } = this
    if (endsAt - time.now > betweenWords) {
      this.event = time.at(time.now + betweenWords, () => {
        events.push(content)
        this.write(events, endsAt, ending)
      })
    } else if (ending === "stall") this.event = undefined
    else this.event = time.at(endsAt, () => this.finish(events, ending))
  }

  private finish(events: InstanceType<typeof EventStream>, ending: Ending): void {
    if (ending === "cut") {
      this.end("failed", 0.5)
      return events.end()
    }
    this.end("completed", 1)
    const { inputTokens, outputTokens } = this.asked
    const usage: JsonObject = {
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      prompt_tokens_details: { cached_tokens: this.cachedTokens }
    }
    events.push({ data: "{}", json: { id, choices, usage } })
    events.end(true)
  }
}
