import type { IncidentTimes } from "../upstream/conditions.js"
import type { IncidentResult } from "./Result.js"

/** Seconds that a share is taken over: before an incident, and while it is watched for a change. */
const before = 30
const span = 3

const sumOf = (calls: ReadonlyArray<ReadonlyArray<number>>, from: number, to: number): number => {
  let sum = 0
  for (const one of calls) for (let second = Math.max(0, from); second < to; second++) sum += one[second] ?? 0
  return sum
}

/** When the share of calls that deployments get has crossed half of what it was, by the second. */
const crossing = (
  own: ReadonlyArray<ReadonlyArray<number>>,
  all: ReadonlyArray<ReadonlyArray<number>>,
  from: number,
  to: number,
  isThere: (share: number) => boolean
): number | undefined => {
  for (let second = from; second < to; second++) {
    const total = sumOf(all, second, second + span)
    if (total > 0 && isThere(sumOf(own, second, second + span) / total)) return second
  }
  return undefined
}

/** How an incident was met, each time that it came, at most ten times. */
export const reactions = (
  { deployments, times }: { readonly times: IncidentTimes; readonly deployments: ReadonlyArray<string> },
  own: ReadonlyArray<ReadonlyArray<number>>,
  all: ReadonlyArray<ReadonlyArray<number>>,
  until: number
): ReadonlyArray<IncidentResult> => {
  const found: Array<IncidentResult> = []
  for (let from = times.from; from < until && found.length < 10; from += times.every) {
    const to = Math.min(until, from + times.lasts)
    const begins = Math.floor(from / 1000)
    const ends = Math.floor(to / 1000)
    const usual = sumOf(all, begins - before, begins)
    const share = usual === 0 ? 0 : sumOf(own, begins - before, begins) / usual
    const detectedAt = share === 0 ? undefined : crossing(own, all, begins, ends, (now) => now < share / 2)
    const next = Math.min(until, from + times.every)
    const recoveredAt =
      share === 0 || to >= until
        ? undefined
        : crossing(own, all, ends, Math.floor(next / 1000), (now) => now > share / 2)
    found.push({
      deployments,
      from,
      to,
      detected: detectedAt === undefined ? undefined : Math.max(0, detectedAt * 1000 - from),
      recovered: recoveredAt === undefined ? undefined : Math.max(0, recoveredAt * 1000 - to)
    })
    if (times.every === Number.POSITIVE_INFINITY) break
  }
  return found
}
