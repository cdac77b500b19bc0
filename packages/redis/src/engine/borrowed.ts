/**
 * The use of limits with room that is lent in advance: while a limit is far away calls begin and end without a question, and every
 * 50 ms one word for each key says what they used. Near a limit nothing is lent, and each call is asked for.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import type { AdmitAsk, Admitted, Engine, EngineError, Held, Refused, UsageEngine } from "@switchyard/router/Engine"
import { Effect, Runtime, Scope } from "effect"
import { Debt, sameTerms } from "./debt.js"
import type { Answer, Borrowing, LendingUsage } from "./usage.js"

/** Ms between two words about what was used. */
const every = 50

/** A key is borrowed for once so many calls of it were asked for within so many ms: more questions than words would be. */
const often = { calls: 8, within: 500 }

/** How long those are given that were lent what is asked back, ms: by news first, then by their own words. */
const waits = [15, every + 15]

/** After what was lent had to be asked back in vain, refusals are taken as they are for so long, ms. */
const tired = 1_000

/** Keys of which it is remembered how often they were asked for, until they are borrowed for. */
const capacity = 10_000

const channel = "loans"

/** What is known of a key. */
interface Known {
  /** Calls that were asked for since a moment. */
  asked: number
  since: number
  /** The loan that the next answer may bring, and with whose terms. */
  wanted: { readonly name: string; readonly terms: AdmitAsk } | undefined
  open: Debt | undefined
  /** Until when nothing is asked back. */
  tiredUntil: number
}

/** Borrows from an engine, for as long as the scope lives. `id` names this process; nobody outside may choose it. */
export const make = (
  id: string,
  usage: LendingUsage,
  news: Engine["news"],
  borrowers: () => number
): Effect.Effect<Required<Pick<Engine, "lent" | "usage">>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Background.runtime<never>())
    const scope = yield* Effect.scope
    const due = yield* Effect.makeLatch()
    const keys = new Map<string, Known>()
    const debts = new Set<Debt>()
    const running = new Map<string, Debt>()
    let numbered = 0

    const knownOf = (key: string, now: number): Known => {
      const found = keys.get(key)
      if (found !== undefined) return found
      if (keys.size >= capacity) for (const [other, { open }] of keys) if (open === undefined) keys.delete(other)
      const made: Known = { asked: 0, since: now, wanted: undefined, open: undefined, tiredUntil: 0 }
      keys.set(key, made)
      return made
    }

    const close = (debt: Debt): void => {
      debt.block.close()
      const known = keys.get(debt.block.key)
      if (known?.open === debt) known.open = undefined
    }

    /** Says what there is to say of a loan. */
    const tell = (debt: Debt): Effect.Effect<void> =>
      Effect.suspend(() => {
        const asked = nowMs(clock)
        const word = debt.word(borrowers(), asked)
        if (word === undefined) {
          if (debt.isOver) debts.delete(debt)
          return Effect.void
        }
        const unanswered = Effect.sync(() => debt.unanswered(nowMs(clock)))
        return Effect.matchEffect(
          Effect.onInterrupt(usage.tell(word), () => unanswered),
          {
            onFailure: () => unanswered,
            onSuccess: (heard) => {
              debt.answered(heard, asked, nowMs(clock))
              if (!debt.block.isClosed) return Effect.void
              close(debt)
              return tell(debt)
            }
          }
        )
      })

    const flush = Effect.suspend(() => {
      const now = nowMs(clock)
      for (const debt of debts) if (debt.block.isIdle(now)) close(debt)
      return Effect.forEach([...debts], tell, { concurrency: "unbounded", discard: true })
    }).pipe(
      Effect.tap(() => {
        if (debts.size === 0) due.unsafeClose()
      })
    )

    /** The loan that goes with a question for room. */
    const loanFor = (ask: AdmitAsk, now: number): Borrowing | undefined => {
      const { maxParallel, rpm, tpm } = ask.limits
      if (rpm === undefined && tpm === undefined && maxParallel === undefined) return undefined
      const known = knownOf(ask.key, now)
      const { open } = known
      if (open?.fits(ask) === true) return { name: open.name, isKnown: true, borrowers: borrowers() }
      if (now - known.since > often.within) {
        known.since = now
        known.asked = 0
      }
      if (++known.asked < often.calls || open !== undefined) return undefined
      if (known.wanted === undefined || !sameTerms(known.wanted.terms, ask)) {
        known.wanted = { name: `${id}:${++numbered}`, terms: ask }
      }
      return { name: known.wanted.name, isKnown: false, borrowers: borrowers() }
    }

    let isListening = false
    /** Hears from now on what is asked back. */
    const listen = (): void => {
      if (isListening) return
      isListening = true
      runFork(
        Scope.extend(
          news.listen(channel, (key) => void runFork(giveBack(key))),
          scope
        )
      )
    }

    /** A loan that has just been given. One that nobody wants any more, since limits have changed say, is given back at once. */
    const begun = (ask: AdmitAsk, name: string, known: Known, now: number): Debt => {
      const { wanted } = known
      const debt = new Debt(name, ++numbered, ask, now)
      debts.add(debt)
      due.unsafeOpen()
      if (wanted?.name !== name) debt.block.close()
      else {
        known.wanted = undefined
        known.open = debt
        listen()
      }
      return debt
    }

    /** The loan of a name: one that is closed hears of more room as well, and gives it back. */
    const debtOf = (name: string, { open }: Known): Debt | undefined => {
      if (open?.name === name) return open
      for (const debt of debts) if (debt.name === name) return debt
      return undefined
    }

    const granted = (ask: AdmitAsk, name: string, { answer, granted: room }: Answer, asked: number): void => {
      const now = nowMs(clock)
      const known = knownOf(ask.key, now)
      let debt = debtOf(name, known)
      if (debt === undefined) {
        if (room === undefined || room.requests === 0) return
        debt = begun(ask, name, known, now)
      }
      if (room !== undefined) return debt.grant(room, answer.use, asked, now)
      debt.lose()
      close(debt)
    }

    const borrow = (ask: AdmitAsk): Effect.Effect<Answer, EngineError> =>
      Effect.suspend(() => {
        const asked = nowMs(clock)
        const loan = loanFor(ask, asked)
        // What was used is known before more is asked for.
        const debt = loan?.isKnown === true ? keys.get(ask.key)?.open : undefined
        if (debt !== undefined) runFork(tell(debt))
        return Effect.map(usage.borrow(ask, loan), (answer) => {
          if (loan !== undefined && answer.answer._tag === "Admitted") granted(ask, loan.name, answer, asked)
          return answer
        })
      })

    /** Takes no more calls by what was lent of a key, and says so. */
    const giveBack = (key: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const debt = keys.get(key)?.open
        if (debt === undefined) return Effect.void
        close(debt)
        return tell(debt)
      })

    /** Asks all for what they were lent, before anybody is refused. */
    const recalled = (ask: AdmitAsk, refused: Refused): Effect.Effect<Admitted | Refused, EngineError> =>
      Effect.suspend(() => {
        const known = knownOf(ask.key, nowMs(clock))
        if (nowMs(clock) < known.tiredUntil) return Effect.succeed(refused)
        const again = ([wait, ...rest]: ReadonlyArray<number>): Effect.Effect<Admitted | Refused, EngineError> =>
          wait === undefined
            ? Effect.sync(() => {
                known.tiredUntil = nowMs(clock) + tired
                return refused
              })
            : Effect.flatMap(Effect.zipRight(Effect.sleep(wait), borrow(ask)), ({ answer, isLent }) =>
                isLent && answer._tag === "Refused" ? again(rest) : Effect.succeed(answer)
              )
        const told = Effect.zipRight(giveBack(ask.key), Effect.ignore(news.publish(channel, ask.key)))
        return Effect.zipRight(told, again(waits))
      })

    const admit = (ask: AdmitAsk): Effect.Effect<Admitted | Refused, EngineError> =>
      Effect.flatMap(borrow(ask), ({ answer, isLent }) =>
        isLent && answer._tag === "Refused" ? recalled(ask, answer) : Effect.succeed(answer)
      )

    const end = ({ attempt, key }: Held, tokens: number | undefined): boolean => {
      const debt = running.get(attempt)
      if (debt?.block.key !== key) return false
      running.delete(attempt)
      debt.block.end(attempt, tokens)
      return true
    }

    const renew: UsageEngine["renew"] = (held, lease) =>
      Effect.suspend(() => {
        const others = held.filter(({ attempt }) => !running.has(attempt))
        const own = new Set(held.flatMap(({ attempt }) => running.get(attempt) ?? []))
        const told = Effect.forEach(
          own,
          (debt) => {
            debt.hurry()
            return tell(debt)
          },
          { concurrency: "unbounded", discard: true }
        )
        const asked = others.length === 0 ? Effect.succeed([]) : usage.renew(others, lease)
        return Effect.map(Effect.zipRight(told, asked), (lost) => {
          const gone = held.filter(({ attempt }) => running.get(attempt)?.isLost === true)
          for (const { attempt } of gone) running.delete(attempt)
          return [...lost, ...gone]
        })
      })

    yield* Background.run(Effect.forever(Effect.zipRight(due.await, Effect.zipRight(Effect.sleep(every), flush))))
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        for (const debt of debts) close(debt)
        // A word may be on its way.
        return Effect.zipRight(flush, debts.size === 0 ? Effect.void : Effect.zipRight(Effect.sleep(every), flush))
      })
    )
    return {
      usage: {
        ...usage,
        admit,
        renew,
        settle: (held, tokens) => Effect.suspend(() => (end(held, tokens) ? Effect.void : usage.settle(held, tokens))),
        release: (held) => Effect.suspend(() => (end(held, undefined) ? Effect.void : usage.release(held)))
      },
      lent: {
        admit: (ask) => {
          const debt = keys.get(ask.key)?.open
          if (debt?.fits(ask) !== true) return undefined
          const use = debt.block.take(ask.attempt, ask.tokens, nowMs(clock))
          if (use === undefined) return undefined
          running.set(ask.attempt, debt)
          return { _tag: "Admitted", number: 0, use }
        },
        end
      }
    }
  })
