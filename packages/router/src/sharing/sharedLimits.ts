import { type Busy, busy } from "@switchyard/core/Status"
import type { Refused, Replicas, SharedLimits } from "../fleet/Engine.js"
import { shareOf } from "../fleet/EngineGuard.js"

/** This process's shares of limits, while nobody counts for all. */
export const sharesOf = ({ maxParallel, rpm, tpm }: SharedLimits, replicas: Replicas): SharedLimits => {
  const share = (limit: number | undefined) => (limit === undefined ? undefined : shareOf(limit, replicas))
  return { rpm: share(rpm), tpm: share(tpm), maxParallel: share(maxParallel) }
}

/** What an engine's refusal means to who asked at `now`, monotonic ms. */
export const refusedUntil = ({ freesIn, reason }: Refused, now: number): Busy => ({
  ...busy(reason, freesIn === undefined ? undefined : now + freesIn),
  ...(reason === "rpm" ? {} : { early: true })
})
