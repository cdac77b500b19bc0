import type { Ending } from "../record/UsageRecord.js"

/** What a sum is told by. */
export type Dimension = "day" | "key" | "team" | "user" | "model" | "deployment"

/** Asks for sums of the rollup. Days are of UTC, as `2026-11-29`; both are part of the time. */
export interface ReportAsk {
  readonly by: ReadonlyArray<Dimension>
  readonly from: string | undefined
  readonly to: string | undefined
  readonly key?: string | undefined
  readonly team?: string | undefined
  readonly user?: string | undefined
  readonly model?: string | undefined
  readonly deployment?: string | undefined
}

/** One sum: money in nano-USD, tokens disjoint as in a record. */
export interface ReportRow {
  readonly by: Readonly<Partial<Record<Dimension, string>>>
  readonly requests: number
  readonly failures: number
  readonly cost: number
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  readonly reasoning: number
}

/** Sums, in order of what they are told by. */
export type Report = ReadonlyArray<ReportRow>

/** Asks for single records. Times are wall-clock ms, `to` is not part. */
export interface RecordAsk {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly caller?: string | undefined
  readonly team?: string | undefined
  readonly user?: string | undefined
  readonly model?: string | undefined
  readonly ending?: Ending | undefined
  /** The request's id. */
  readonly id?: string | undefined
  /** At most so many: 1 to 10,000. */
  readonly limit: number
  /** Where the page before ended: `time` and `id` of its last record. */
  readonly after?: { readonly time: number; readonly id: string } | undefined
}

/** The day of UTC of a time (wall-clock ms), as reports name it: `2026-11-29`. */
export const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)
