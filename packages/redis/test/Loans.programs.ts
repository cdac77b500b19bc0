/** Room that processes are lent over a real server. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type * as RedisConnection from "@switchyard/redis/RedisConnection"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import type { AdmitAsk, Admitted, Engine, EngineError, Refused, SharedLimits } from "@switchyard/router/Engine"
import { Dice } from "@switchyard/testing/Dice"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { Redis } from "ioredis"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

const none: SharedLimits = { rpm: undefined, tpm: undefined, maxParallel: undefined }

let runs = 0

/** A process, as far as it uses limits; `asked` counts its questions for room. */
interface Process {
  readonly engine: Engine
  readonly admit: (ask: AdmitAsk) => Effect.Effect<Admitted | Refused, EngineError>
  readonly end: (key: string, attempt: string, tokens: number | undefined) => Effect.Effect<void, EngineError>
  readonly asked: () => number
}

const processOf = (engine: Engine): Process => {
  const { lent, usage } = engine
  let asked = 0
  return {
    engine,
    asked: () => asked,
    admit: (ask) =>
      Effect.suspend(() => {
        const own = lent?.admit(ask)
        if (own !== undefined) return Effect.succeed(own)
        asked++
        return usage.admit(ask)
      }),
    end: (key, attempt, tokens) =>
      Effect.suspend(() => {
        if (lent?.end({ key, attempt }, tokens) === true) return Effect.void
        return tokens === undefined ? usage.release({ key, attempt }) : usage.settle({ key, attempt }, tokens)
      })
  }
}

describe.skipIf(missing !== undefined)("room that processes are lent by a server", { timeout: 180_000 }, () => {
  let server: RedisServer.RedisServer
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server?.stop())

  const patient = { timeout: "10 seconds", startTimeout: "10 seconds" } as const

  /** So many processes that know of each other, and how one asks for a call of the same key. */
  const processes = (
    count: number,
    limits: Partial<SharedLimits>,
    given: { readonly lease?: number; readonly window?: number; readonly server?: RedisConnection.Options } = {}
  ) =>
    Effect.gen(function* () {
      const { lease = 10_000, window = 60_000 } = given
      const options = { ...(given.server ?? { url: server.url }), ...patient }
      const key = `k${++runs}`
      const prefix = `loans ${runs}:`
      const all = yield* Effect.replicateEffect(RedisEngine.make({ prefix, ...options }), count)
      for (const round of [1, 2]) {
        for (const [index, engine] of all.entries()) yield* engine.announce(`${round && index}`, 60_000)
      }
      const ask = (attempt: string, tokens = 1): AdmitAsk => ({
        key,
        attempt,
        limits: { ...none, ...limits },
        tokens,
        lease,
        window
      })
      return { key, ask, all: all.map(processOf), window }
    })

  const untilUsed = ({ engine }: Process, key: string, is: (use: ReadonlyArray<number>) => boolean) =>
    Effect.map(engine.usage.look([key], 60_000), ([use]) => [
      use?.requests ?? 0,
      use?.tokens ?? 0,
      use?.calls ?? 0
    ]).pipe(Effect.tap(Effect.sleep(20)), Effect.repeat({ until: is }))

  const farFromTheLimit = (options: () => RedisConnection.Options) =>
    Effect.gen(function* () {
      const { all, ask, key } = yield* processes(2, { rpm: 1e6, tpm: 1e8, maxParallel: 1e5 }, { server: options() })
      for (let index = 0; index < 1000; index++) {
        for (const [place, process] of all.entries()) {
          const attempt = `${place} ${index}`
          assert.strictEqual((yield* process.admit(ask(attempt, 7)))._tag, "Admitted")
          yield* process.end(key, attempt, 5)
        }
      }
      for (const { asked } of all) assert.isAtMost(asked(), 100)
      const [first] = all
      if (first === undefined) return
      yield* untilUsed(first, key, ([requests, tokens, calls]) => requests === 2000 && tokens === 10_000 && calls === 0)
    })

  it.scopedLive("far from the limit hardly any call is asked for, and each counts", () =>
    farFromTheLimit(() => ({ url: server.url }))
  )

  it.scopedLive("the same in a cluster", () =>
    Effect.gen(function* () {
      const servers = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.startCluster()),
        (all) => Effect.promise(() => Promise.all(all.map(({ stop }) => stop())))
      )
      yield* farFromTheLimit(() => ({ cluster: servers.map(({ port }) => ({ host: "127.0.0.1", port })) }))
    })
  )

  it.scopedLive("of more calls than fit exactly as many are let in as a limit says, wherever they come", () =>
    Effect.gen(function* () {
      for (const [limits, fits] of [
        [{ rpm: 3000 }, 3000],
        [{ maxParallel: 2500 }, 2500],
        [{ tpm: 15_000 }, 3000],
        [{ rpm: 2400, maxParallel: 2390 }, 2390]
      ] as const) {
        const { all, ask } = yield* processes(3, limits)
        const dice = new Dice(7)
        // The first has much of it, and others ask for it.
        const ways = Array.from({ length: fits + 300 }, (_, index) => (index < 600 ? 0 : dice.below(3)))
        const answers = yield* Effect.forEach(
          ways,
          (place, index) => (all[place] as Process).admit(ask(`call ${index}`, 5)),
          { concurrency: 16 }
        )
        const admitted = answers.filter(({ _tag }) => _tag === "Admitted").length
        assert.strictEqual(admitted, fits, JSON.stringify(limits))
        assert.isBelow(
          all.reduce((sum, { asked }) => sum + asked(), 0),
          fits,
          "most of them without a question"
        )
      }
    })
  )

  it.scopedLive("calls of a loan of which the server knows nothing any more are told to be lost", () =>
    Effect.gen(function* () {
      const { all, ask, key } = yield* processes(2, { maxParallel: 2000 }, { lease: 10_000 })
      const [gone, other] = all
      if (gone === undefined || other === undefined) return
      for (let index = 0; index < 100; index++) yield* gone.admit(ask(`call ${index}`))
      yield* untilUsed(other, key, ([, , calls]) => calls === 100)
      yield* Effect.promise(() => server.ask("FLUSHALL"))
      const held = Array.from({ length: 100 }, (_, index) => ({ key, attempt: `call ${index}` }))
      const lost = yield* gone.engine.usage.renew(held, 10_000)
      assert.sameMembers(
        lost.map(({ attempt }) => attempt),
        held.map(({ attempt }) => attempt)
      )
      for (const { attempt } of held) yield* gone.end(key, attempt, 5)
      yield* untilUsed(other, key, ([requests, , calls]) => requests === 0 && calls === 0)
    })
  )

  it.scopedLive(
    "the permits of one that is gone come back with its lease, and requests that it was lent count as used",
    () =>
      Effect.gen(function* () {
        const key = `k${++runs}`
        const prefix = `loans ${runs}:`
        const client = new Redis(server.url)
        const gone = processOf(yield* RedisEngine.make({ client, prefix, ...patient }))
        const other = processOf(yield* RedisEngine.make({ url: server.url, prefix, ...patient }))
        const limits: SharedLimits = { ...none, maxParallel: 2000, rpm: 100_000 }
        const ask = (attempt: string): AdmitAsk => ({ key, attempt, limits, tokens: 1, lease: 3_000, window: 60_000 })
        for (let index = 0; index < 60; index++) yield* gone.admit(ask(`call ${index}`))
        yield* untilUsed(other, key, ([, , calls]) => calls === 60)
        client.disconnect()
        yield* untilUsed(other, key, ([requests = 0, , calls]) => calls === 0 && requests > 60 && requests < 400)
      })
  )

  it.scopedLive("on any schedule no more is let in than a limit says, and all is given back", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 4; seed++) {
        const dice = new Dice(seed)
        const window = 1_500
        const limits: Partial<SharedLimits> = {
          rpm: dice.pick([undefined, 900, 1500]),
          maxParallel: dice.pick([undefined, 800, 1200]),
          tpm: dice.pick([undefined, 8000])
        }
        const said = `seed ${seed}, ${JSON.stringify(limits)}`
        const { all, ask, key } = yield* processes(3, limits, { window, lease: 60_000 })
        const running = new Map<string, { readonly of: Process; readonly tokens: number }>()
        /** When calls were let in: the earliest and the latest that may have been. */
        const calls: Array<{ readonly asked: number; readonly answered: number }> = []
        const begin = (index: number) =>
          Effect.gen(function* () {
            const of = all[dice.below(3)] as Process
            const tokens = 1 + dice.below(9)
            const attempt = `call ${index}`
            const asked = performance.now()
            if ((yield* of.admit(ask(attempt, tokens)))._tag === "Refused") return
            calls.push({ asked, answered: performance.now() })
            running.set(attempt, { of, tokens })
            assert.isAtMost(running.size, limits.maxParallel ?? Number.POSITIVE_INFINITY, said)
          })
        const end = Effect.suspend(() => {
          const attempt = [...running.keys()][dice.below(Math.max(1, running.size))]
          const call = attempt === undefined ? undefined : running.get(attempt)
          if (attempt === undefined || call === undefined) return Effect.void
          running.delete(attempt)
          // What was never sent leaves its window.
          const isUnsent = limits.rpm === undefined && dice.below(8) === 0
          return call.of.end(key, attempt, isUnsent ? undefined : dice.below(call.tokens + 1))
        })
        const steps = Array.from({ length: 6000 }, (_, index) => index)
        yield* Effect.forEach(
          steps,
          (index) => {
            const kind = dice.below(100)
            return kind < 70 ? begin(index) : kind < 99 ? end : Effect.sleep(dice.pick([1, 5, 60]))
          },
          { concurrency: 8, discard: true }
        )
        const { rpm } = limits
        if (rpm !== undefined) {
          for (let last = rpm; last < calls.length; last += 10) {
            const some = calls.slice(last - rpm, last + 1)
            const began = Math.min(...some.map(({ asked }) => asked))
            assert.isAtLeast((calls[last]?.answered ?? 0) - began, window - 2, said)
          }
        }
        while (running.size > 0) yield* end
        const [first] = all
        if (first === undefined) return
        yield* untilUsed(first, key, ([, , calls]) => calls === 0)
      }
    })
  )
})
