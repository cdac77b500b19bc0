/** The use of limits in Redis: each operation is one script over the keys of one deployment or caller. */
import type {
  AdmitAsk,
  Admitted,
  EngineError,
  Held,
  Refused,
  SharedLimits,
  SharedUse,
  UsageEngine
} from "@switchyard/router/Engine"
import type { Room, Told } from "@switchyard/router/UsageLoans"
import { Effect } from "effect"
import type { RedisConnection, Reply, Script } from "../connection/RedisConnection.js"
import * as scripts from "../scripts/usage.js"

const script = (name: string, text: string): Script => ({ name: `switchyard${name}`, keys: 4, text })

const admitScript = script("Admit", scripts.admit)
const settleScript = script("Settle", scripts.settle)
const renewScript = script("Renew", scripts.renew)
const recordScript = script("Record", scripts.record)
const lookScript = script("Look", scripts.look)
const toldScript = script("Told", scripts.told)

/** The parts of the use of one key. */
const parts = ["use", "moments", "calls", "loans"]

/** How long a window is kept beyond its end where nobody says how long: `settle` knows neither window nor lease. */
const usual = { window: 60_000, lease: 10_000 }

const reasons = [undefined, "rpm", "tpm", "maxParallel"] as const

const orNone = (value: number): number | undefined => (value < 0 ? undefined : value)

const useOf = ([
  requests = 0,
  tokens = 0,
  calls = 0,
  requestsFreeIn = -1,
  tokensFreeIn = -1
]: ReadonlyArray<number>): SharedUse => ({
  requests,
  tokens,
  calls,
  requestsFreeIn: orNone(requestsFreeIn),
  tokensFreeIn: orNone(tokensFreeIn)
})

const numbers = (reply: Reply): ReadonlyArray<number> => (Array.isArray(reply) ? reply.map(Number) : [])

const limit = (value: number | undefined): number => (value === undefined ? -1 : Math.max(0, Math.floor(value)))

/** Redis counts in whole numbers; an estimate that is none errs high. */
const amount = (tokens: number): number =>
  tokens > 0 && Number.isFinite(tokens) ? Math.min(Math.ceil(tokens), 1e12) : 0

const byKey = (held: ReadonlyArray<Held>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const { attempt, key } of held) found.set(key, [...(found.get(key) ?? []), attempt])
  return found
}

/** A loan that is wanted, or known to be had, for one of so many borrowers. */
export interface Borrowing {
  readonly name: string
  readonly isKnown: boolean
  readonly borrowers: number
}

/** An answer, and what comes with it where a loan is wanted. */
export interface Answer {
  readonly answer: Admitted | Refused
  /** All that was ever lent; undefined for a loan that is no more. */
  readonly granted: Room | undefined
  /** It was refused, and room that is lent may come back. */
  readonly isLent: boolean
}

/** A word about a loan. */
export interface Word {
  readonly told: Told
  readonly loan: Borrowing
  readonly number: number
  readonly limits: SharedLimits
  /** Tokens of one call. */
  readonly tokens: number
  readonly window: number
  readonly lease: number
  /** What the engine called the moments of earlier words. */
  readonly momentOf: (moment: number) => number | undefined
}

/** What came of a word; undefined: the loan is no more. */
export interface Heard {
  readonly isRecalled: boolean
  readonly moment: number
  readonly granted: Room
  readonly use: SharedUse
}

/** The use of limits, with room that is lent. */
export interface LendingUsage extends UsageEngine {
  readonly borrow: (ask: AdmitAsk, loan: Borrowing | undefined) => Effect.Effect<Answer, EngineError>
  readonly tell: (word: Word) => Effect.Effect<Heard | undefined, EngineError>
}

const roomOf = ([requests = 0, tokens = 0, calls = 0]: ReadonlyArray<number>): Room | undefined =>
  requests < 0 ? undefined : { requests, tokens, calls }

const answerOf = (reply: Reply): Answer => {
  const [code = 0, told = 0, ...rest] = numbers(reply)
  const [reason, use, after] = [reasons[code], useOf(rest), rest.slice(5)]
  return reason === undefined
    ? { answer: { _tag: "Admitted", number: told, use }, granted: roomOf(after), isLent: false }
    : {
        answer: { _tag: "Refused", reason, freesIn: orNone(told), use },
        granted: roomOf([]),
        isLent: (after[0] ?? 0) > 0
      }
}

/** A moment that is in no window. */
const forgotten = "-"

/** The use of limits over a connection. */
export const make = (connection: RedisConnection): LendingUsage => {
  const windows = new Map<string, number>()
  const windowOf = (key: string): number => windows.get(key) ?? usual.window
  const run = (
    asked: Script,
    key: string,
    window: number,
    lease: number,
    ...args: ReadonlyArray<string | number>
  ): Effect.Effect<Reply, EngineError> =>
    connection.run(asked, connection.keysOf(`use:${key}`, parts), [window, lease, ...args])
  const bounds = ({ maxParallel, rpm, tpm }: SharedLimits) => [limit(rpm), limit(tpm), limit(maxParallel)]
  const flag = (is: boolean): number => (is ? 1 : 0)

  const borrow: LendingUsage["borrow"] = ({ attempt, key, lease, limits, tokens, window }, loan) => {
    windows.set(key, window)
    const wanted = loan === undefined ? [""] : [loan.name, flag(loan.isKnown), loan.borrowers]
    const args = [attempt, ...bounds(limits), amount(tokens), ...wanted]
    return Effect.map(run(admitScript, key, window, lease, ...args), answerOf)
  }

  return {
    borrow,
    tell: ({ lease, limits, loan, momentOf, number, told, tokens, window }) => {
      const { ended, held, isClosed, key, less, moment, requests, running } = told
      const said = ended.flatMap(([of, used, refunds]) => [
        of === moment ? "" : (momentOf(of) ?? forgotten),
        amount(used),
        refunds
      ])
      const lent = [less.requests, Math.floor(less.tokens), less.calls]
      const now = [requests, ...lent, running, amount(held), flag(isClosed)]
      const args = [loan.name, number, ...bounds(limits), amount(tokens), loan.borrowers, ...now, ...said]
      return Effect.map(run(toldScript, key, window, lease, ...args), (reply) => {
        const [state = 0, at = 0, ...rest] = numbers(reply)
        const granted = roomOf(rest)
        if (state === 0 || granted === undefined) return undefined
        return { isRecalled: state === 2, moment: at, granted, use: useOf(rest.slice(3)) }
      })
    },
    admit: (ask) => Effect.map(borrow(ask, undefined), ({ answer }) => answer),
    settle: ({ attempt, key }, tokens) =>
      Effect.asVoid(run(settleScript, key, windowOf(key), usual.lease, attempt, amount(tokens))),
    release: ({ attempt, key }) => Effect.asVoid(run(settleScript, key, windowOf(key), usual.lease, attempt, -1)),
    renew: (held, lease) =>
      Effect.map(
        Effect.forEach(
          byKey(held),
          ([key, attempts]) =>
            Effect.map(run(renewScript, key, windowOf(key), lease, ...attempts), (lost) =>
              (Array.isArray(lost) ? lost : []).map((attempt): Held => ({ key, attempt: String(attempt) }))
            ),
          { concurrency: "unbounded" }
        ),
        (lost) => lost.flat()
      ),
    record: (recorded) =>
      Effect.forEach(
        recorded.filter(({ ago, window }) => ago < window),
        ({ key, requests, tokens, window }) =>
          run(recordScript, key, window, usual.lease, amount(requests), amount(tokens)),
        { concurrency: "unbounded", discard: true }
      ),
    look: (keys, window) =>
      Effect.forEach(
        keys,
        (key) => Effect.map(run(lookScript, key, window, usual.lease), (reply) => useOf(numbers(reply))),
        { concurrency: "unbounded" }
      )
  }
}
