/**
 * A base service that dies (it throws, or its effect has a defect) fails its call like any other failure, with the cause in
 * the log.
 */
import { Cause, Effect } from "effect"
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

/** The failure that a defect is, and what writes its cause into the log, without the request's prompt. */
export const deathOf = (dead: Dead, cause: Cause.Cause<unknown>, isSent: boolean): Death => ({
  error: errorOf(dead, isSent),
  log: Effect.suspend(() =>
    Effect.annotateLogs(
      Effect.logError("a base service died", withoutPrompt(cause, dead.request.body, wordsOf(dead.request).textFields)),
      whereOf(dead)
    )
  )
})

/** A call that died. */
export const failed = (dead: Dead, cause: Cause.Cause<unknown>, isSent: boolean): Effect.Effect<never, LlmError> => {
  const { error, log } = deathOf(dead, cause, isSent)
  return Effect.zipRight(log, Effect.fail(error))
}

const isDefect = (cause: Cause.Cause<LlmError>): boolean =>
  cause._tag === "Die" || (Cause.isDie(cause) && !Cause.isFailure(cause) && !Cause.isInterrupted(cause))

/** The same service, whose defects are failures. Belongs around the base service, below every layer. */
export const caught = (base: Service.AttemptService): Service.AttemptService => {
  const enter = enteringOf(base)
  const service = Service.attemptWithin((attempt: Attempt, region) => {
    let call: Service.Call
    try {
      call = enter(attempt, region)
    } catch (defect) {
      return failed(attempt, Cause.die(defect), false)
    }
    return Effect.catchAllCause(call, (cause) =>
      isDefect(cause) ? failed(attempt, cause, attempt.sent !== false) : Effect.failCause(cause)
    )
  }, base.status)
  return Service.expiring(service, Service.expiryOf(base))
}
