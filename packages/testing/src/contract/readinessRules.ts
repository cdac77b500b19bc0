/**
 * Whether a layer could take a call: never sooner than the service inside it.
 */
import type { Opening } from "@switchyard/core/Opening"
import { busy, closed } from "@switchyard/core/Status"
import { Effect } from "effect"
import * as StubLlm from "../StubLlm.js"
import { expect, type Rule } from "./contractRules.js"

export const statusRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "is never more ready than the inner service",
    (subject) =>
      Effect.gen(function* () {
        for (const inner of [busy("inner", 60_000), closed("inner", 60_000), closed("inner")]) {
          subject.stub.setStatus(inner)
          const outer = subject.status?.()
          const worse = outer?._tag === "Closed" || (outer?._tag === "Busy" && inner._tag === "Busy")
          yield* expect(
            worse,
            () => `the inner service says ${JSON.stringify(inner)}, the layer ${JSON.stringify(outer)}`
          )
        }
        yield* expect(subject.stub.calls.length === 0, () => "reading the status made a call")
      })
  ],
  [
    "passes on the cause of the inner service's answer",
    (subject) =>
      Effect.gen(function* () {
        const answers = [
          busy("inner", 60_000, "failure"),
          closed("inner", 60_000, "limit"),
          closed("inner", undefined, "operator")
        ]
        for (const inner of answers) {
          subject.stub.setStatus(inner)
          const outer = subject.status?.()
          yield* expect(
            outer !== undefined &&
              outer._tag !== "Open" &&
              (outer.reason !== inner.reason || outer.cause === inner.cause),
            () => `the inner service says ${JSON.stringify(inner)}, the layer ${JSON.stringify(outer)}`
          )
        }
      })
  ]
]

/** What the inner service may say of its readiness: somebody later, somebody at no known time, nobody. */
const readiness = (now: number): ReadonlyArray<ReadonlyArray<Opening>> => {
  const opening = (deployment: string, opensAt: number): Opening => ({
    deployment: StubLlm.deployment(deployment).id,
    opensAt,
    namedAt: opensAt
  })
  return [[opening("stub", now + 60_000), opening("other", Number.POSITIVE_INFINITY)], [opening("other", now)], []]
}

/** What is said of one that the inner service does not know, or that opens later there; undefined for nothing. */
const tooEarly = (outer: ReadonlyArray<Opening>, inner: ReadonlyArray<Opening>): Opening | undefined =>
  outer.find(({ deployment, namedAt, opensAt }) => {
    if (deployment === undefined) return false
    const known = inner.find((opening) => opening.deployment === deployment)
    return known === undefined || opensAt < known.opensAt || namedAt < known.namedAt
  })

export const openingRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "names nobody who opens sooner than the inner service says",
    (subject) =>
      Effect.gen(function* () {
        for (const inner of readiness(subject.time.now())) {
          subject.stub.setOpenings(inner)
          const early = tooEarly(subject.openings?.() ?? [], inner)
          yield* expect(
            early === undefined,
            () => `the inner service says ${JSON.stringify(inner)}, the layer ${JSON.stringify(early)}`
          )
        }
        yield* expect(subject.stub.calls.length === 0, () => "reading the openings made a call")
      })
  ]
]
