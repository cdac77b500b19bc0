import { assert, describe, it } from "@effect/vitest"
import * as Fleet from "@switchyard/gateway/Fleet"
import type { Generation, Source } from "@switchyard/gateway/Generations"
import { type Engine, EngineError } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as Prometheus from "@switchyard/router/Prometheus"
import { Effect, Redacted, TestClock } from "effect"
import { digestOf } from "../../src/fleet/configDigest.js"
import { MinuteFigures } from "../../src/fleet/minuteFigures.js"
import { stateFamilies } from "../../src/telemetry/stateGauges.js"
import { decode } from "../support/gateways.js"

const deployments = [{ id: "a", group: "smart", model: "m", apiKey: "sk-upstream-123456", rpm: 100 }]

const sourceOf = (settings: object = {}): Source => ({ config: decode({ deployments, ...settings }) })

/** A gateway of a fleet, as far as others see it. */
const member = (engine: Engine, id: string, source: Source = sourceOf()) =>
  Effect.gen(function* () {
    const guard = yield* EngineGuard.make(engine, { id })
    const state = { source, inFlight: 0 }
    const current = () => ({ number: 1, source: state.source }) as Generation
    const fleet = yield* Fleet.make({ guard, generations: { current }, inFlight: () => state.inFlight })
    return { fleet, guard, state }
  })

const away = new EngineError({ reason: "away", description: "Redis can't be reached: nobody there" })

describe("gateways of a fleet", () => {
  it.scoped("each shows all, their sum, and configurations that differ", () =>
    Effect.gen(function* () {
      const engine = yield* MemoryEngine.make()
      const first = yield* member(engine, "first-000")
      yield* TestClock.adjust("1 second")
      const second = yield* member(engine, "second-00")
      first.state.inFlight = 2
      for (const isError of [false, false, true]) first.fleet.noteEnd(isError)
      second.fleet.noteEnd(false)
      yield* TestClock.adjust("1 second")
      const view = yield* second.fleet.view
      assert.deepStrictEqual(view.sum, { replicas: 2, requests: 4, errors: 1, inFlight: 2 })
      assert.deepStrictEqual(
        view.replicas.map(({ id, inFlight, isThis, mode, requests }) => [id, isThis, mode, requests, inFlight]),
        [
          ["first-00", false, "shared", 3, 2],
          ["second-0", true, "shared", 1, 0]
        ]
      )
      assert.deepStrictEqual([view.mode, view.engine, view.configs.length], ["shared", "memory", 1])

      second.state.source = sourceOf({ retry: false })
      const { configs } = yield* second.fleet.view
      assert.deepStrictEqual(
        configs.map(({ replicas }) => replicas),
        [["first-00"], ["second-0"]]
      )
    })
  )

  it.scoped("one that ends is gone at once, one that dies within seconds", () =>
    Effect.gen(function* () {
      const engine = yield* MemoryEngine.make()
      const { fleet } = yield* member(engine, "stays")
      yield* Effect.scoped(member(engine, "ends"))
      assert.strictEqual((yield* fleet.view).sum.replicas, 1)
      yield* engine.boards.post("gateways", "strange", '{"of": "another version"}', 60_000)
      const dying = { ...engine, boards: { ...engine.boards, post: () => Effect.fail(away) } }
      yield* member(dying, "mute")
      assert.strictEqual((yield* fleet.view).sum.replicas, 1)
    })
  )

  it.scoped("one whose engine is away shows itself, and says why it decides by itself", () =>
    Effect.gen(function* () {
      const engine = yield* MemoryEngine.make()
      const gone = { ...engine, announce: () => Effect.fail(away) }
      const { fleet, guard } = yield* member(gone, "lonely")
      const view = yield* fleet.view
      assert.deepStrictEqual(
        [view.mode, view.error, view.sum.replicas, view.replicas[0]?.mode],
        ["local", away.description, 1, "local"]
      )
      const text = Prometheus.render({ prefix: "switchyard", families: stateFamilies(guard, {}) })
      assert.include(text, 'switchyard_shared_state_up{engine="memory"} 0')
      assert.include(text, 'switchyard_shared_state_questions_total{engine="memory",outcome="away"} 1')
    })
  )

  it.scoped("one that shares nothing is alone", () =>
    Effect.gen(function* () {
      const generations = { current: () => ({ number: 1, source: sourceOf() }) as Generation }
      const { view } = yield* Fleet.make({ guard: undefined, generations, inFlight: () => 1 })
      const { engine, mode, sum } = yield* view
      assert.deepStrictEqual([engine, mode, sum.replicas, sum.inFlight], [null, "alone", 1, 1])
    })
  )

  it.scoped("what they ask of the engine is counted by its end, with the time that answers take", () =>
    Effect.gen(function* () {
      const engine = yield* MemoryEngine.make()
      const slowly = <A>(answer: Effect.Effect<A>, ms: number) => Effect.zipRight(Effect.sleep(ms), answer)
      const { guard } = yield* member({ ...engine, boards: { ...engine.boards, read: () => Effect.fail(away) } }, "one")
      yield* TestClock.adjust(1)
      const before = guard.figures.outcomes.answered
      const asked = yield* Effect.fork(guard.ask(slowly(Effect.succeed(1), 3)))
      yield* TestClock.adjust(3)
      yield* asked
      yield* Effect.ignore(guard.ask(engine.boards.read("a")))
      const text = Prometheus.render({
        prefix: "switchyard",
        families: stateFamilies(guard, { labels: { site: "b" } })
      })
      const answered = `switchyard_shared_state_answer_seconds_count{engine="memory",site="b"} ${before + 2}`
      assert.include(text, answered)
      assert.include(
        text,
        `switchyard_shared_state_answer_seconds_bucket{engine="memory",site="b",le="0.002"} ${before + 1}`
      )
      assert.include(
        text,
        `switchyard_shared_state_answer_seconds_bucket{engine="memory",site="b",le="0.005"} ${before + 2}`
      )
    })
  )
})

describe("the last minute of a gateway", () => {
  it("has what ended in the last 60 seconds, and nothing older", () => {
    const figures = new MinuteFigures()
    for (const [at, isError] of [
      [900, true],
      [1_100, false],
      [30_000, false],
      [60_500, true]
    ] as const) {
      figures.note(isError, at)
    }
    assert.deepStrictEqual(figures.sum(60_900), { requests: 3, errors: 1 })
    assert.deepStrictEqual(figures.sum(61_000), { requests: 2, errors: 1 })
    assert.deepStrictEqual(figures.sum(119_999), { requests: 1, errors: 1 })
    assert.deepStrictEqual(figures.sum(10_000_000), { requests: 0, errors: 0 })
  })
})

describe("the digest of a configuration", () => {
  it("is the same for the same settings in another order, with another secret, or at another address", () => {
    const [{ apiKey: _key, ...plain }] = deployments as [(typeof deployments)[0]]
    const digest = digestOf(sourceOf({ redis: { url: "redis://:one@127.0.0.1:6379" }, server: { port: 1 } }))
    const other = decode({
      server: { port: 2, host: "127.0.0.1" },
      deployments: [{ apiKey: Redacted.make("sk-another-654321"), ...plain }],
      redis: { url: "redis://:two@127.0.0.1:6379" }
    })
    assert.strictEqual(digestOf({ config: other }), digest)
    assert.match(digest, /^[0-9a-f]{12}$/)
  })

  it("is another for any other setting, also in the words of a file", () => {
    const digests = [
      sourceOf(),
      sourceOf({ retry: false }),
      sourceOf({ server: { maxConcurrent: 5 } }),
      sourceOf({ deployments: [{ ...deployments[0], rpm: 101 }] }),
      { ...sourceOf(), display: { deployments: [{ id: "a" }] } },
      { ...sourceOf(), display: { deployments: [{ id: "b" }] } }
    ].map(digestOf)
    assert.strictEqual(new Set(digests).size, digests.length)
  })
})
