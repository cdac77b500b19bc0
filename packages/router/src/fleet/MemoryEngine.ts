/**
 * An engine in this process: what the first of several processes on one machine keeps for the others, and what tests hold the
 * other engines against.
 */
import { nowMs } from "@switchyard/core/Time"
import { Effect } from "effect"
import type { Engine, Held } from "./Engine.js"
import * as memoryBoards from "./memoryBoards.js"
import * as memoryBreakers from "./memoryBreakers.js"
import type { At } from "./memoryClock.js"
import * as memoryNews from "./memoryNews.js"
import * as memorySpend from "./memorySpend.js"
import * as memoryValues from "./memoryValues.js"
import { SharedUsage } from "./sharedUsage.js"
import type { Lent, UsageLender } from "./UsageLoans.js"

/** An engine that also lends room in advance. */
export interface MemoryEngine extends Engine {
  readonly lender: UsageLender
}

/** Makes room for a hundredth of the keys at once. */
const prune = (keys: Map<string, SharedUsage>, now: number): void => {
  for (const [key, usage] of keys) if (usage.isIdle(now)) keys.delete(key)
}

/** An engine over the clock that it is made with. Keys that nobody uses any more are forgotten, from `capacity` (100,000) on. */
export const make = (capacity = 100_000): Effect.Effect<MemoryEngine> =>
  Effect.map(Effect.clock, (clock) => {
    const keys = new Map<string, SharedUsage>()
    const replicas = new Map<string, number>()

    const usageOf = (key: string, window: number, now: number): SharedUsage => {
      const known = keys.get(key)
      if (known?.window === window) return known
      if (keys.size >= capacity) prune(keys, now)
      const made = new SharedUsage(window)
      keys.set(key, made)
      return made
    }

    const at: At = (step) => Effect.sync(() => step(nowMs(clock)))

    return {
      name: "memory",
      usage: {
        admit: (ask) => at((now) => usageOf(ask.key, ask.window, now).admit(ask, now)),
        settle: ({ attempt, key }, tokens) => at((now) => keys.get(key)?.settle(attempt, tokens, now)),
        release: ({ attempt, key }) => at((now) => keys.get(key)?.release(attempt, now)),
        renew: (held, lease) =>
          at((now) => held.filter(({ attempt, key }: Held) => keys.get(key)?.renew(attempt, lease, now) !== true)),
        record: (recorded) =>
          at((now) => {
            for (const { ago, key, requests, tokens, window } of recorded) {
              usageOf(key, window, now).record(requests, tokens, ago, now)
            }
          }),
        look: (asked, window) => at((now) => asked.map((key) => usageOf(key, window, now).use(now)))
      },
      lender: {
        lend: (ask, borrower, borrowers) => at((now) => keys.get(ask.key)?.lend(ask, borrower, borrowers, now)),
        told: (borrower, words) =>
          at((now) => {
            for (const word of words) keys.get(word.key)?.told(borrower, word, now)
          }),
        renew: (borrower, lent, lease) =>
          at((now) =>
            lent.filter(({ key, loan }: Lent) => keys.get(key)?.renewLoan(borrower, loan, lease, now) !== true)
          ),
        recall: (key) => at((now) => keys.get(key)?.recall(now) ?? []),
        forfeit: (borrower) =>
          at((now) => {
            for (const usage of keys.values()) usage.forfeit(borrower, now)
          })
      },
      spend: memorySpend.make(at, capacity),
      boards: memoryBoards.make(at),
      news: memoryNews.make(),
      breakers: memoryBreakers.make(at),
      values: memoryValues.make(at),
      announce: (id, lasts) =>
        at((now) => {
          replicas.set(id, now + lasts)
          for (const [other, until] of replicas) if (until <= now) replicas.delete(other)
          const ids = [...replicas.keys()].sort()
          return { count: ids.length, place: ids.indexOf(id) }
        })
    }
  })
