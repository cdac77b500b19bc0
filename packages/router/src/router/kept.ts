import type { AttemptLayer, RequestLayer } from "@switchyard/core/Service"
import type { Strategy } from "../balancing/RoutingStrategy.js"
import type { Findings } from "../breaker/HealthProbes.js"
import type { EventCounters } from "../observe/eventCounters.js"
import type { Issued } from "../pinning/Pinning.js"
import type { WaitingRoom } from "../queue/AdmissionQueue.js"

/** A built-in strategy, with the name that the options called it by. */
export interface NamedStrategy {
  readonly name: string
  readonly strategy: Strategy
}

/** What a tower remembers beside its state services, for the tower that takes its place. */
export interface Kept {
  /** Which deployment issued what. */
  readonly issued: Issued
  /** Who waits for room. */
  readonly room: WaitingRoom
  /** What health probes found. */
  readonly findings: Findings
  /** The series of the metrics: gauges count in them. Undefined where metrics are off. */
  readonly attemptMetrics: AttemptLayer | undefined
  readonly requestMetrics: RequestLayer | undefined
  /** Counts what layers publish. */
  readonly counters: EventCounters
  /** By group, and under `undefined` the one for all others. A strategy of one's own lives in its tower's scope: it stays. */
  readonly strategies: ReadonlyMap<string | undefined, NamedStrategy>
}
