import { assert, describe, it } from "@effect/vitest"
import * as Lending from "@switchyard/gateway/Lending"
import type { SharedLimits } from "@switchyard/router/Engine"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import * as EngineContract from "@switchyard/testing/EngineContract"
import { Clock, Effect, TestClock } from "effect"
import { worker } from "./lentEngine.js"

const window = 10_000
const none: SharedLimits = { rpm: undefined, tpm: undefined, maxParallel: undefined }
const ask = (attempt: string, limits: Partial<SharedLimits>, tokens = 1, lease = 60_000) => ({
  key: "k",
  attempt,
  limits: { ...none, ...limits },
  tokens,
  lease,
  window
})

const workers = (count: number) =>
  Effect.gen(function* () {
    const memory = yield* MemoryEngine.make()
    const lending = Lending.make(memory)
    return { memory, all: yield* Effect.replicateEffect(worker(memory, lending), count) }
  })

/** Lets that much time pass in steps, so that what is due in between is said. */
const pass = (ms: number) =>
  Effect.repeatN(
    Effect.zipRight(
      TestClock.adjust(ms / 10),
      Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
    ),
    9
  )

interface Call {
  readonly of: number
  readonly at: number
  readonly tokens: number
  used: number | undefined
}

describe("room that workers are lent", () => {
  for (const { check, name } of EngineContract.checks) {
    it.scoped(name, () =>
      Effect.gen(function* () {
        const { all } = yield* workers(1)
        for (const { engine } of all) {
          yield* check({ engine, pass: (ms) => TestClock.adjust(ms), window: 1000, run: "test" })
        }
      })
    )
  }

  it.scoped("far from the limit hardly any call is asked for", () =>
    Effect.gen(function* () {
      const { all, memory } = yield* workers(2)
      for (let index = 0; index < 400; index++) {
        const held = { key: "k", attempt: `call ${index}` }
        for (const [place, { engine }] of all.entries()) {
          const attempt = `${place} ${held.attempt}`
          const answer = yield* engine.usage.admit(ask(attempt, { rpm: 1e6, tpm: 1e8, maxParallel: 1e4 }, 7))
          assert.strictEqual(answer._tag, "Admitted")
          yield* engine.usage.settle({ ...held, attempt }, 5)
        }
      }
      for (const { asked } of all) assert.isAtMost(asked(), 4)
      yield* pass(100)
      const [use] = yield* memory.usage.look(["k"], window)
      assert.deepInclude(use, { requests: 800, tokens: 4000, calls: 0 })
    })
  )

  it.scoped("of more calls than fit exactly the limit is let in, wherever they come", () =>
    Effect.gen(function* () {
      for (const limits of [{ rpm: 500 }, { maxParallel: 300 }, { tpm: 3000 }, { rpm: 400, maxParallel: 390 }]) {
        const { all } = yield* workers(3)
        const dice = new Dice(7)
        const fits = limits.tpm === undefined ? Math.min(limits.rpm ?? 1e9, limits.maxParallel ?? 1e9) : 600
        // The first worker has much, and another asks for it.
        const ways = Array.from({ length: 900 }, (_, index) => (index < 100 ? 0 : index > 700 ? 2 : dice.below(3)))
        const answers = yield* Effect.forEach(
          ways,
          (place, index) => {
            const { engine } = all[place] as (typeof all)[number]
            return engine.usage.admit(ask(`call ${index}`, limits, 5))
          },
          { concurrency: 16 }
        )
        const admitted = answers.filter(({ _tag }) => _tag === "Admitted").length
        assert.strictEqual(admitted, fits, JSON.stringify(limits))
      }
    })
  )

  it.scoped(
    "on any schedule no window holds more than the limit, and nobody is refused while there is room",
    () =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= cases(60); seed++) {
          const dice = new Dice(seed)
          const limits: Partial<SharedLimits> = {
            rpm: dice.pick([undefined, 60, 150, 300]),
            maxParallel: dice.pick([undefined, 8, 90, 120]),
            tpm: dice.pick([undefined, 1200])
          }
          const said = `seed ${seed}, ${JSON.stringify(limits)}`
          const { all, memory } = yield* workers(3)
          const running = new Map<string, Call>()
          const calls: Array<Call> = []
          let count = 0
          const counted = (now: number, within: number): ReadonlyArray<Call> =>
            calls.filter(({ at, used }) => used !== -1 && now - at < within)
          const tokensOf = (some: ReadonlyArray<Call>): number =>
            some.reduce((sum, { tokens, used }) => sum + (used ?? tokens), 0)
          const begin = Effect.gen(function* () {
            const of = dice.below(3)
            const { engine } = all[of] as (typeof all)[number]
            const tokens = 1 + dice.below(9)
            const attempt = `${of} ${count++}`
            const now = yield* Clock.currentTimeMillis
            const answer = yield* engine.usage.admit(ask(attempt, limits, tokens))
            if (answer._tag === "Admitted") {
              const call: Call = { of, at: now, tokens, used: undefined }
              calls.push(call)
              running.set(attempt, call)
              if (limits.rpm !== undefined) assert.isAtMost(counted(now, window).length, limits.rpm, said)
              if (limits.maxParallel !== undefined) assert.isAtMost(running.size, limits.maxParallel, said)
              if (limits.tpm !== undefined) {
                const held = [...running.values()].filter(({ at }) => now - at >= window)
                assert.isAtMost(tokensOf(counted(now, window)) + tokensOf(held), limits.tpm, said)
              }
              return
            }
            // What began is told a tenth of a second later, and counts for as much longer.
            const late = counted(now, window + 200)
            if (answer.reason === "rpm") assert.isAtLeast(late.length, limits.rpm ?? 0, said)
            else if (answer.reason === "maxParallel") assert.strictEqual(running.size, limits.maxParallel, said)
            else {
              const held = [...running.values()].filter((call) => !late.includes(call))
              assert.isAbove(tokensOf(late) + tokensOf(held) + tokens, limits.tpm ?? 0, said)
            }
          })
          const end = Effect.suspend(() => {
            const names = [...running.keys()]
            const attempt = names[dice.below(Math.max(1, names.length))]
            const call = attempt === undefined ? undefined : running.get(attempt)
            if (attempt === undefined || call === undefined) return Effect.void
            running.delete(attempt)
            const { engine } = all[call.of] as (typeof all)[number]
            if (dice.below(8) === 0) {
              call.used = -1
              return engine.usage.release({ key: "k", attempt })
            }
            call.used = dice.below(call.tokens + 1)
            return engine.usage.settle({ key: "k", attempt }, call.used)
          })
          for (let step = 0; step < 700; step++) {
            const kind = dice.below(100)
            if (kind < 55) yield* begin
            else if (kind < 97) yield* end
            else yield* pass(dice.pick([10, 100, 1_000]))
          }
          while (running.size > 0) yield* end
          yield* pass(2_000)
          yield* pass(2_000)
          const [use] = yield* memory.usage.look(["k"], window)
          assert.strictEqual(use?.calls, 0, said)
          yield* pass(window)
          const [after] = yield* memory.usage.look(["k"], window)
          assert.deepInclude(after, { calls: 0, requests: 0, tokens: 0 }, said)
        }
      }),
    120_000
  )

  it.scoped("a worker that is gone gives back the room of its calls at once; what it was lent counts as used", () =>
    Effect.gen(function* () {
      const { all, memory } = yield* workers(2)
      const [one, other] = all as [(typeof all)[number], (typeof all)[number]]
      const limits = { maxParallel: 400 }
      for (let index = 0; index < 30; index++) yield* one.engine.usage.admit(ask(`call ${index}`, limits))
      yield* pass(100)
      one.close()
      yield* one.end
      const [use] = yield* memory.usage.look(["k"], window)
      assert.strictEqual(use?.calls, 0)
      const answers = yield* Effect.forEach(Array.from({ length: 401 }), (_, index) =>
        other.engine.usage.admit(ask(`other ${index}`, limits))
      )
      assert.lengthOf(
        answers.filter(({ _tag }) => _tag === "Admitted"),
        400
      )
    })
  )

  it.scoped("a worker that was frozen for longer than its lease is told which of its calls are lost", () =>
    Effect.gen(function* () {
      const { all, memory } = yield* workers(2)
      const [frozen, other] = all as [(typeof all)[number], (typeof all)[number]]
      const limits = { maxParallel: 200 }
      const held = Array.from({ length: 20 }, (_, index) => ({ key: "k", attempt: `call ${index}` }))
      for (const { attempt } of held) yield* frozen.engine.usage.admit(ask(attempt, limits, 1, 3_000))
      yield* pass(100)
      yield* pass(1_500)
      yield* pass(3_000)
      const answers = yield* Effect.forEach(Array.from({ length: 201 }), (_, index) =>
        other.engine.usage.admit(ask(`other ${index}`, limits))
      )
      assert.lengthOf(
        answers.filter(({ _tag }) => _tag === "Admitted"),
        200
      )
      const lost = yield* frozen.engine.usage.renew(held, 3_000)
      assert.sameMembers(
        lost.map(({ attempt }) => attempt),
        held.map(({ attempt }) => attempt)
      )
      for (const one of held) yield* frozen.engine.usage.settle(one, 9)
      const [use] = yield* memory.usage.look(["k"], window)
      assert.strictEqual(use?.calls, 200)
    })
  )
})
