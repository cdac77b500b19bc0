/**
 * The use of limits as a worker asks for it: of room that it was lent before it answers itself, and says a tenth of a second
 * later what it used; for anything else it asks the primary, which asks all for what it lent them before it refuses anybody.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import type {
  AdmitAsk,
  Admitted,
  Engine,
  EngineError,
  Held,
  Refused,
  SharedLimits,
  UsageEngine
} from "@switchyard/router/Engine"
import { LentBlock } from "@switchyard/router/LentBlock"
import type { Grant, Lent, Told } from "@switchyard/router/UsageLoans"
import { Effect, type Scope } from "effect"
import type { Peer } from "./Peer.js"

/** The primary's question for room that it lent: takes the loan's number; what is given back is told before the answer. */
export const recallQuestion = "loans.recall"

/** The topic of what a worker says that it used. */
export const toldTopic = "loans.told"

/** The question of a worker whether what it was lent is still its own: takes what it was lent, and for how long. */
export const renewQuestion = "engine.loans.renew"

/** Ms between two words about what was used; a loan that was asked back tells each end at once. */
const every = 100

/** A loan as a worker names it. */
type Own = Omit<Lent, "borrower">

/** A worker's side. */
export interface BorrowedUsage {
  /** The primary's, but for the use of limits. */
  readonly engine: Engine
  /** Gives back what is not used: succeeds once that is said. */
  readonly recall: (loan: number) => Effect.Effect<void>
}

const isSame = (a: SharedLimits, b: SharedLimits): boolean =>
  a.rpm === b.rpm && a.tpm === b.tpm && a.maxParallel === b.maxParallel

/** Borrows what an engine behind a peer lends, for as long as the scope lives. */
export const make = (engine: Engine, peer: Peer): Effect.Effect<BorrowedUsage, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { usage } = engine
    const tell = (words: ReadonlyArray<Told>): void => peer.tell(toldTopic, words)
    const clock = yield* Effect.clock
    const due = yield* Effect.makeLatch()
    /** Those that calls may begin with, by key; and all of which something may be to say. */
    const open = new Map<string, LentBlock>()
    const blocks = new Map<number, LentBlock>()
    const running = new Map<string, LentBlock>()

    const close = (block: LentBlock): void => {
      block.close()
      if (open.get(block.key) === block) open.delete(block.key)
    }
    const drop = (block: LentBlock): void => {
      close(block)
      blocks.delete(block.loan)
    }
    const wordOf = (block: LentBlock, now: number): ReadonlyArray<Told> => {
      const word = block.word(now)
      if (block.isOver) drop(block)
      return word === undefined ? [] : [word]
    }
    const say = (block: LentBlock): void => {
      const words = wordOf(block, nowMs(clock))
      if (words.length > 0) tell(words)
    }

    /** Says what is not said yet. */
    const flush = (now: number): void => {
      const words: Array<Told> = []
      for (const block of blocks.values()) {
        if (block.isIdle(now)) close(block)
        words.push(...wordOf(block, now))
      }
      if (words.length > 0) tell(words)
      if (blocks.size === 0) due.unsafeClose()
    }

    const take = (ask: AdmitAsk, block: LentBlock, now: number): Admitted | undefined => {
      if (!isSame(block.limits, ask.limits) || block.window !== ask.window) return undefined
      const use = block.take(ask.attempt, ask.tokens, now)
      if (use === undefined) return undefined
      running.set(ask.attempt, block)
      return { _tag: "Admitted", number: 0, use }
    }

    const granted = ({ key, loan, room }: Grant, ask: AdmitAsk, answer: Admitted, asked: number): void => {
      let block = blocks.get(loan)
      if (block === undefined) {
        block = new LentBlock(key, loan, ask.limits, ask.window, ask.lease)
        blocks.set(loan, block)
        open.set(key, block)
        due.unsafeOpen()
      }
      block.more(room, answer.use, asked, nowMs(clock))
      if (block.isClosed) say(block)
    }

    const admit = (ask: AdmitAsk): Effect.Effect<Admitted | Refused, EngineError> =>
      Effect.suspend(() => {
        const now = nowMs(clock)
        const block = running.get(ask.attempt) ?? open.get(ask.key)
        const own = block === undefined ? undefined : take(ask, block, now)
        if (own !== undefined) return Effect.succeed(own)
        // What was used is known before more is asked for.
        if (block !== undefined) say(block)
        return Effect.map(usage.admit(ask), (answer) => {
          const { grant, ...rest } = answer as (Admitted | Refused) & { readonly grant?: Grant }
          if (grant !== undefined && rest._tag === "Admitted") granted(grant, ask, rest, now)
          return rest
        })
      })

    const ended = (held: Held, tokens: number | undefined): Effect.Effect<void, EngineError> | undefined => {
      const block = running.get(held.attempt)
      if (block?.key !== held.key) return undefined
      running.delete(held.attempt)
      return Effect.sync(() => {
        block.end(held.attempt, tokens)
        if (block.isClosed) say(block)
      })
    }

    /** Calls of loans that others have the room of. */
    const lost = (gone: ReadonlyArray<Own>): ReadonlyArray<Held> => {
      const names = new Set(gone.map(({ loan }) => loan))
      const found: Array<Held> = []
      for (const [attempt, block] of running) {
        if (!names.has(block.loan)) continue
        running.delete(attempt)
        drop(block)
        found.push({ key: block.key, attempt })
      }
      return found
    }

    const renew: UsageEngine["renew"] = (held, lease) =>
      Effect.suspend(() => {
        const borrowed = new Map<number, Own>()
        const asked: Array<Held> = []
        for (const one of held) {
          const block = running.get(one.attempt)
          if (block === undefined) asked.push(one)
          else borrowed.set(block.loan, { key: block.key, loan: block.loan })
        }
        const others = asked.length === 0 ? Effect.succeed([]) : usage.renew(asked, lease)
        if (borrowed.size === 0) return others
        const own = Effect.map(peer.ask(renewQuestion, [[...borrowed.values()], lease]), (gone) =>
          lost(gone as ReadonlyArray<Own>)
        )
        return Effect.zipWith(own, others, (here, there) => [...here, ...there], { concurrent: true })
      })

    const flushing = Effect.sync(() => flush(nowMs(clock)))
    yield* Background.run(Effect.forever(Effect.zipRight(due.await, Effect.zipRight(Effect.sleep(every), flushing))))
    yield* Effect.addFinalizer(() => flushing)
    const { boards, breakers, name, news, spend, values } = engine
    const borrowed: UsageEngine = {
      admit,
      settle: (held, tokens) => Effect.suspend(() => ended(held, tokens) ?? usage.settle(held, tokens)),
      release: (held) => Effect.suspend(() => ended(held, undefined) ?? usage.release(held)),
      renew,
      record: (recorded) => usage.record(recorded),
      look: (keys, window) => usage.look(keys, window)
    }
    return {
      engine: {
        name,
        usage: borrowed,
        spend,
        boards,
        news,
        breakers,
        values,
        announce: (id, lasts) => engine.announce(id, lasts)
      },
      // An answer that came just before the question is taken first: what it grants goes back as well.
      recall: (loan) =>
        Effect.zipRight(
          Effect.yieldNow(),
          Effect.sync(() => {
            const block = blocks.get(loan)
            if (block === undefined) return
            close(block)
            say(block)
          })
        )
    }
  })
