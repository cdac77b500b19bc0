import { assert } from "@effect/vitest"
import type { Attempt } from "@switchyard/core/Attempt"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError, type LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Fallback from "@switchyard/router/Fallback"
import * as Retry from "@switchyard/router/Retry"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import type { Strategy } from "@switchyard/router/RoutingStrategy"
import { Effect, Exit, Fiber, Stream, TestClock } from "effect"
import * as StreamRecovery from "../../src/recovery/StreamRecovery.js"

/** One upstream stream: an event per millisecond, or all of them at once, then its end. Without an end it hangs. */
export interface Play {
  readonly isInstant?: boolean
  readonly events: ReadonlyArray<JsonObject>
  readonly end?: "clean" | LlmErrorFields
}

export const cut: LlmErrorFields = { reason: "Unavailable", description: "the stream was cut", code: "cut" }

const firstOpen: Strategy = {
  name: "first-open",
  select: (candidates) => {
    for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) return i
    return -1
  }
}

export type Script = (attempt: Attempt, nth: number) => Play | LlmErrorFields | JsonObject

const isPlay = (step: Play | LlmErrorFields | JsonObject): step is Play => "events" in step
const isError = (step: LlmErrorFields | JsonObject): step is LlmErrorFields => "reason" in step

/** An upstream that plays streams (or answers whole, or fails) by deployment, and notes what becomes of them. */
export const upstream = (script: Script, pace: Effect.Effect<void>) => {
  const attempts: Array<Attempt> = []
  const aborted: Array<string> = []
  const flow: Array<string> = []
  let playing = 0
  const play = (events: EventQueue, { end, events: list, isInstant }: Play, attempt: Attempt) =>
    Effect.gen(function* () {
      for (const json of list) {
        events.push({ data: JSON.stringify(json), json })
        if (isInstant !== true) yield* pace
      }
      if (end === "clean") events.end()
      else if (end !== undefined) events.fail(new LlmError({ deployment: attempt.deployment, ...end }), true)
      else return yield* Effect.never
    })
  const service = Service.attempt((attempt) =>
    Effect.clockWith((clock) => {
      const nth = attempts.push(attempt) - 1
      const step = script(attempt, nth)
      const startedAt = nowMs(clock)
      if (!isPlay(step)) {
        if (isError(step)) return Effect.fail(new LlmError({ deployment: attempt.deployment, ...step }))
        return Effect.succeed<LlmResponse>({
          _tag: "Complete" as const,
          status: 200,
          headers: {},
          body: step,
          raw: JSON.stringify(step),
          outcome: { _tag: "Completed" as const, usage: usageOf(1), timeToFirstToken: 0, duration: 0 },
          journal: attempt.request.route.journal
        })
      }
      let stop = () => {}
      const events = new EventQueue({
        clock,
        startedAt,
        deployment: attempt.deployment,
        estimateInputTokens: () => 1,
        pause: () => flow.push("pause"),
        resume: () => flow.push("resume"),
        abort: () => {
          aborted.push(attempt.deployment)
          stop()
        }
      })
      attempt.adopt(events)
      playing++
      events.settlement.onSettled(() => playing--)
      return Effect.map(Effect.forkDaemon(play(events, step, attempt)), (fiber): LlmResponse => {
        stop = () => fiber.unsafeInterruptAsFork(fiber.id())
        return {
          _tag: "Streaming",
          status: 200,
          headers: {},
          events,
          journal: attempt.request.route.journal
        }
      })
    })
  )
  return { service, attempts, aborted, flow, playing: () => playing }
}

const usageOf = (outputTokens: number) => ({
  inputTokens: 10,
  outputTokens,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  estimated: false
})

export const event = (id: string, choice: JsonObject, more: JsonObject = {}): JsonObject => ({
  id,
  created: id.length,
  choices: [{ index: 0, finish_reason: null, ...choice }],
  ...more
})
export const role = (id: string) => event(id, { delta: { role: "assistant", content: "" } })
export const says = (id: string, content: string) => event(id, { delta: { content } })
export const thinks = (id: string, text: string) => event(id, { delta: { reasoning_content: text } })
export const finish = (id: string) => event(id, { delta: {}, finish_reason: "stop" })
export const used = (id: string, tokens: number) => ({
  id,
  choices: [],
  usage: { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens }
})

export const whole = (id: string, pieces: ReadonlyArray<string>): Play => ({
  events: [role(id), ...pieces.map((piece) => says(id, piece)), finish(id), used(id, pieces.length)],
  end: "clean"
})
export const dying = (id: string, pieces: ReadonlyArray<string>, end: LlmErrorFields = cut): Play => ({
  events: [role(id), ...pieces.map((piece) => says(id, piece))],
  end
})

export interface Setup {
  readonly policy?: StreamRecovery.Options["policy"]
  readonly holdback?: StreamRecovery.Options["holdback"]
  /** With a Retry layer; its jitter is none. */
  readonly retry?: Retry.Options
  readonly deployments?: ReadonlyArray<Partial<DeploymentConfig> & { readonly id: string }>
  readonly fallback?: Fallback.Options
  readonly budget?: number
  readonly deadline?: number
  /** Between two events. Default: a millisecond. */
  readonly pace?: Effect.Effect<void>
}

export const three = [{ id: "d1" }, { id: "d2" }, { id: "d3" }]

export const setup = (script: Script, options: Setup = {}) => {
  const up = upstream(script, options.pace ?? Effect.sleep(1))
  const deployments = (options.deployments ?? three).map((entry) => ({ group: "m", model: "real", ...entry }))
  const registry = Effect.runSync(DeploymentRegistry.make({ deployments }))
  const stats = DeploymentStats.make()
  const settled: Array<Outcome> = []
  const recovery: StreamRecovery.Options = {
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    ...(options.holdback === undefined ? {} : { holdback: options.holdback })
  }
  const retry =
    options.retry === undefined
      ? (next: Service.RequestService) => next
      : Retry.make(
          {
            budget: RetryBudget.unlimited,
            random: () => 1
          },
          options.retry
        )
  const service = Balancer.make({ registry, strategy: firstOpen, stats })(up.service).pipe(
    StreamRecovery.inside(recovery),
    retry,
    Fallback.make({ registry }, options.fallback),
    StreamRecovery.outside({ registry }, recovery),
    Service.mapRequest((call) => Service.onSettled(call, (outcome) => void settled.push(outcome))),
    (next) =>
      Service.request((request) =>
        next.call({
          ...request,
          route: {
            ...request.route,
            attemptBudget: options.budget ?? 8,
            deadline: options.deadline ?? Number.POSITIVE_INFINITY
          }
        })
      )
  )
  const inFlight = () => registry.slots().reduce((sum, slot) => sum + stats.of(slot).inFlight, 0)
  const seen: Array<string> = []
  return {
    ...up,
    service,
    registry,
    settled,
    seen,
    inFlight,
    used: () => up.attempts.map((a) => a.deployment as string)
  }
}

export const chat = (body: object = {}) =>
  LlmRequest.chat({ model: "m", stream: true, messages: [{ role: "user", content: "Hi" }], ...body })

const summary = (events: ReadonlyArray<ChatChunk.StreamEvent>, exit: Exit.Exit<void, LlmError>) => ({
  events,
  text: events.map((item) => ChatChunk.text(item.json)).join(""),
  error: Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : undefined,
  isWhole: Exit.isSuccess(exit)
})

/** Reads a stream to its end, on the clock; the caller sees every event as it comes. */
export const read = (service: Service.RequestService, request: LlmRequest.LlmRequest = chat()) =>
  Effect.gen(function* () {
    const events: Array<ChatChunk.StreamEvent> = []
    const fiber = yield* Effect.fork(
      Effect.exit(
        Stream.runForEach(LlmService.stream(service, request), (item) => Effect.sync(() => events.push(item)))
      )
    )
    yield* TestClock.adjust("1 minute")
    return summary(events, yield* Fiber.join(fiber))
  })

/** The same without a clock, for upstreams that need none. */
export const pull = (service: Service.RequestService, forwards = false) =>
  Effect.gen(function* () {
    const events: Array<ChatChunk.StreamEvent> = []
    const pulling = Effect.gen(function* () {
      const response = yield* service.call(LlmRequest.begin(chat(), 0))
      if (response._tag === "Complete") return assert.fail("no stream")
      if (forwards) {
        return yield* response.events.forward((batch) => {
          events.push(...batch)
          return events.length % 2 === 0 ? Effect.yieldNow() : undefined
        })
      }
      for (;;) {
        const batch = yield* response.events.pull
        if (batch.length === 0) return
        events.push(...batch)
      }
    })
    return summary(events, yield* Effect.exit(pulling))
  })

export const bodies = (attempts: ReadonlyArray<Attempt>) => attempts.map((attempt) => attempt.request.body)
