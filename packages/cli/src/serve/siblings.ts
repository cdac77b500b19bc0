/** What a primary does for workers that ask each other: it passes on, and keeps what those have counted that are gone. */
import * as MergedMetrics from "@switchyard/gateway/MergedMetrics"
import type { Peer } from "@switchyard/gateway/Peer"
import { metricsQuestion } from "@switchyard/gateway/Siblings"
import type { EngineError } from "@switchyard/router/Engine"
import { Effect } from "effect"
import { asks, orders, siblingNews } from "./protocol.js"

/** Ms that a worker may take to answer another's question. */
export const siblingWithin = 1_000

/** What passes between workers. */
export interface Between {
  /** Answers a question of a worker; undefined for one that is none for others. */
  readonly answer: (
    from: Peer,
    operation: string,
    args: ReadonlyArray<unknown>
  ) => Effect.Effect<unknown, EngineError> | undefined
  /** Passes on what a worker tells all others. */
  readonly heard: (from: Peer, topic: string, value: unknown) => void
  /** A worker is gone. */
  readonly gone: (peer: Peer) => void
}

/** `others` are those that serve, but for one; `own` is what the primary has counted. */
export const make = (others: (than: Peer) => ReadonlyArray<Peer>, own: () => string): Between => {
  /** What was last heard that each has counted: more than that nobody knows of one that is killed. */
  const counted = new Map<Peer, string>()
  let ofGone = ""

  const gather = (
    from: Peer,
    question: string,
    args: unknown
  ): Effect.Effect<ReadonlyArray<readonly [Peer, unknown]>> =>
    Effect.map(
      Effect.forEach(
        others(from),
        (peer) =>
          Effect.match(peer.ask(orders.sibling, [question, args], siblingWithin), {
            onFailure: () => [],
            onSuccess: (answer) => [[peer, answer] as const]
          }),
        { concurrency: "unbounded" }
      ),
      (all) => all.flat()
    )

  const metrics = (from: Peer, text: string, accept: unknown): Effect.Effect<string> =>
    Effect.map(gather(from, metricsQuestion, [accept]), (told) => {
      counted.set(from, text)
      for (const [peer, other] of told) counted.set(peer, String(other))
      return MergedMetrics.merge([text, ...told.map(([, other]) => String(other)), ofGone, own()])
    })

  return {
    answer: (from, operation, args) => {
      const [first, second] = args
      if (operation === asks.gather) {
        return Effect.map(gather(from, String(first), second), (all) => all.map(([, answer]) => answer))
      }
      if (operation === asks.metrics) return metrics(from, String(first), second)
      if (operation === asks.counted) return Effect.sync(() => void counted.set(from, String(first)))
      return undefined
    },
    heard: (from, topic, value) => {
      if (topic === siblingNews) for (const peer of others(from)) peer.tell(siblingNews, value)
    },
    gone: (peer) => {
      const last = counted.get(peer)
      counted.delete(peer)
      if (last !== undefined) ofGone = MergedMetrics.merge([ofGone, MergedMetrics.lasting(last)])
    }
  }
}
