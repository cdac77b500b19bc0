/**
 * A base service that dies (it throws, or its effect has a defect) fails its call like any other failure, with the cause in
 * the log.
 */
import { Cause, Effect } from "effect"
import type { Attempt } from "./Attempt.js"
import { LlmError } from "./LlmError.js"
import * as Service from "./Service.js"

/** The code of an error that stands for a defect. */
const code = "defect"

/** One request that makes each service die is counted against the first alone. */
const diedBefore = (attempt: Attempt): boolean =>
  attempt.request.route.journal.entries.some(({ outcome }) => outcome?._tag === "Failed" && outcome.error.code === code)

/** The error of a request that a service died of before anything was sent. */
export const poison = (where: { readonly provider?: string; readonly deployment?: string } = {}): LlmError =>
  new LlmError({
    reason: "InvalidRequest",
    description: "the service that speaks to the provider died of this request before it was sent",
    code,
    ...where
  })

/**
 * The error that a defect is. Before a byte was sent the request itself is the poison: no deployment is asked again, and
 * none is blamed. After that the next one is asked, and it counts once in a request.
 */
export const errorOf = (attempt: Attempt, isSent: boolean): LlmError => {
  const { deployment, provider } = attempt
  if (!isSent) return poison({ provider, deployment })
  return new LlmError({
    reason: "Unavailable",
    description: "the service that speaks to the provider died",
    code,
    provider,
    deployment,
    ...(diedBefore(attempt) ? { blames: "request" } : { elsewhere: true })
  })
}

/** Writes the cause of a defect into the log. */
export const log = ({ deployment, provider }: Attempt, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logError("a base service died", cause), { deployment, provider })

const failed = (attempt: Attempt, cause: Cause.Cause<unknown>, isSent: boolean): Service.Call =>
  Effect.zipRight(log(attempt, cause), Effect.fail(errorOf(attempt, isSent)))

const isDefect = (cause: Cause.Cause<LlmError>): boolean =>
  cause._tag === "Die" || (Cause.isDie(cause) && !Cause.isFailure(cause) && !Cause.isInterrupted(cause))

/** The same service, whose defects are failures. Belongs around the base service, below every layer. */
export const caught = (base: Service.AttemptService): Service.AttemptService => {
  const service = Service.attempt((attempt) => {
    let call: Service.Call
    try {
      call = base.call(attempt)
    } catch (defect) {
      return failed(attempt, Cause.die(defect), false)
    }
    return Effect.catchAllCause(call, (cause) =>
      isDefect(cause) ? failed(attempt, cause, attempt.sent !== false) : Effect.failCause(cause)
    )
  }, base.status)
  return base.expires === undefined ? service : Service.expiring(service, base.expires)
}
