/**
 * What two processes of one machine say to each other: questions with an answer, and news without one. What is said within a
 * tick goes out as one message, since a message costs more than what is in it.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import { EngineError } from "@switchyard/router/Engine"
import { Effect, Runtime, type Scope } from "effect"

/** A way to another process, for plain data that can be cloned. */
export interface Channel {
  /** Nothing happens where nobody hears it any more. */
  readonly send: (message: unknown) => void
  readonly isOpen: () => boolean
  /** Gives back the way to stop. */
  readonly listen: (hear: (message: unknown) => void, closed: () => void) => () => void
}

/** What a process does for the other. */
export interface Services {
  /** Answers a question; one that it does not know it refuses. */
  readonly answer: (operation: string, args: ReadonlyArray<unknown>) => Effect.Effect<unknown, EngineError>
  /** Hears news; must not throw. */
  readonly hear?: (topic: string, value: unknown) => void
}

/** The other process. */
export interface Peer {
  /** Asks it. `within`: ms after which the answer is given up as `slow`. Default that of the options. */
  readonly ask: (
    operation: string,
    args: ReadonlyArray<unknown>,
    within?: number
  ) => Effect.Effect<unknown, EngineError>
  /** Tells it something. */
  readonly tell: (topic: string, value: unknown) => void
  /** Calls `f` once when the other is gone, at once where it is already; gives back the way to stop. */
  readonly onClose: (f: () => void) => () => void
}

/** Options of a conversation. */
export interface Options {
  /** What the other is called in errors. */
  readonly name: string
  /** Ms that an answer may take. Default 1,000. */
  readonly within?: number
}

type Question = readonly [kind: 0, id: number, operation: string, args: ReadonlyArray<unknown>]
type Answer = readonly [kind: 1, id: number, value: unknown]
type Failure = readonly [kind: 2, id: number, reason: EngineError["reason"], description: string]
type News = readonly [kind: 3, topic: string, value: unknown]
type Said = Question | Answer | Failure | News

/** Other messages may come by the same channel. */
const mark = "switchyard"

const saidIn = (message: unknown): ReadonlyArray<Said> =>
  typeof message === "object" && message !== null && mark in message && Array.isArray(message[mark])
    ? (message[mark] as ReadonlyArray<Said>)
    : []

interface Waiting {
  readonly until: number
  /** Its time was over at the last look. */
  isLate: boolean
  readonly end: (answer: Effect.Effect<unknown, EngineError>) => void
}

/** Who does not know a question says so. */
export const unknown = (operation: string): Effect.Effect<never, EngineError> =>
  Effect.fail(new EngineError({ reason: "refused", description: `nobody knows ${operation} here` }))

/** A conversation over a channel, until the scope closes. */
export const make = (
  channel: Channel,
  services: Services,
  { name, within: usual = 1_000 }: Options
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runCallback = Runtime.runCallback(yield* Background.runtime<never>())
    const waiting = new Map<number, Waiting>()
    const due = yield* Effect.makeLatch()
    const closing = new Set<() => void>()
    let saying: Array<Said> = []
    let isClosed = !channel.isOpen()
    let next = 0

    const away = () => new EngineError({ reason: "away", description: `${name} is gone` })
    const slow = () => new EngineError({ reason: "slow", description: `${name} did not answer in time` })

    const flush = (): void => {
      const words = saying
      saying = []
      if (words.length === 0 || isClosed) return
      try {
        channel.send({ [mark]: words })
      } catch {
        // Something in it can't be cloned: a mistake of ours, that the rest must not suffer for.
        for (const one of words) sendAlone(one)
      }
    }
    const sendAlone = (words: Said): void => {
      try {
        channel.send({ [mark]: [words] })
      } catch (error) {
        const refused = new EngineError({ reason: "refused", description: `it can't be said: ${String(error)}` })
        if (words[0] === 0) settle(words[1], refused)
        else if (words[0] === 1) channel.send({ [mark]: [[2, words[1], refused.reason, refused.description]] })
      }
    }
    const say = (words: Said): void => {
      if (saying.push(words) === 1) setImmediate(flush)
    }
    const settle = (id: number, answer: Effect.Effect<unknown, EngineError>): void => {
      const found = waiting.get(id)
      waiting.delete(id)
      found?.end(answer)
    }
    const answered = (id: number, operation: string, args: ReadonlyArray<unknown>): void => {
      runCallback(services.answer(operation, args), {
        onExit: (exit) => {
          if (exit._tag === "Success") return say([1, id, exit.value])
          const { cause } = exit
          const error = cause._tag === "Fail" ? cause.error : undefined
          say([2, id, error?.reason ?? "refused", error?.description ?? `${operation} failed`])
        }
      })
    }
    const hear = (message: unknown): void => {
      for (const said of saidIn(message)) {
        if (said[0] === 0) answered(said[1], said[2], said[3])
        else if (said[0] === 1) settle(said[1], Effect.succeed(said[2]))
        else if (said[0] === 2) settle(said[1], new EngineError({ reason: said[2], description: said[3] }))
        else services.hear?.(said[1], said[2])
      }
    }
    const closed = (): void => {
      if (isClosed) return
      isClosed = true
      for (const id of [...waiting.keys()]) settle(id, away())
      for (const f of [...closing]) f()
      closing.clear()
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => channel.listen(hear, closed)),
      (stop) =>
        Effect.sync(() => {
          flush()
          stop()
          closed()
        })
    )
    // One sleeper for all questions: a timer for each would cost more than the question.
    const sweep = Effect.sync(() => {
      const now = nowMs(clock)
      for (const [id, one] of waiting) {
        // A process that was busy itself finds the answer only after this look.
        if (one.isLate) settle(id, slow())
        else one.isLate = one.until <= now
      }
      if (waiting.size === 0) due.unsafeClose()
    })
    const pause = Math.max(1, usual / 10)
    const sweeping = Effect.forever(Effect.zipRight(due.await, Effect.zipRight(Effect.sleep(pause), sweep)))
    // Whoever makes it where nothing may be interrupted could not end it otherwise.
    yield* Background.run(sweeping)
    return {
      ask: (operation, args, within = usual) =>
        Effect.async<unknown, EngineError>((resume) => {
          if (isClosed) return resume(away())
          const id = next++
          waiting.set(id, { until: nowMs(clock) + within, isLate: false, end: resume })
          due.unsafeOpen()
          say([0, id, operation, args])
          return Effect.sync(() => waiting.delete(id))
        }),
      tell: (topic, value) => say([3, topic, value]),
      onClose: (f) => {
        if (isClosed) {
          f()
          return () => {}
        }
        closing.add(f)
        return () => closing.delete(f)
      }
    }
  })
