import { assert, describe, it } from "@effect/vitest"
import * as EngineDesk from "@switchyard/gateway/EngineDesk"
import * as IpcEngine from "@switchyard/gateway/IpcEngine"
import * as Peer from "@switchyard/gateway/Peer"
import type { Engine } from "@switchyard/router/Engine"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import type { SpendAsk } from "@switchyard/router/SpendEngine"
import * as EngineContract from "@switchyard/testing/EngineContract"
import { Deferred, Effect, Either, TestClock } from "effect"
import { pipe } from "./pipe.js"

const nobody: Peer.Services = { answer: Peer.unknown }

/** An engine, and what a process at the other end of a channel has of it. */
const served = (engine: Engine) =>
  Effect.gen(function* () {
    const { close, left, right } = pipe()
    let desk: EngineDesk.Served | undefined
    const peer = yield* Peer.make(
      left,
      { answer: (name, args) => desk?.answer(name, args) ?? Peer.unknown(name) },
      { name: "worker" }
    )
    desk = EngineDesk.serve(engine, peer)
    let heard = (_: unknown): void => {}
    const primary = yield* Peer.make(
      right,
      { ...nobody, hear: (_topic, value) => heard(value) },
      { name: "the primary" }
    )
    const ipc = IpcEngine.make(primary)
    heard = ipc.heard
    return { engine: ipc.engine, close, end: desk.end }
  })

const limits = { rpm: undefined, tpm: undefined, maxParallel: 1 }
const ask = (attempt: string) => ({ key: "k", attempt, limits, tokens: 3, lease: 60_000, window: 60_000 })

describe("an engine behind another process", () => {
  for (const { check, name } of EngineContract.checks) {
    it.scoped(name, () =>
      Effect.gen(function* () {
        const { engine } = yield* served(yield* MemoryEngine.make())
        yield* check({ engine, pass: (ms) => TestClock.adjust(ms), window: 1000, run: "test" })
      })
    )
  }
  it.scoped("a process that is gone gives its room back at once; what it held counts as used", () =>
    Effect.gen(function* () {
      const memory = yield* MemoryEngine.make()
      const [one, other] = [yield* served(memory), yield* served(memory)]
      yield* one.engine.usage.admit(ask("a"))
      assert.strictEqual((yield* other.engine.usage.admit(ask("b")))._tag, "Refused")
      yield* one.end
      assert.strictEqual((yield* other.engine.usage.admit(ask("b")))._tag, "Admitted")
      const [use] = yield* other.engine.usage.look(["k"], 60_000)
      assert.deepInclude(use, { calls: 1, requests: 2, tokens: 6 })
      yield* other.engine.usage.settle({ key: "k", attempt: "b" }, 1)
      yield* other.end
      const [after] = yield* memory.usage.look(["k"], 60_000)
      assert.deepInclude(after, { calls: 0, requests: 2, tokens: 4 })
    })
  )
  it.scoped(
    "what a process that is gone had leased of a budget is the others' at once; what it told that it spent stays spent",
    () =>
      Effect.gen(function* () {
        const memory = yield* MemoryEngine.make()
        const [one, other] = [yield* served(memory), yield* served(memory)]
        const lease = (holder: string, amount: number, settled = 0): SpendAsk => ({
          key: "joe",
          holder,
          length: 60_000,
          limit: 100,
          amount,
          lasts: 60_000,
          settled,
          confirmed: 0,
          known: 0,
          window: 0,
          endsIn: undefined
        })
        yield* one.engine.spend.lease([lease("one", 90)])
        yield* one.engine.spend.lease([lease("one", 60, 30)])
        const [before] = yield* other.engine.spend.lease([lease("other", 50)])
        assert.deepInclude(before, { spent: 30, granted: 10, leasedByOthers: 60 })
        yield* one.end
        const [after] = yield* other.engine.spend.lease([lease("other", 100)])
        assert.deepInclude(after, { spent: 30, granted: 70, leasedByOthers: 0 })
      })
  )
  it.scoped("calls that were refused are held by nobody", () =>
    Effect.gen(function* () {
      const memory = yield* MemoryEngine.make()
      const ended: Array<string> = []
      const usage: Engine["usage"] = {
        ...memory.usage,
        renew: (held, lease) => {
          ended.push(...held.map(({ attempt }) => attempt))
          return memory.usage.renew(held, lease)
        }
      }
      const { end, engine } = yield* served({ ...memory, usage })
      for (const attempt of ["a", "b", "c"]) yield* engine.usage.admit(ask(attempt))
      yield* end
      assert.deepStrictEqual(ended, ["a"])
    })
  )
  it.scoped("when the channel closes, what was asked and what will be asked is told that it is away", () =>
    Effect.gen(function* () {
      const memory = yield* MemoryEngine.make()
      const asked = yield* Deferred.make<void>()
      const never = { ...memory, announce: () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never) }
      const { close, engine } = yield* served(never)
      const waiting = yield* Effect.fork(Effect.either(engine.announce("a", 1)))
      yield* Deferred.await(asked)
      close()
      const reasons = [yield* waiting, yield* Effect.either(engine.announce("b", 1))]
        .map(Either.flip)
        .map(Either.getOrThrow)
      assert.deepStrictEqual(
        reasons.map(({ reason }) => reason),
        ["away", "away"]
      )
    })
  )
  it.scoped("an answer that does not come in time is given up", () =>
    Effect.gen(function* () {
      const memory = yield* MemoryEngine.make()
      const asked = yield* Deferred.make<void>()
      const never = { ...memory, announce: () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never) }
      const { engine } = yield* served(never)
      const waiting = yield* Effect.fork(Effect.flip(engine.announce("a", 1)))
      yield* Deferred.await(asked)
      yield* TestClock.adjust(1_200)
      assert.strictEqual((yield* waiting).reason, "slow")
    })
  )
  it.scoped("what can't be said to another process is refused, and what is said with it is not", () =>
    Effect.gen(function* () {
      const { engine } = yield* served(yield* MemoryEngine.make())
      const wrong = { ...ask("a"), end: () => {} }
      const [refused, admitted] = yield* Effect.all(
        [Effect.flip(engine.usage.admit(wrong)), engine.usage.admit(ask("b"))],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([refused.reason, admitted._tag], ["refused", "Admitted"])
    })
  )
  it.scoped("nothing of it is served but its operations", () =>
    Effect.gen(function* () {
      const { engine } = yield* served(yield* MemoryEngine.make())
      const foreign = engine as unknown as Record<
        string,
        Record<string, () => Effect.Effect<unknown, { readonly reason: string }>>
      >
      for (const [member, operation] of [
        ["usage", "constructor"],
        ["usage", "nothing"],
        ["nobody", "admit"]
      ] as const) {
        const called = foreign[member]?.[operation] ?? (() => Effect.dieMessage("no operation"))
        assert.strictEqual((yield* Effect.flip(called())).reason, "refused", `${member}.${operation}`)
      }
    })
  )
  it.scoped("what is published is heard by those who listen, as long as they do", () =>
    Effect.gen(function* () {
      const listeners = new Map<string, Set<(text: string) => void>>()
      const news = {
        publish: (channel: string, text: string) =>
          Effect.sync(() => {
            for (const f of listeners.get(channel) ?? []) f(text)
          }),
        listen: (channel: string, f: (text: string) => void) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              listeners.set(channel, new Set([...(listeners.get(channel) ?? []), f]))
            }),
            () => Effect.sync(() => listeners.get(channel)?.delete(f))
          )
      }
      const { engine } = yield* served({ ...(yield* MemoryEngine.make()), news } as unknown as Engine)
      const own = (engine as unknown as { readonly news: typeof news }).news
      const heard = yield* Deferred.make<string>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* own.listen("a", (text) => Deferred.unsafeDone(heard, Effect.succeed(text)))
          yield* own.publish("b", "not this")
          yield* own.publish("a", "this")
          assert.strictEqual(yield* Deferred.await(heard), "this")
        })
      )
      assert.strictEqual(listeners.get("a")?.size, 0)
    })
  )
})
