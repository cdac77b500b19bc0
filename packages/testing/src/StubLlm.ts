/**
 * A scripted service and a handle on it, as tower's mock: layers are tested alone, on the test clock, with no network.
 */
import { Attempt } from "@switchyard/core/Attempt"
import * as Deployment from "@switchyard/core/Deployment"
import type { Dialect } from "@switchyard/core/Dialect"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { EventStream } from "@switchyard/core/EventStream"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError, type LlmErrorFields } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { CompleteResponse, LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import type { Opening } from "@switchyard/core/Opening"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { Slot } from "@switchyard/core/Slot"
import { open, type Status } from "@switchyard/core/Status"
import { nowMs } from "@switchyard/core/Time"
import type { Usage } from "@switchyard/core/Usage"
import { type Clock, type Duration, Effect } from "effect"

/** What the stub does with one call. An empty object is an instant, whole answer. */
export interface Reply {
  /** Text of the answer; default `ok`. A stream sends it word by word unless `chunks` says otherwise. */
  readonly text?: string
  readonly chunks?: ReadonlyArray<string>
  /** Before the answer, or before a stream's response begins. */
  readonly delay?: Duration.DurationInput
  /** Streams: before the first content. */
  readonly firstToken?: Duration.DurationInput
  /** Streams: between two chunks of content. */
  readonly gap?: Duration.DurationInput
  /** Fails after `delay`; for a stream with `failAfter`, once that many chunks are out. */
  readonly fail?: LlmErrorFields
  readonly failAfter?: number
  /** Streams: goes silent after that many chunks. */
  readonly stallAfter?: number
  /** Never answers. */
  readonly hang?: boolean
  /** Dies of a defect. */
  readonly defect?: unknown
  readonly usage?: Usage
  readonly headers?: Readonly<Record<string, string>>
  /** Default `stop`; null ends a stream without one. */
  readonly finishReason?: string | null
}

/** What the script may look at. */
export interface StubCall {
  readonly request: LlmRequest
  readonly deployment: Deployment.DeploymentId
  /** 0 for the first call of this stub. */
  readonly index: number
}

/** The stub: services for both tiers, and what happened to them. */
export interface StubLlm {
  /** The attempt tier's service, for layers below the router. */
  readonly attempts: Service.AttemptService
  /** The request tier's service, for layers above it: it routes every request to one deployment, `stub`. */
  readonly requests: Service.RequestService
  /** Every call so far, oldest first. */
  readonly calls: ReadonlyArray<StubCall>
  /** Outcomes so far, in the order in which the calls ended. */
  readonly outcomes: ReadonlyArray<Outcome>
  /** Calls that have begun and not ended. */
  readonly inFlight: () => number
  /** Streams that were opened and have not ended, also those whose response got lost on its way up. */
  readonly openStreams: () => number
  /** Replies to every call from now on. */
  readonly reply: (reply: Reply | ((call: StubCall) => Reply)) => void
  /** What `status` answers; default open. The request tier's service goes by it too, until `setOpenings` is called. */
  readonly setStatus: (status: Status | ((slot: Slot) => Status)) => void
  /** What `openings` answers on the request tier. Default: `stub`, as its status says, or nobody where that is excluded. */
  readonly setOpenings: (openings: ReadonlyArray<Opening> | Service.RequestService["openings"]) => void
}

/** A deployment for tests: `{ id, group: "m", model: "m" }` and whatever else is given. */
export const deployment = (id: string, config: Partial<Deployment.DeploymentConfig> = {}): Deployment.Deployment =>
  Deployment.make({ group: "m", model: "m", ...config, id })

/** A slot for tests, with a deployment of that id. */
export const slot = (id: string, config: Partial<Deployment.DeploymentConfig> = {}): Slot =>
  Slot.make(deployment(id, config))

/** An attempt for tests of attempt-tier layers, written into the request's journal as the router would. */
export const attempt = (request: LlmRequest, on: Slot, startedAt = 0): Attempt => {
  const made = new Attempt(request.route.journal.entries.length + 1, request, on, startedAt, false, false)
  request.route.journal.append(made)
  return made
}

const choice = (delta: JsonObject, finish: string | null): JsonObject => ({
  id: "chatcmpl-stub",
  object: "chat.completion.chunk",
  created: 0,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish }]
})

const event = (json: JsonObject) => ({ data: JSON.stringify(json), json })

const openAiUsage = (usage: Usage): JsonObject => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  total_tokens: usage.inputTokens + usage.outputTokens,
  prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
  completion_tokens_details: { reasoning_tokens: usage.reasoningTokens }
})

const defaultUsage: Usage = {
  inputTokens: 10,
  outputTokens: 5,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  estimated: false
}

const errorOf = (fields: LlmErrorFields, attempt: Attempt): LlmError =>
  new LlmError({ deployment: attempt.deployment, provider: attempt.provider, ...fields })

/** What a request in another dialect than OpenAI's is answered with. */
const cannedIn = ({ answer }: Dialect, { request, target }: Attempt, text: string): JsonObject => {
  const { body, operation } = request
  const asked = { operation, model: target.model, body, inputTokens: defaultUsage.inputTokens }
  return answer.canned(asked, text, { id: `${target.id}-answer`, created: 0 })
}

const completeResponse = (attempt: Attempt, reply: Reply, startedAt: number, now: number): CompleteResponse => {
  const text = reply.text ?? "ok"
  const usage = reply.usage ?? defaultUsage
  const { dialect } = attempt.request
  const body: JsonObject =
    dialect !== undefined
      ? cannedIn(dialect, attempt, text)
      : {
          id: "chatcmpl-stub",
          object: "chat.completion",
          created: 0,
          model: attempt.target.model,
          choices: [
            { index: 0, message: { role: "assistant", content: text }, finish_reason: reply.finishReason ?? "stop" }
          ],
          usage: openAiUsage(usage)
        }
  return {
    _tag: "Complete",
    status: 200,
    headers: reply.headers ?? {},
    body,
    raw: JSON.stringify(body),
    outcome: { _tag: "Completed", usage, timeToFirstToken: now - startedAt, duration: now - startedAt },
    journal: attempt.request.route.journal
  }
}

/** The same in another dialect: `failAfter` and `stallAfter` count events with text. */
const feedIn = (dialect: Dialect, events: EventQueue, reply: Reply, attempt: Attempt): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { answer } = dialect
    const reader = answer.reader()
    let given = 0
    for (const said of answer.events(cannedIn(dialect, attempt, reply.chunks?.join("") ?? reply.text ?? "ok"))) {
      const isText = reader.text(said) !== ""
      if (reply.fail !== undefined && reply.failAfter === given) return events.fail(errorOf(reply.fail, attempt))
      if (reply.stallAfter === given) return yield* Effect.never
      if (isText && given > 0 && reply.gap !== undefined) yield* Effect.sleep(reply.gap)
      events.push(said)
      if (isText) given++
    }
    events.end()
  })

/** Feeds a stream as the reply says, until it is over. */
const feed = (events: EventQueue, reply: Reply, attempt: Attempt): Effect.Effect<void> =>
  Effect.gen(function* () {
    const chunks = reply.chunks ?? (reply.text ?? "ok").split(/(?<= )/)
    events.push(event(choice({ role: "assistant" }, null)))
    if (reply.firstToken !== undefined) yield* Effect.sleep(reply.firstToken)
    for (let i = 0; i <= chunks.length; i++) {
      if (reply.fail !== undefined && reply.failAfter === i) return events.fail(errorOf(reply.fail, attempt))
      if (reply.stallAfter === i) return yield* Effect.never
      if (i === chunks.length) break
      if (i > 0 && reply.gap !== undefined) yield* Effect.sleep(reply.gap)
      events.push(event(choice({ content: chunks[i] }, null)))
    }
    if (reply.finishReason !== null) events.push(event(choice({}, reply.finishReason ?? "stop")))
    events.push(event({ choices: [], usage: openAiUsage(reply.usage ?? defaultUsage) }))
    events.end()
  })

const streamingResponse = (
  attempt: Attempt,
  reply: Reply,
  startedAt: number,
  clock: Clock.Clock,
  opened: (events: EventStream) => void
): Effect.Effect<StreamingResponse> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      let stop: () => void = () => {}
      const events = new EventQueue({
        clock,
        startedAt,
        provider: attempt.provider,
        deployment: attempt.deployment,
        estimateInputTokens: () => estimateInputTokens(attempt.request),
        dialect: attempt.request.dialect,
        abort: () => stop()
      })
      attempt.adopt(events)
      opened(events)
      const { dialect } = attempt.request
      const fed = dialect === undefined ? feed(events, reply, attempt) : feedIn(dialect, events, reply, attempt)
      const fiber = yield* Effect.forkDaemon(Effect.interruptible(fed))
      stop = () => fiber.unsafeInterruptAsFork(fiber.id())
      return {
        _tag: "Streaming" as const,
        status: 200,
        headers: reply.headers ?? {},
        events,
        journal: attempt.request.route.journal
      }
    })
  )

const respond = (
  attempt: Attempt,
  reply: Reply,
  opened: (events: EventStream) => void
): Effect.Effect<LlmResponse, LlmError> =>
  Effect.clockWith((clock) => {
    const startedAt = nowMs(clock)
    const before = reply.hang ? Effect.never : reply.delay === undefined ? Effect.void : Effect.sleep(reply.delay)
    return Effect.zipRight(
      before,
      Effect.suspend((): Effect.Effect<LlmResponse, LlmError> => {
        if (reply.defect !== undefined) return Effect.die(reply.defect)
        if (reply.fail !== undefined && (reply.failAfter === undefined || !attempt.request.stream)) {
          return Effect.fail(errorOf(reply.fail, attempt))
        }
        return attempt.request.stream
          ? streamingResponse(attempt, reply, startedAt, clock, opened)
          : Effect.succeed(completeResponse(attempt, reply, startedAt, nowMs(clock)))
      })
    )
  })

/** Options of a stub. */
export interface StubOptions {
  /** How many calls and outcomes are kept, the latest ones. Default: all; a soak keeps few. */
  readonly keep?: number
}

/** Makes a stub that answers every call as `reply` says. */
export const make = (reply: Reply | ((call: StubCall) => Reply) = {}, options: StubOptions = {}): StubLlm => {
  const keep = options.keep ?? Number.POSITIVE_INFINITY
  let begun = 0
  let script = reply
  let status: Status | ((slot: Slot) => Status) = open
  let running = 0
  const calls: Array<StubCall> = []
  const outcomes: Array<Outcome> = []
  let openStreams = 0
  const opened = (events: EventStream): void => {
    openStreams++
    events.settlement.onSettled(() => {
      openStreams--
    })
  }
  const call = (attempt: Attempt): Service.Call =>
    Service.bracket(
      () => {
        const made = { request: attempt.request, deployment: attempt.deployment, index: begun++ }
        calls.push(made)
        if (calls.length > keep) calls.shift()
        running++
        return made
      },
      (made) => Effect.suspend(() => respond(attempt, typeof script === "function" ? script(made) : script, opened)),
      (_, outcome) => {
        running--
        outcomes.push(outcome)
        if (outcomes.length > keep) outcomes.shift()
      }
    )
  const only = slot("stub")
  const statusOf = (on: Slot): Status => (typeof status === "function" ? status(on) : status)
  let openings: ReadonlyArray<Opening> | Service.RequestService["openings"] = (request, now) => {
    if (request.route.excluded.includes(only.id)) return []
    const found = statusOf(only)
    const opensAt = found._tag === "Open" ? now : Math.max(now, found.until ?? Number.POSITIVE_INFINITY)
    return [{ deployment: only.id, opensAt, namedAt: opensAt }]
  }
  return {
    attempts: Service.attempt(call, statusOf),
    requests: Service.request(
      (request) =>
        Service.bracket(
          (at) => attempt(request, only, at),
          (made) => call(made),
          (made, outcome, at) => made.settle(outcome, at)
        ),
      (request, now) => (typeof openings === "function" ? openings(request, now) : openings)
    ),
    calls,
    outcomes,
    inFlight: () => running,
    openStreams: () => openStreams,
    reply: (next) => {
      script = next
    },
    setStatus: (next) => {
      status = next
    },
    setOpenings: (next) => {
      openings = next
    }
  }
}
