/** The tower as it stands: every concern in its place. Read it as a call goes, from the outermost down to the base. */
import { Balancer } from "../balancing/Balancer.js"
import { Cooldown } from "../breaker/Cooldown.js"
import { HealthProbes } from "../breaker/HealthProbes.js"
import { Cache } from "../cache/Cache.js"
import { AdaptiveConcurrency } from "../concurrency/AdaptiveConcurrency.js"
import { FaultInjection } from "../drills/FaultInjection.js"
import { OutlierEjection } from "../ejection/OutlierEjection.js"
import { RequestEvents } from "../events/RequestEvents.js"
import { Fallback } from "../fallback/Fallback.js"
import { Hedge } from "../hedge/Hedge.js"
import { Patience } from "../hedge/Patience.js"
import { Latency } from "../latency/Latency.js"
import { CallerLimits } from "../limits/CallerLimits.js"
import { Limits } from "../limits/Limits.js"
import { CallerBudget } from "../money/CallerBudget.js"
import { Cost } from "../money/Cost.js"
import { SpendLimits } from "../money/SpendLimits.js"
import { AttemptMetrics } from "../observe/AttemptMetrics.js"
import { EventMetrics } from "../observe/Metrics.js"
import { RequestMetrics } from "../observe/RequestMetrics.js"
import { Tracing, TracingAttempts, TracingEvents, TracingRefusals, TracingSelections } from "../observe/Tracing.js"
import { Pinning } from "../pinning/Pinning.js"
import { AdmissionQueue } from "../queue/AdmissionQueue.js"
import { HeldBack, StreamRecovery } from "../recovery/StreamRecovery.js"
import { Retry } from "../retry/Retry.js"
import * as Stack from "../stack/Stack.js"
import { AdmissionThrottle } from "../throttle/AdmissionThrottle.js"
import { Deadline } from "../time/Deadline.js"
import { Timeouts } from "../time/Timeouts.js"

/** The concerns of the standard stack. */
export const standard = Stack.make({
  request: [
    Tracing,
    RequestEvents,
    RequestMetrics,
    Cache,
    Deadline,
    CallerLimits,
    CallerBudget,
    Pinning,
    StreamRecovery,
    Patience,
    Fallback,
    AdmissionThrottle,
    Retry,
    HeldBack,
    Hedge,
    TracingRefusals,
    AdmissionQueue
  ],
  turn: Balancer,
  attempt: [
    TracingSelections,
    Cooldown,
    OutlierEjection,
    AdaptiveConcurrency,
    Limits,
    SpendLimits,
    TracingAttempts,
    Cost,
    Latency,
    AttemptMetrics,
    Timeouts,
    FaultInjection
  ],
  beside: [HealthProbes, EventMetrics, TracingEvents]
})

/** Any concern of the standard stack. */
export type Standard = typeof standard extends Stack.Stack<infer C> ? C : never
