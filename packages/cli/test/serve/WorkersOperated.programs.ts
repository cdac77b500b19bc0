/** What operators do and see by one of several workers: it holds in all of them, and is of all. */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Fiber } from "effect"
import { type Answer, type Connection, connectionsTo, masterKey, until, workers } from "./support.js"

const chat = (model: string) => ({ model, messages: [{ role: "user", content: "Hi there" }] })

const sendBy = ({ ask }: Connection, model: string): Effect.Effect<Answer> => ask("/v1/chat/completions", chat(model))

const act = ({ ask }: Connection, action: string, id: string) => ask(`/admin/deployments/${id}/${action}`, {})

interface Shown {
  readonly deployments: ReadonlyArray<{ readonly id: string; readonly isolated: boolean; readonly state: string }>
}

/** How a worker shows a deployment. */
const shownBy = ({ ask }: Connection, id: string) =>
  Effect.map(ask("/admin/deployments"), ({ text }) =>
    (JSON.parse(text) as Shown).deployments.find((deployment) => deployment.id === id)
  )

interface Recorded {
  readonly deployments: ReadonlyArray<{ readonly id: string; readonly requests: ReadonlyArray<number | null> }>
}

/** Requests of a deployment in the timeline that a worker shows. */
const recordedBy = ({ ask }: Connection, id: string) =>
  Effect.map(ask("/admin/timeline"), ({ text }) =>
    ((JSON.parse(text) as Recorded).deployments.find((one) => one.id === id)?.requests ?? []).reduce<number>(
      (sum, count) => sum + (count ?? 0),
      0
    )
  )

describe("two workers, operated by either of them", { timeout: 180_000 }, () => {
  it.scopedLive(
    "isolating, releasing and ending a cooldown hold in both, and in one that begins later; so do signing in and out; the timeline is of both",
    () =>
      Effect.gen(function* () {
        const weak = yield* FakeProvider.make({ name: "weak" })
        const gateway = yield* workers(2, {
          top: "ledger: false\nstrategy: round-robin",
          breakers: 'cooldown: { failures: 1, duration: "1 hour", jitter: 0 }',
          more: (base) => `  - { id: spare, group: spare, model: m, baseUrl: ${base}, apiKey: sk-upstream-1 }
  - { id: strong, group: pair, model: m, baseUrl: ${base}, apiKey: sk-upstream-1 }
  - { id: weak, group: pair, model: m, baseUrl: "${weak.url}", apiKey: sk-upstream-1 }`
        })
        const { pids, url } = gateway
        const [one, other] = (yield* connectionsTo(url, pids)) as [Connection, Connection]

        for (let n = 0; n < 3; n++) assert.strictEqual((yield* sendBy(one, "smart")).came, 200)
        for (let n = 0; n < 2; n++) assert.strictEqual((yield* sendBy(other, "smart")).came, 200)
        const timeline = yield* Effect.fork(
          Effect.all([recordedBy(one, "east"), recordedBy(other, "east")]).pipe(
            Effect.delay(100),
            Effect.repeat({ until: (sums) => sums.every((sum) => sum === 5) })
          )
        )

        assert.strictEqual((yield* act(one, "isolate", "spare")).came, 200)
        for (const worker of [one, other]) {
          assert.strictEqual((yield* sendBy(worker, "spare")).came, 503)
          assert.isTrue((yield* shownBy(worker, "spare"))?.isolated)
        }
        assert.strictEqual((yield* act(other, "release", "spare")).came, 200)
        for (const worker of [one, other]) {
          assert.strictEqual((yield* sendBy(worker, "spare")).came, 200)
          assert.isFalse((yield* shownBy(worker, "spare"))?.isolated)
        }
        assert.strictEqual((yield* act(one, "isolate", "nobody")).came, 404)

        yield* weak.behave({ status: 500 })
        yield* Effect.repeat(sendBy(one, "pair"), { until: () => weak.stats().requests > 0 })
        yield* weak.behave({})
        const reached = (worker: Connection, times: number) =>
          Effect.gen(function* () {
            const before = weak.stats().requests
            for (let n = 0; n < times; n++) assert.strictEqual((yield* sendBy(worker, "pair")).came, 200)
            return weak.stats().requests - before
          })
        // What opens in one is open in the other within a moment.
        for (const worker of [one, other]) {
          yield* Effect.repeat(reached(worker, 10), { until: (count) => count === 0 })
          assert.strictEqual((yield* shownBy(worker, "weak"))?.state, "cooldown")
        }
        assert.strictEqual((yield* act(other, "reset", "weak")).came, 200)
        for (const worker of [one, other]) yield* Effect.repeat(reached(worker, 1), { until: (count) => count > 0 })

        const page = { "sec-fetch-site": "same-origin" }
        const wrong = yield* one.ask("/admin/login", { key: "sk-wrong" }, "", page)
        assert.strictEqual(wrong.came, 401)
        const { cookie = "" } = yield* one.ask("/admin/login", { key: masterKey }, "", page)
        assert.notStrictEqual(cookie, "")
        const session = { ...page, cookie }
        for (const worker of [one, other]) {
          const asked = worker.ask("/admin/session", undefined, "", session)
          yield* Effect.repeat(asked, { until: ({ text }) => text.includes("signedIn") })
          assert.strictEqual((yield* worker.ask("/admin/deployments", undefined, "", session)).came, 200)
        }
        assert.strictEqual((yield* other.ask("/admin/logout", {}, "", session)).came, 200)
        for (const worker of [one, other]) {
          // The others are told of it, and nobody waits for them.
          const asked = worker.ask("/admin/session", undefined, "", session)
          yield* Effect.repeat(asked, { until: ({ text }) => text.includes("signedOut") })
          assert.strictEqual((yield* worker.ask("/admin/deployments", undefined, "", session)).came, 401)
        }
        const again = yield* one.ask("/admin/login", { key: masterKey }, "", page)
        yield* act(one, "isolate", "spare")
        yield* Fiber.join(timeline)

        process.kill(one.pid, "SIGKILL")
        const [, next] = yield* gateway.until(
          new RegExp(`"event":"worker_ready","worker":0,"pid":(?!${one.pid}\\b)(\\d+)`)
        )
        const [late] = (yield* connectionsTo(url, [Number(next)])) as [Connection]
        assert.strictEqual((yield* sendBy(late, "spare")).came, 503)
        const kept = yield* late.ask("/admin/session", undefined, "", { ...page, cookie: again.cookie ?? "" })
        assert.include(kept.text, "signedIn", "by the worker that was there already")
      })
  )

  it.scopedLive("a worker that is killed gives back what its calls had set aside of a caller's budget", () =>
    Effect.gen(function* () {
      const joe = "sk-joe-of-workers-1"
      const { pids, upstream, url } = yield* workers(2, {
        top: `ledger: {}
keys: [{ name: joe, key: ${joe}, budget: { limit: 10, window: 1 hour } }]`
      })
      const [one, other] = (yield* connectionsTo(url, pids)) as [Connection, Connection]
      // All of it is set aside: a million tokens cost 1000 USD.
      const dear = { ...chat("smart"), max_tokens: 20_000 }
      const ask = ({ ask }: Connection) => ask("/v1/chat/completions", dear, joe)
      yield* upstream.behave({ hang: true })
      const held = yield* Effect.fork(ask(one))
      yield* until(() => upstream.inFlight() === 1)
      yield* upstream.behave({})
      const refused = yield* ask(other)
      assert.strictEqual(refused.came, 429)
      assert.include(refused.text, "calls in flight hold what is left")
      process.kill(one.pid, "SIGKILL")
      assert.strictEqual((yield* Fiber.join(held)).came, "ECONNRESET")
      // A lease that nobody gives back runs out after a minute.
      const answered = yield* Effect.repeat(Effect.delay(ask(other), 20), { until: ({ came }) => came === 200 }).pipe(
        Effect.timeoutOption("30 seconds")
      )
      assert.strictEqual(answered._tag, "Some")
    })
  )
})
