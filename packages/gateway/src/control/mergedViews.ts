/** What several gateways behind one port know of their deployments, as one. */
import type { Latest } from "../api/AdminEvents.js"
import type { AnswerTimes, DeploymentView, Recording, State } from "../api/AdminViews.js"
import { maxErrors } from "../log/EventLog.js"

const gravest: ReadonlyArray<State> = ["isolated", "unhealthy", "cooldown", "degraded", "limited", "healthy", "unknown"]

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const known = <A>(values: ReadonlyArray<A | null>): ReadonlyArray<A> =>
  values.filter((value): value is NonNullable<typeof value> => value !== null)

const least = (values: ReadonlyArray<number | null>): number | null =>
  known(values).length === 0 ? null : Math.min(...known(values))

const most = (values: ReadonlyArray<number | null>): number | null =>
  known(values).length === 0 ? null : Math.max(...known(values))

/** A mean of means, by how much is behind each. */
const mean = (values: ReadonlyArray<readonly [value: number | null, weight: number]>): number | null => {
  const counted = values.filter((one): one is readonly [number, number] => one[0] !== null && one[1] > 0)
  const weight = sum(counted.map(([, one]) => one))
  return weight === 0
    ? (values.find(([value]) => value !== null)?.[0] ?? null)
    : Math.round((sum(counted.map(([value, one]) => value * one)) / weight) * 10) / 10
}

const times = (all: ReadonlyArray<AnswerTimes>): AnswerTimes => ({
  meanMs: mean(all.map(({ meanMs, samples }) => [meanMs, samples])),
  p50Ms: mean(all.map(({ p50Ms, samples }) => [p50Ms, samples])),
  p95Ms: most(all.map(({ p95Ms }) => p95Ms)),
  samples: Math.round(sum(all.map(({ samples }) => samples)) * 10) / 10
})

const longest = <A extends { readonly remainingMs: number | null }>(blocks: ReadonlyArray<A | null>): A | null =>
  known(blocks).reduce<A | null>(
    (found, one) =>
      found === null || (one.remainingMs ?? Number.POSITIVE_INFINITY) > (found.remainingMs ?? Number.POSITIVE_INFINITY)
        ? one
        : found,
    null
  )

const merged = (own: DeploymentView, all: ReadonlyArray<DeploymentView>): DeploymentView => {
  const total = (value: (view: DeploymentView) => number): number => sum(all.map(value))
  const errors = all.flatMap(({ lastErrors }) => lastErrors)
  const minutes = known(all.map(({ lastMinute }) => lastMinute))
  const lastErrors = [...errors].sort((a, b) => a.ageMs - b.ageMs).slice(0, maxErrors)
  return {
    ...own,
    state: gravest.find((state) => all.some((view) => view.state === state)) ?? own.state,
    isolated: all.some(({ isolated }) => isolated),
    cooldown: longest(all.map(({ cooldown }) => cooldown)),
    limitedBy: longest(all.map(({ limitedBy }) => limitedBy)),
    rampFactor: Math.min(...all.map(({ rampFactor }) => rampFactor)),
    stream: times(all.map(({ stream }) => stream)),
    plain: times(all.map(({ plain }) => plain)),
    inFlight: total(({ inFlight }) => inFlight),
    requests: total(({ requests }) => requests),
    successes: total(({ successes }) => successes),
    failures: total(({ failures }) => failures),
    blameless: total(({ blameless }) => blameless),
    abandoned: total(({ abandoned }) => abandoned),
    tokens: total(({ tokens }) => tokens),
    lastMinute:
      minutes.length === 0
        ? null
        : {
            requests: sum(minutes.map(({ requests }) => requests)),
            failures: sum(minutes.map(({ failures }) => failures)),
            tokens: sum(minutes.map(({ tokens }) => tokens))
          },
    headroom: least(all.map(({ headroom }) => headroom)),
    // Windows are counted by all together.
    spend: known(all.map(({ spend }) => spend)).reduce<DeploymentView["spend"]>(
      (found, one) => (found === null || one.used > found.used ? one : found),
      null
    ),
    lastErrors,
    lastError: lastErrors[0]?.reason ?? known(all.map(({ lastError }) => lastError))[0] ?? null,
    lastRequestAgeMs: least(all.map(({ lastRequestAgeMs }) => lastRequestAgeMs))
  }
}

/** Deployments as all know them, in the order that this one has. */
export const deployments = (
  own: ReadonlyArray<DeploymentView>,
  others: ReadonlyArray<ReadonlyArray<DeploymentView>>
): ReadonlyArray<DeploymentView> => {
  if (others.length === 0) return own
  const byId = others.map((views) => new Map(views.map((view) => [view.id, view])))
  return own.map((view) => merged(view, [view, ...byId.flatMap((views) => views.get(view.id) ?? [])]))
}

type Columns = Recording["deployments"][number]

/** The indices of another's samples by that of this one's which is nearest in time: none is lost, whoever was late. */
const placesOf = (own: Recording, other: Recording): ReadonlyArray<ReadonlyArray<number>> => {
  const places = own.at.map((): Array<number> => [])
  let nearest = 0
  for (const [index, at] of other.at.entries()) {
    const away = (place: number) => Math.abs((own.at[place] ?? Number.POSITIVE_INFINITY) - at)
    while (nearest + 1 < own.at.length && away(nearest + 1) <= away(nearest)) nearest++
    if (away(nearest) <= own.intervalMs) places[nearest]?.push(index)
  }
  return places
}

/** Samples at about the same time are one; of a time that only one knows it is what that one knows. */
const columns = (
  own: Columns,
  others: ReadonlyArray<readonly [Columns, ReadonlyArray<ReadonlyArray<number>>]>
): Columns => {
  const at = (index: number, column: "requests" | "failures" | "inFlight" | "meanMs" | "p95Ms") => [
    own[column][index] ?? null,
    ...others.flatMap(([columns, places]) => (places[index] ?? []).map((place) => columns[column][place] ?? null))
  ]
  /** Of calls that run, the newest sample of each. */
  const running = (index: number) => [
    own.inFlight[index] ?? null,
    ...others.map(([{ inFlight }, places]) => inFlight[places[index]?.at(-1) ?? -1] ?? null)
  ]
  const each = <A>(f: (index: number) => A) => own.requests.map((_, index) => f(index))
  const total = (values: ReadonlyArray<number | null>) => (known(values).length === 0 ? null : sum(known(values)))
  return {
    id: own.id,
    group: own.group,
    requests: each((index) => total(at(index, "requests"))),
    failures: each((index) => total(at(index, "failures"))),
    inFlight: each((index) => total(running(index))),
    meanMs: each((index) => {
      const weights = at(index, "requests")
      return mean(at(index, "meanMs").map((value, one) => [value, weights[one] ?? 0]))
    }),
    p95Ms: each((index) => most(at(index, "p95Ms")))
  }
}

/** The last 15 minutes of all, at the times of this one's samples. */
export const recording = (own: Recording, others: ReadonlyArray<Recording>): Recording => {
  if (others.length === 0) return own
  const placed = others.map((other) => ({
    places: placesOf(own, other),
    byId: new Map(other.deployments.map((one) => [one.id, one]))
  }))
  return {
    ...own,
    deployments: own.deployments.map((one) =>
      columns(
        one,
        placed.flatMap(({ byId, places }) => {
          const other = byId.get(one.id)
          return other === undefined ? [] : [[other, places] as const]
        })
      )
    )
  }
}

/** The newest sample of all. */
export const latest = (own: Latest, others: ReadonlyArray<Latest>): Latest => ({
  ...own,
  deployments: own.deployments.map((one) => {
    const all = [one, ...others.flatMap(({ deployments }) => deployments.find(({ id }) => id === one.id) ?? [])]
    const total = (values: ReadonlyArray<number | null>) => (known(values).length === 0 ? null : sum(known(values)))
    return {
      ...one,
      requests: total(all.map(({ requests }) => requests)),
      failures: total(all.map(({ failures }) => failures)),
      inFlight: total(all.map(({ inFlight }) => inFlight)),
      meanMs: mean(all.map(({ meanMs, requests }) => [meanMs, requests ?? 0])),
      p95Ms: most(all.map(({ p95Ms }) => p95Ms))
    }
  })
})
