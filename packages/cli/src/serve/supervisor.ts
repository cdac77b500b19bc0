/**
 * Keeps so many workers: begins those that end anew, with pauses that grow where they end soon, and replaces them one by one
 * when it is told to. It knows nothing of what they do.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import { Data, Deferred, Effect, type Scope } from "effect"

/** How a worker ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

/** A worker. */
export interface Worker<out A> {
  readonly pid: number | undefined
  /** Succeeds once it serves; fails with why it can't. */
  readonly ready: Effect.Effect<A, string>
  readonly ended: Effect.Effect<Ended>
  /** Hands over to another in its place, and ends. */
  readonly retire: Effect.Effect<void>
  /** Finishes what it does, and ends. */
  readonly stop: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
}

/** What is told of workers. */
export interface Told {
  /** One serves; `isNew`: in the stead of another, or after one. */
  readonly ready: (index: number, worker: Worker<unknown>, isFirst: boolean) => void
  /** One ended that should not have; another begins in `pause` ms. */
  readonly ended: (index: number, worker: Worker<unknown>, how: Ended, pause: number) => void
}

/** Options of a supervisor. */
export interface Options<A> {
  readonly count: number
  readonly begin: (index: number) => Effect.Effect<Worker<A>>
  readonly told: Told
  /** Ms that a worker may take to stop before it is killed. */
  readonly stopWithin: number
  /** Ms that a worker may take to retire. */
  readonly retireWithin: number
}

/** Workers end as soon as they begin. */
class CrashLoop extends Data.TaggedError("CrashLoop")<{
  readonly times: number
  readonly last: Ended
  /** What the last of them said of it. */
  readonly why: string | undefined
}> {
  override get message(): string {
    const how = this.last.signal === null ? `exit code ${this.last.code}` : this.last.signal
    return `workers end as soon as they begin (${this.times} times in a row, the last with ${how})${
      this.why === undefined ? "" : `: ${this.why}`
    }`
  }
}

/** Workers that are kept. */
export interface Supervisor<A> {
  /** What the workers said that serve first; fails where one of them can't begin. */
  readonly ready: Effect.Effect<A, StartFailed | CrashLoop>
  /** Fails when it gives up. */
  readonly lasting: Effect.Effect<never, CrashLoop>
  /** Replaces all, one by one; false where a new one did not begin to serve, and the others stay. */
  readonly replaced: Effect.Effect<boolean>
  /** Those that serve. */
  readonly serving: () => ReadonlyArray<Worker<A>>
}

/** The first worker said why it can't begin: another would say the same. */
class StartFailed extends Data.TaggedError("StartFailed")<{ readonly message: string }> {}

/** Ms that a worker has to live for its end to be one of its own. */
const youth = 30_000

/** Ends in a row after which nobody is begun any more, unless another serves. */
const most = 6

/** Ms between an end and the next beginning: doubled each time. */
const firstPause = 100
const longestPause = 5_000

interface Place<A> {
  worker: Worker<A> | undefined
  isReady: boolean
  begunAt: number
}

/** Begins workers, and keeps them until the scope closes: then they stop. */
export const make = <A>(options: Options<A>): Effect.Effect<Supervisor<A>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { begin, count, retireWithin, stopWithin, told } = options
    const places = Array.from({ length: count }, (): Place<A> => ({ worker: undefined, isReady: false, begunAt: 0 }))
    const all = new Set<Worker<A>>()
    const first = yield* Deferred.make<A, StartFailed | CrashLoop>()
    const gaveUp = yield* Deferred.make<never, CrashLoop>()
    const oneAtATime = yield* Effect.makeSemaphore(1)
    let isStopping = false
    let ends = 0

    const now = Effect.map(Effect.clock, nowMs)
    const start = (index: number) =>
      Effect.uninterruptible(
        Effect.tap(begin(index), (worker) =>
          Effect.sync(() => {
            all.add(worker)
          })
        )
      )
    const gone = (worker: Worker<A>) => Effect.tap(worker.ended, () => Effect.sync(() => all.delete(worker)))

    /** Waits until it serves; what it said where it does not. */
    const served = (worker: Worker<A>): Effect.Effect<A, string | undefined> =>
      Effect.raceFirst(
        worker.ready,
        Effect.flatMap(worker.ended, () => Effect.fail(undefined))
      )

    /** What a worker that ended says of the next: how long to wait for it. */
    const noted = (index: number, worker: Worker<A>, how: Ended, begunAt: number, why: string | undefined) =>
      Effect.gen(function* () {
        const at = yield* now
        ends = at - begunAt >= youth ? 1 : ends + 1
        const pause = Math.min(longestPause, firstPause * 2 ** (ends - 1))
        told.ended(index, worker, how, pause)
        if (ends >= most && !places.some(({ isReady }) => isReady)) {
          const loop = new CrashLoop({ times: ends, last: how, why })
          yield* Deferred.fail(first, loop)
          yield* Deferred.fail(gaveUp, loop)
          return yield* Effect.never
        }
        yield* Effect.sleep(pause)
      })

    const keep = (index: number, place: Place<A>) =>
      Effect.gen(function* () {
        let isFirst = true
        for (;;) {
          const begunAt = yield* now
          const worker = yield* start(index)
          place.worker = worker
          place.begunAt = begunAt
          const outcome = yield* Effect.either(served(worker))
          if (outcome._tag === "Right") {
            place.isReady = true
            told.ready(index, worker, isFirst)
            if (isFirst) yield* Deferred.succeed(first, outcome.right)
          } else if (isFirst && outcome.left !== undefined) {
            yield* Deferred.fail(first, new StartFailed({ message: outcome.left }))
          }
          isFirst = false
          // Whoever has taken this place meanwhile is the one to wait for.
          let current: Worker<A>
          let how: Ended
          do {
            current = place.worker ?? worker
            how = yield* gone(current)
          } while (place.worker !== current)
          if (isStopping) return
          place.isReady = false
          const why = outcome._tag === "Left" ? outcome.left : undefined
          yield* noted(index, current, how, place.begunAt, why)
        }
      })

    const finish = (worker: Worker<A>, ask: Effect.Effect<void>, within: number): Effect.Effect<void> =>
      Effect.zipRight(
        ask,
        gone(worker).pipe(
          Effect.interruptible,
          Effect.timeoutOption(within),
          Effect.flatMap((ended) => (ended._tag === "None" ? Effect.zipRight(worker.kill, gone(worker)) : Effect.void))
        )
      )

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isStopping = true
        return Effect.forEach([...all], (worker) => finish(worker, worker.stop, stopWithin), {
          concurrency: "unbounded",
          discard: true
        })
      })
    )

    const replace = (index: number, place: Place<A>): Effect.Effect<boolean> =>
      Effect.gen(function* () {
        const old = place.worker
        if (old === undefined || !place.isReady) return true
        const begunAt = yield* now
        const next = yield* start(index)
        const outcome = yield* Effect.either(served(next))
        if (outcome._tag === "Left") {
          yield* Effect.zipRight(next.kill, gone(next))
          return false
        }
        told.ready(index, next, false)
        place.worker = next
        place.begunAt = begunAt
        yield* finish(old, old.retire, retireWithin)
        return true
      })

    // The first by itself: what is wrong for all is told once, and what all need is made by one.
    const [head, ...others] = places
    if (head !== undefined) yield* Background.run(keep(0, head))
    yield* Background.run(
      Effect.zipRight(
        Effect.ignore(Deferred.await(first)),
        Effect.forEach(others, (place, at) => keep(at + 1, place), { concurrency: "unbounded", discard: true })
      )
    )
    return {
      ready: Deferred.await(first),
      lasting: Deferred.await(gaveUp),
      replaced: oneAtATime.withPermits(1)(
        Effect.gen(function* () {
          for (const [index, place] of places.entries()) if (!(yield* replace(index, place))) return false
          return true
        })
      ),
      serving: () => places.flatMap(({ isReady, worker }) => (isReady && worker !== undefined ? [worker] : []))
    }
  })
