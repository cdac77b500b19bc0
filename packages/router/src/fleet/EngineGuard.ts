/**
 * What stands between states and their engine: says whether it is to be asked at all. After failures states decide by what
 * this process knows, with a share of each limit; once the engine answers again, what happened meanwhile is told to it, and
 * it decides again. Nothing ever fails because an engine did.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Duration, Effect, type Scope } from "effect"
import { AskFigures, bounds, type Outcome } from "./askFigures.js"
import type { Engine, EngineError, Replicas } from "./Engine.js"

/** Where decisions are made. */
export type Mode = "shared" | "local"

export type { Outcome }

/** What was asked of the engine since the start, whatever it was. */
export interface Figures {
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** Answers by the first of `answerBounds` that they came within; the last are those beyond all. */
  readonly within: ReadonlyArray<number>
  /** Time of all answers together, ms. */
  readonly sum: number
}

/** Upper bounds of the times that answers took, ms. */
export const answerBounds: ReadonlyArray<number> = bounds

/** What is told of a change. */
export interface ModeChange {
  readonly mode: Mode
  /** The engine's failure that led to `local`. */
  readonly error: EngineError | undefined
  readonly replicas: Replicas
}

/** Options of the guard. */
export interface Options {
  /** Names this process among the others. Unique; nobody outside may choose it. */
  readonly id: string
  /** How often this process says that it is there, and asks an engine that was away. Default 500 ms. */
  readonly every?: Duration.DurationInput
  /** How long it counts without a word. Default 3 seconds. */
  readonly lasts?: Duration.DurationInput
  /** So many slow answers in a row lead to `local`; one that says `away` or `refused` does by itself. Default 3. */
  readonly slowAnswers?: number
  /** Told of each change of mode, synchronously; must not throw. */
  readonly onChange?: (change: ModeChange) => void
}

/**
 * An engine may answer and still refuse what it is asked, each time anew: one that refuses again within `soon` ms after it was
 * back is tried after twice the time, and after `longest` ms at most.
 */
const patience = { soon: 10_000, longest: 30_000 }

/** The guard of an engine. */
export interface EngineGuard {
  readonly engine: Engine
  readonly id: string
  readonly mode: () => Mode
  /** The failure that led to `local`; undefined while the engine decides. */
  readonly error: () => EngineError | undefined
  readonly figures: Figures
  /** As the engine said last; alone until it did. */
  readonly replicas: () => Replicas
  /** Asks the engine, and notes how it went. In mode `local` ask nothing. */
  readonly ask: <A>(question: Effect.Effect<A, EngineError>) => Effect.Effect<A, EngineError>
  /** What has to be told to the engine before it decides again; gives back the way to stop. */
  readonly onReturn: (tell: Effect.Effect<void, EngineError>) => () => void
}

const alone: Replicas = { count: 1, place: 0 }

/**
 * This process's share of a limit while nobody counts for all: the limit divided by the last known number of processes, what
 * is left over to those that stand first.
 */
export const shareOf = (limit: number, { count, place }: Replicas): number => {
  const whole = Math.floor(limit / count)
  return whole + (place < limit - whole * count ? 1 : 0)
}

/** A guard that lives in the scope. It asks once before it is given back: so a tower begins with what others know. */
export const make = (engine: Engine, options: Options): Effect.Effect<EngineGuard, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { id, onChange, slowAnswers = 3 } = options
    const every = toMs(options.every ?? 500)
    const lasts = toMs(options.lasts ?? 3_000)
    const returning = new Set<Effect.Effect<void, EngineError>>()
    const clock = yield* Effect.clock
    const figures = new AskFigures()
    let mode: Mode = "shared"
    let lastError: EngineError | undefined
    let backAt = Number.NEGATIVE_INFINITY
    let leftAt = Number.NEGATIVE_INFINITY
    let pause = 0
    let replicas = alone
    let slow = 0

    const change = (next: Mode, error: EngineError | undefined): void => {
      if (mode === next) return
      mode = next
      lastError = error
      const now = nowMs(clock)
      if (next === "shared") backAt = now
      else {
        const isAgain = error?.reason === "refused" && now - backAt < patience.soon
        pause = isAgain ? Math.min(patience.longest, Math.max(every, 2 * pause)) : 0
        leftAt = now
      }
      onChange?.({ mode, error, replicas })
    }
    const noteFailure = (error: EngineError): void => {
      slow++
      if (error.reason !== "slow" || slow >= slowAnswers) change("local", error)
    }
    const noteAnswer = (): void => {
      slow = 0
    }
    const ask = <A>(question: Effect.Effect<A, EngineError>): Effect.Effect<A, EngineError> =>
      Effect.suspend(() => {
        const asked = nowMs(clock)
        return Effect.matchEffect(question, {
          onFailure: (error) => {
            figures.note(error.reason, nowMs(clock) - asked)
            noteFailure(error)
            return Effect.fail(error)
          },
          onSuccess: (answer) => {
            figures.note("answered", nowMs(clock) - asked)
            noteAnswer()
            return Effect.succeed(answer)
          }
        })
      })

    const beat = Effect.suspend(() => ask(engine.announce(id, lasts))).pipe(
      Effect.tap((told) =>
        Effect.sync(() => {
          replicas = told
        })
      ),
      Effect.zipRight(
        Effect.suspend(() => (mode === "shared" || nowMs(clock) - leftAt < pause ? Effect.void : returned))
      ),
      Effect.ignore
    )
    const returned = Effect.suspend(() => Effect.forEach([...returning], ask, { discard: true })).pipe(
      Effect.zipRight(Effect.sync(() => change("shared", undefined)))
    )

    yield* beat
    yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(every), beat)))
    return {
      engine,
      id,
      mode: () => mode,
      error: () => lastError,
      figures,
      replicas: () => replicas,
      ask,
      onReturn: (tell) => {
        returning.add(tell)
        return () => {
          returning.delete(tell)
        }
      }
    }
  })
