/**
 * What a primary lends its workers: room for calls in advance, asked back from all before anybody is refused.
 */
import type { AdmitAsk, Admitted, EngineError, Refused } from "@switchyard/router/Engine"
import type { MemoryEngine } from "@switchyard/router/MemoryEngine"
import type { Grant, Lent, Told } from "@switchyard/router/UsageLoans"
import { Deferred, Effect, FiberId } from "effect"
import { recallQuestion } from "./BorrowedUsage.js"
import type { Peer } from "./Peer.js"

/** Ms that a worker may take to give back what it was lent: one that takes longer keeps it, until its lease ends. */
const recallWithin = 250

/** One worker, as a borrower. */
export interface Borrower {
  /** Asks for room of one call, and for more of it beside. */
  readonly admit: (ask: AdmitAsk) => Effect.Effect<(Admitted | Refused) & { readonly grant?: Grant }, EngineError>
  readonly told: (words: ReadonlyArray<Told>) => void
  readonly renew: (lent: ReadonlyArray<Lent>, lease: number) => Effect.Effect<ReadonlyArray<Lent>>
  /** It is gone. */
  readonly end: Effect.Effect<void>
}

/** Lends to workers. */
export interface Lending {
  readonly join: (peer: Pick<Peer, "ask">) => Borrower
}

/** Lends room of an engine. */
export const make = ({ lender, usage }: Pick<MemoryEngine, "lender" | "usage">): Lending => {
  const peers = new Map<string, Pick<Peer, "ask">>()
  const recalling = new Map<string, Deferred.Deferred<boolean>>()
  let joined = 0

  const recallOne = ({ borrower, loan }: Lent): Effect.Effect<void> => {
    const peer = peers.get(borrower)
    return peer === undefined ? Effect.void : Effect.ignore(peer.ask(recallQuestion, [loan], recallWithin))
  }

  /** Asks back what is lent of a key; false where nothing was. */
  const recalled = (key: string): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const running = recalling.get(key)
      if (running !== undefined) return Deferred.await(running)
      return Effect.flatMap(lender.recall(key), (lent) => {
        if (lent.length === 0) return Effect.succeed(false)
        const done = Deferred.unsafeMake<boolean>(FiberId.none)
        recalling.set(key, done)
        return Effect.forEach(lent, recallOne, { concurrency: "unbounded", discard: true }).pipe(
          Effect.as(true),
          Effect.ensuring(
            Effect.suspend(() => {
              recalling.delete(key)
              return Deferred.succeed(done, true)
            })
          )
        )
      })
    })

  return {
    join: (peer) => {
      const name = `${++joined}`
      peers.set(name, peer)
      return {
        admit: (ask) =>
          Effect.flatMap(usage.admit(ask), (answer) => {
            if (answer._tag === "Refused") {
              return Effect.flatMap(recalled(ask.key), (isMore) => (isMore ? usage.admit(ask) : Effect.succeed(answer)))
            }
            return Effect.map(lender.lend(ask, name, peers.size), (grant) =>
              grant === undefined ? answer : { ...answer, grant }
            )
          }),
        told: (words) => Effect.runSync(lender.told(name, words)),
        renew: (lent, lease) => lender.renew(name, lent, lease),
        end: Effect.suspend(() => {
          peers.delete(name)
          return lender.forfeit(name)
        })
      }
    }
  }
}
