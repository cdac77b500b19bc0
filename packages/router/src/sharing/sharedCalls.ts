/**
 * Calls of this process that use limits of many: asked of the engine, held on while they run, and told to it once they end. What
 * goes on without the engine is remembered here, and told when it is back.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Duration, Effect, Runtime, type Scope } from "effect"
import type { EngineError, Held, Recorded, Refused, SharedLimits, SharedUse } from "../fleet/Engine.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import { windowMs } from "../limits/slidingWindow.js"

/** How long room is held, and for how long it counts. */
export interface Options {
  /** How long a process that says nothing holds its calls' room. Default 10 seconds. */
  readonly lease?: Duration.DurationInput
  /** Length of the window of `rpm` and `tpm`. Default 60 seconds. */
  readonly window?: Duration.DurationInput
}

/** A call in flight that the engine knows, or is to be told of. */
export interface Call extends Held {
  readonly _tag: "Call"
  readonly tokens: number
  /** Who let it in: the engine, or this process by its share; `lost`: the engine held it, and gave its room to others. */
  place: "here" | "shared" | "lost"
  /** Ends the call whose room went to others. Where nobody says how, it goes on, and is told to the engine as any other. */
  end: (() => void) | undefined
}

/** The calls of one process. */
export interface SharedCalls {
  /**
   * Asks for room: the engine's refusal, or the call, which `start` begins. One that is `here` was not decided: the engine is
   * away, and whoever asks decides by its share. `heard` is told what was used.
   */
  readonly ask: (
    key: string,
    limits: SharedLimits,
    tokens: number,
    heard?: (use: SharedUse) => void
  ) => Effect.Effect<Call | Refused>
  /** The same at once, where the engine is away, or has lent room for it; undefined where it has to be asked. */
  readonly askNow: (
    key: string,
    limits: SharedLimits,
    tokens: number,
    heard?: (use: SharedUse) => void
  ) => Call | undefined
  /** The call goes out. */
  readonly start: (call: Call) => void
  /** The call is over, with the tokens that it used; undefined where nothing was sent. False where that was told before. */
  readonly end: (call: Call, tokens: number | undefined, now: number) => boolean
}

/** What was used of a key, until when. */
interface Recent {
  requests: number
  tokens: number
  at: number
}

/** Calls that the engine does not hold: none of them is turned away any more. */
const unlimited: SharedLimits = { rpm: undefined, tpm: undefined, maxParallel: undefined }

/** The calls over a guarded engine, for as long as the scope lives. */
export const make = (guard: EngineGuard, options: Options = {}): Effect.Effect<SharedCalls, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Background.runtime<never>())
    const lease = toMs(options.lease ?? 10_000)
    const window = toMs(options.window ?? windowMs)
    const { lent, usage: engine } = guard.engine
    const running = new Map<string, Call>()
    /** What was used without the engine, by key. */
    const unheard = new Map<string, Recent>()
    /** Calls that it holds and that ended while it was away, with the tokens that they used. */
    const unsettled = new Map<string, { readonly held: Held; readonly tokens: number | undefined }>()
    let calls = 0

    /** What the engine is told and nobody waits for. */
    const tell = (question: Effect.Effect<unknown, unknown>): void => void runFork(Effect.ignore(question))

    const noteUse = (key: string, requests: number, tokens: number, at: number): void => {
      const known = unheard.get(key)
      if (known === undefined) return void unheard.set(key, { requests, tokens, at })
      known.requests += requests
      known.tokens += tokens
      known.at = Math.max(known.at, at)
    }

    /** An engine may be another process's: it is given names alone. */
    const named = ({ attempt, key }: Held): Held => ({ attempt, key })

    const endOf = (held: Held, tokens: number | undefined): Effect.Effect<void, EngineError> =>
      tokens === undefined ? engine.release(named(held)) : engine.settle(named(held), tokens)

    const end: SharedCalls["end"] = (call, tokens, now) => {
      if (!running.delete(call.attempt)) return false
      if (call.place === "shared") {
        if (lent?.end(call, tokens) === true) return true
        if (guard.mode() === "shared") tell(guard.ask(endOf(call, tokens)))
        else unsettled.set(call.attempt, { held: call, tokens })
      } else if (call.place === "here" && tokens !== undefined) noteUse(call.key, 1, tokens, now)
      return true
    }

    const begun = (key: string, tokens: number, place: Call["place"]): Call => ({
      _tag: "Call",
      key,
      attempt: `${guard.id}:${++calls}`,
      tokens,
      place,
      end: undefined
    })

    const askNow: SharedCalls["askNow"] = (key, limits, tokens, heard) => {
      if (guard.mode() === "local") return begun(key, tokens, "here")
      if (lent === undefined) return undefined
      const call = begun(key, tokens, "shared")
      const own = lent.admit({ key, attempt: call.attempt, limits, tokens, lease, window })
      if (own === undefined) return undefined
      heard?.(own.use)
      return call
    }

    const asked = (key: string, limits: SharedLimits, tokens: number, heard?: (use: SharedUse) => void) => {
      const call = begun(key, tokens, "here")
      const { attempt } = call
      return Effect.match(guard.ask(engine.admit({ key, attempt, limits, tokens, lease, window })), {
        onFailure: (): Call => {
          // It may have been admitted all the same: then its room comes back, now or with its lease.
          tell(engine.release(named(call)))
          return call
        },
        onSuccess: (answer): Call | Refused => {
          heard?.(answer.use)
          return answer._tag === "Refused" ? answer : { ...call, place: "shared" }
        }
      })
    }

    const ask: SharedCalls["ask"] = (key, limits, tokens, heard) =>
      Effect.suspend(() => {
        const call = askNow(key, limits, tokens, heard)
        return call === undefined ? asked(key, limits, tokens, heard) : Effect.succeed(call)
      })

    const hold = (call: Call): Effect.Effect<void, EngineError> => {
      const { attempt, key, tokens } = call
      return Effect.map(engine.admit({ key, attempt, limits: unlimited, tokens, lease, window }), () => {
        if (running.has(attempt)) call.place = "shared"
        else tell(engine.release(named(call)))
      })
    }

    /** Tells the engine what went on without it. What was told is told no more, also if what comes after it fails. */
    const catchUp = Effect.suspend(() => {
      const now = nowMs(clock)
      const recent = [...unheard]
      const records = recent.map(
        ([key, { at, requests, tokens }]): Recorded => ({ key, window, ago: now - at, requests, tokens })
      )
      unheard.clear()
      const told = engine.record(records).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            for (const [key, { at, requests, tokens }] of recent) noteUse(key, requests, tokens, at)
          })
        )
      )
      const settled = Effect.forEach(
        [...unsettled],
        ([attempt, { held, tokens }]) => Effect.map(endOf(held, tokens), () => unsettled.delete(attempt)),
        { discard: true }
      )
      const held = Effect.forEach(
        [...running.values()].filter(({ place }) => place === "here"),
        hold,
        { discard: true }
      )
      return (records.length === 0 ? Effect.void : told).pipe(Effect.zipRight(settled), Effect.zipRight(held))
    })

    /** A process that did not run for a while ends those calls whose room went to others meanwhile. */
    const renew = Effect.suspend(() => {
      const held = [...running.values()].filter(({ place }) => place === "shared")
      if (held.length === 0) return Effect.void
      return Effect.map(engine.renew(held.map(named), lease), (lost) => {
        for (const { attempt } of lost) {
          const call = running.get(attempt)
          if (call === undefined) continue
          if (call.end === undefined) call.place = "here"
          else {
            call.place = "lost"
            call.end()
          }
        }
      })
    })

    const keepUp = Effect.zipRight(catchUp, renew)
    const stop = guard.onReturn(keepUp)
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const keepingUp = Effect.suspend(() => (guard.mode() === "shared" ? Effect.ignore(guard.ask(keepUp)) : Effect.void))
    yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(lease / 3), keepingUp)))
    return { ask, askNow, start: (call) => void running.set(call.attempt, call), end }
  })
