/**
 * A base service that dies (it throws, or its effect has a defect) fails its call like any other failure, with the cause in
 * the log.
 */
import { Cause, Effect, Option, Predicate } from "effect"
import type { Death } from "../answer/EventStream.js"
import { withoutPrompt } from "../dialect/promptTexts.js"
import { LlmError } from "../errors/LlmError.js"
import { type LlmRequest, wordsOf } from "../request/LlmRequest.js"
import type { Attempt } from "./Attempt.js"
import { enteringOf } from "./region.js"
import * as Service from "./Service.js"

/** The code of an error that stands for a defect. */
const code = "defect"

/** A call that died; an attempt is one. */
export interface Dead {
  readonly request: LlmRequest
  readonly provider?: string | undefined
  readonly deployment?: string | undefined
}

const whereOf = ({ deployment, provider }: Dead): { readonly provider?: string; readonly deployment?: string } => ({
  ...(provider === undefined ? {} : { provider }),
  ...(deployment === undefined ? {} : { deployment })
})

/** One request that makes each service die is counted against the first alone. */
const diedBefore = ({ request }: Dead): boolean =>
  request.route.journal.entries.some(({ outcome }) => outcome?._tag === "Failed" && outcome.error.code === code)

/**
 * The error that a defect is. Before a byte was sent the request itself is the poison: no deployment is asked again, and
 * none is blamed. After that the next one is asked, and it counts once in a request.
 */
const errorOf = (dead: Dead, isSent: boolean): LlmError =>
  isSent
    ? new LlmError({
        reason: "Unavailable",
        description: "the service that speaks to the provider died",
        code,
        ...whereOf(dead),
        ...(diedBefore(dead) ? { blames: "request" } : { elsewhere: true })
      })
    : new LlmError({
        reason: "InvalidRequest",
        description: "the service that speaks to the provider died of this request before it was sent",
        code,
        ...whereOf(dead)
      })

/** Writes into the log what somebody died of while a request was served, without its prompt. */
export const told = (what: string, request: LlmRequest, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.suspend(() => Effect.logError(what, withoutPrompt(cause, request.body, wordsOf(request).textFields)))

/** The failure that a defect is, and what writes its cause into the log, without the request's prompt. */
export const deathOf = (dead: Dead, cause: Cause.Cause<unknown>, isSent: boolean): Death => ({
  error: errorOf(dead, isSent),
  log: Effect.annotateLogs(told("a base service died", dead.request, cause), whereOf(dead))
})

/** A call that died. */
export const failed = (dead: Dead, cause: Cause.Cause<unknown>, isSent: boolean): Effect.Effect<never, LlmError> => {
  const { error, log } = deathOf(dead, cause, isSent)
  return Effect.zipRight(log, Effect.fail(error))
}

/** Whether a failure is none that types allow: of a client that is cast, or written in JavaScript. */
export const isForeign = (error: unknown): boolean => !Predicate.isTagged(error, "LlmError")

/** The cause, if it is a defect; a failure that is no `LlmError` is one. */
const defectOf = (cause: Cause.Cause<LlmError>): Cause.Cause<unknown> | undefined => {
  if (cause._tag === "Fail") return isForeign(cause.error) ? Cause.die(cause.error) : undefined
  if (cause._tag === "Die") return cause
  if (Cause.isInterrupted(cause)) return undefined
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return isForeign(failure.value) ? Cause.die(failure.value) : undefined
  return Cause.isDie(cause) ? cause : undefined
}

/** The same service, whose defects are failures, and so are errors that are no `LlmError`. Belongs around the base service, below every layer. */
export const caught = (base: Service.AttemptService): Service.AttemptService => {
  const enter = enteringOf(base)
  const service = Service.attemptWithin((attempt: Attempt, region) => {
    let call: Service.Call
    try {
      call = enter(attempt, region)
    } catch (defect) {
      return failed(attempt, Cause.die(defect), false)
    }
    return Effect.catchAllCause(call, (cause) => {
      const defect = defectOf(cause)
      return defect === undefined ? Effect.failCause(cause) : failed(attempt, defect, attempt.sent !== false)
    })
  }, base.status)
  return Service.expiring(service, Service.expiryOf(base))
}
