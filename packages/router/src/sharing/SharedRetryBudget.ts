/**
 * The retry budget of many processes: each pays for its retries with its own requests and with its share of what one process is
 * allowed however few requests come. What it does not need it lends to those that ran out, on a board of the engine; who lends
 * has less from that moment on, so that all together never make more extra attempts than one process with all requests would.
 */
import * as Background from "@switchyard/core/Background"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, type Duration, Effect, type Scope } from "effect"
import type { Posted } from "../fleet/BoardEngine.js"
import { type EngineGuard, shareOf } from "../fleet/EngineGuard.js"
import { LeakyBucket, reserveOf } from "../retry/leakyBucket.js"
import * as RetryBudget from "../retry/RetryBudget.js"

/** How often processes look who lends and who has run out. Default 250 ms. */
export interface Pace {
  readonly refresh?: Duration.DurationInput
}

const board = "retries"

/** How long a word stands without a new one, and how old it may get where nothing changes, ms: at least, and of slow looks. */
const [leastLasting, leastRenewal] = [3_000, 1_000]

/** So long there have to be fewer processes before each has a larger part, ms. */
const settling = 5_000

/** Nobody asks for more at once. */
const mostWanted = 100

/** So many that lent once are remembered. */
const mostLenders = 10_000

/** What a process says: attempts that it was refused lately, and what it lent to each since it began. */
interface Word {
  readonly wants: number
  readonly lent: JsonObject
}

/** Budgets of this process so far: while one takes the place of another there are two, and what is lent goes to one of them. */
let made = 0

const none: Word = { wants: 0, lent: {} }

const amount = (value: unknown): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0

const read = ({ json }: Posted): Word => {
  try {
    const value: unknown = JSON.parse(json)
    if (!isJsonObject(value)) return none
    return { wants: Math.min(mostWanted, amount(value.wants)), lent: isJsonObject(value.lent) ? value.lent : {} }
  } catch {
    return none
  }
}

/** The budget over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  options: RetryBudget.Options = {},
  pace: Pace = {}
): Effect.Effect<Context.Tag.Service<RetryBudget.RetryBudget>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const { defaults } = RetryBudget
    const { perSecond = defaults.perSecond, share = defaults.share, window = defaults.window } = options
    const reserve = reserveOf(perSecond, toMs(window))
    const bucket = new LeakyBucket(share, toMs(window), shareOf(reserve, guard.replicas()))
    const { boards } = guard.engine
    const refresh = toMs(pace.refresh ?? 250)
    const [lasts, renewal] = [Math.max(leastLasting, 3 * refresh), Math.max(leastRenewal, refresh)]
    const self = `${guard.id}:${++made}`
    const lent = new Map<string, number>()
    const borrowed = new Map<string, number>()
    let wants = 0
    let said = ""
    let saidAt = Number.NEGATIVE_INFINITY

    const borrow = (from: string, { lent: given }: Word, now: number): void => {
      const total = amount(given[self])
      const before = borrowed.get(from) ?? 0
      // Less than before: it has begun anew.
      const news = total < before ? total : total - before
      if (news > 0) bucket.transfer(news, now)
      // One that was away a while comes back with the same sum: only those who were there first are forgotten.
      borrowed.delete(from)
      borrowed.set(from, total)
      if (borrowed.size > mostLenders) for (const first of borrowed.keys()) return void borrowed.delete(first)
    }

    const lend = (to: string, wanted: number, lenders: number, now: number): void => {
      const given = Math.min(Math.ceil(wanted / lenders), Math.floor(bucket.balance(now) / 2))
      if (given <= 0) return
      bucket.transfer(-given, now)
      lent.set(to, (lent.get(to) ?? 0) + given)
    }

    const hear = (posted: ReadonlyArray<Posted>): string => {
      const now = nowMs(clock)
      const words = new Map(posted.filter(({ member }) => member !== self).map((one) => [one.member, read(one)]))
      for (const to of lent.keys()) if (!words.has(to)) lent.delete(to)
      for (const [from, word] of words) borrow(from, word, now)
      const lenders = 1 + [...words.values()].filter((word) => word.wants === 0).length
      if (wants === 0) for (const [to, word] of words) lend(to, word.wants, lenders, now)
      const word: Word = { wants: Math.min(mostWanted, wants), lent: Object.fromEntries(lent) }
      wants = 0
      return JSON.stringify(word)
    }

    const post = (word: string): Effect.Effect<void, unknown> => {
      const now = nowMs(clock)
      if (word === said && now - saidAt < renewal) return Effect.void
      return Effect.map(guard.ask(boards.post(board, self, word, lasts)), () => {
        said = word
        saidAt = now
      })
    }

    let grewAt = Number.NEGATIVE_INFINITY
    /** Whoever seems to be gone may only be late with its word. */
    const divide = (): void => {
      const part = shareOf(reserve, guard.replicas())
      const now = nowMs(clock)
      if (part <= bucket.reserve) grewAt = now
      if (part < bucket.reserve || now - grewAt >= settling) bucket.reserve = part
    }

    const look = Effect.suspend(() => {
      divide()
      return guard.mode() === "local"
        ? Effect.void
        : Effect.flatMap(guard.ask(boards.read(board)), (posted) => post(hear(posted)))
    })
    const rounds = Effect.forever(Effect.zipRight(Effect.sleep(refresh), Effect.ignore(look)))
    yield* Background.run(rounds)

    return {
      deposit: (now) => bucket.deposit(now),
      withdraw: (now) => {
        const isThere = bucket.withdraw(now)
        if (!isThere) wants++
        return isThere
      },
      balance: (now) => bucket.balance(now)
    }
  })
