/**
 * Drills: a request may ask for an answer that no provider gives, for a failure, or for a delay, and everything above
 * behaves as if the deployment had done it: breakers, retries and fallbacks can be watched at work. Attempt tier, directly
 * above the base service, so that timeouts and all that counts see it. Who puts it in lets callers fail deployments: with
 * `cooldown: 0` a drill closes none for others.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import * as BaseService from "@switchyard/core/BaseService"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import type { AnswerWords, CannedRequest, Stamp } from "@switchyard/core/Dialect"
import { LlmError, type LlmErrorFields, type Reason } from "@switchyard/core/LlmError"
import { estimateInputTokens, type Fault, type LlmRequest } from "@switchyard/core/LlmRequest"
import { openAi } from "@switchyard/core/OpenAi"
import * as Service from "@switchyard/core/Service"
import { type Clock, Duration, Effect, type Layer, Stream } from "effect"
import * as Concern from "../stack/Concern.js"

/** What a provider says with each failure; reasons that no provider gives have nothing to add. */
const details: Readonly<{ readonly [reason in Reason]?: Partial<LlmErrorFields> }> = {
  RateLimited: { status: 429, retryAfter: 1_000 },
  QuotaExhausted: { status: 429 },
  Timeout: { phase: "total", bound: "deployment" },
  Unavailable: { status: 503 },
  Authentication: { status: 401 },
  ModelNotFound: { status: 404 },
  MalformedResponse: { status: 200 },
  InvalidRequest: { status: 400 },
  ContextWindowExceeded: { status: 400 },
  ContentPolicyViolation: { status: 400 },
  StreamInterrupted: { interruptedBy: "Unavailable" }
}

const failure = (reason: Reason, { deployment, provider }: Attempt): LlmError =>
  new LlmError({
    reason,
    description: "a fault that the request asked for",
    code: "fault_injection",
    deployment,
    provider,
    ...details[reason]
  })

/** Whether failures and delays hold here: no fallback has been taken, or they are to follow it. */
const strikes = (fault: Fault, { request }: Attempt): boolean =>
  fault.everywhere === true || request.route.journal.fallbacks.length === 0

const pause = (delay: number | undefined, clock: Clock.Clock, then: () => Service.Call): Service.Call =>
  delay !== undefined && delay > 0
    ? Effect.zipRight(clock.sleep(Duration.millis(delay)), Effect.suspend(then))
    : Effect.suspend(then)

const wordsFor = ({ dialect }: LlmRequest): AnswerWords => (dialect ?? openAi).answer

const cannedFor = (request: LlmRequest): CannedRequest => {
  const { body, model, operation } = request
  return { operation, model, body, inputTokens: estimateInputTokens(request) }
}

/**
 * The layer. A request without `overrides.fault` passes untouched. A canned answer is reckoned like a provider's: limits,
 * budgets and prices apply to its estimated usage.
 */
export const make = (): Service.AttemptLayer => {
  let answers = 0
  const stampAt = (clock: Clock.Clock): Stamp => ({
    id: `fault-injection-${++answers}`,
    created: Math.floor(clock.unsafeCurrentTimeMillis() / 1000)
  })
  const textOf = (request: LlmRequest): string => request.overrides.fault?.answer ?? ""
  const canned = BaseService.make({
    dialects: "any",
    complete: (request) =>
      Effect.map(Effect.clock, (clock) =>
        wordsFor(request).canned(cannedFor(request), textOf(request), stampAt(clock))
      ),
    stream: (request) =>
      Stream.unwrap(
        Effect.map(Effect.clock, (clock) => {
          const { canned: whole, cannedEvents, events } = wordsFor(request)
          const asked = cannedFor(request)
          const stamp = stampAt(clock)
          const said = cannedEvents?.(asked, textOf(request), stamp) ?? events(whole(asked, textOf(request), stamp))
          return Stream.map(Stream.fromIterable(said), ({ bytes, json }) => bytes ?? json)
        })
      )
  })

  const faulty = (fault: Fault, attempt: Attempt, next: Service.AttemptService): Service.Call =>
    Effect.clockWith((clock) => {
      const { answer, delay, fail } = fault
      const struck = strikes(fault, attempt)
      return pause(struck ? delay : undefined, clock, () => {
        if (struck && fail !== undefined) return Effect.fail(failure(fail, attempt))
        return answer === undefined ? next.call(attempt) : canned.call(attempt)
      })
    })

  return (next) => {
    const enter = Service.entry(next)
    const expires = Service.expiryOf(next)
    return Service.expiring(
      Service.attemptWithin((attempt, region) => {
        const { fault } = attempt.request.overrides
        return fault === undefined ? enter(attempt, region) : Service.waiting(region, faulty(fault, attempt, next))
      }, next.status),
      (request) => request.overrides.fault === undefined && expires(request)
    )
  }
}

/** Lets requests ask the inner service for faults. Belongs innermost, next to the provider's base service. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService> = Service.wrap(
  DeploymentService,
  Effect.sync(make)
)

/** The layer as a concern of a stack. */
export class FaultInjection extends Concern.attempt({
  name: "faultInjection",
  about: "Faults for requests that ask for one (`overrides.fault`)",
  on: false,
  inside: { timeouts: "a fault may be that nothing comes" },
  make: () => make()
}) {}
