/**
 * `serve --workers`: several real processes on one port, and what becomes of calls when one of them, or the one that started
 * them, is no more.
 */
import { rename, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Fiber } from "effect"
import { burst, counted, get, isAlive, linesOf, load, until, workers } from "./support.js"

describe("serve with workers", { timeout: 180_000 }, () => {
  it.scopedLive(
    "limits hold over all of them; one that is killed is replaced, loses its own calls alone, and its permits return",
    () =>
      Effect.gen(function* () {
        const gateway = yield* workers(2, {
          more: (base) => `  - { id: often, group: often, model: m, baseUrl: ${base}, apiKey: sk-upstream-1, rpm: 100 }
  - { id: narrow, group: narrow, model: m, baseUrl: ${base}, apiKey: sk-upstream-1, maxParallel: 8 }`
        })
        const { pids, upstream, url } = gateway
        assert.deepStrictEqual(counted(yield* burst(url, 150, "often")), { 200: 100, 429: 50 })
        assert.strictEqual(upstream.journal().length, 100)

        const { text } = yield* get(url, "/metrics")
        assert.match(text, /\nswitchyard_requests_success_total\{model="often"[^}]*\} 100\n/)
        assert.match(text, /\nswitchyard_workers 2\n/)
        const { text: shown } = yield* get(url, "/admin/deployments")
        const { deployments } = JSON.parse(shown) as {
          readonly deployments: ReadonlyArray<{ readonly id: string; readonly successes: number }>
        }
        assert.strictEqual(deployments.find(({ id }) => id === "often")?.successes, 100)

        yield* upstream.reset
        yield* upstream.behave({ latencyMs: 30 })
        for (let round = 0; round < 3; round++) yield* burst(url, 30, "narrow")
        assert.isAtMost(upstream.stats().peakInFlight, 8)

        yield* upstream.behave({ hang: true })
        // Selection knows a bit later what others have given back.
        const admitted = Effect.repeat(burst(url, 1, "narrow"), { while: ([came]) => came === 429 })
        const held = yield* Effect.fork(
          Effect.map(Effect.replicateEffect(admitted, 8, { concurrency: "unbounded" }), (all) => all.flat())
        )
        yield* until(() => upstream.inFlight() === 8)
        const [victim = 0] = pids
        process.kill(victim, "SIGKILL")
        yield* gateway.until(/"event":"worker_ended","worker":0[^\n]*"signal":"SIGKILL"/)
        yield* until(() => upstream.inFlight() < 8)
        const left = upstream.inFlight()
        assert.isAbove(left, 0)
        yield* upstream.behave({})
        yield* gateway.until(new RegExp(`"event":"worker_ready","worker":0,"pid":(?!${victim}\\b)`))
        // Fewer than ten seconds have passed, after which a lease would have ended by itself.
        assert.deepStrictEqual(counted(yield* burst(url, 8 - left, "narrow")), { 200: 8 - left })
        yield* upstream.reset
        const came = counted(yield* Fiber.join(held))
        assert.strictEqual(came["ECONNRESET"], 8 - left, JSON.stringify(came))
      })
  )

  it.scopedLive("the one that started them is killed: none is left, and the port is free", () =>
    Effect.gen(function* () {
      const { child, finished, pids, url } = yield* workers(2)
      assert.isTrue(pids.every(isAlive))
      child.kill("SIGKILL")
      yield* finished
      yield* until(() => !pids.some(isAlive))
      yield* Effect.async<void>((resume) => {
        const server = createServer().listen(Number(new URL(url).port), "127.0.0.1", () =>
          server.close(() => resume(Effect.void))
        )
      })
    })
  )

  it.scopedLive("all of them are replaced under load, and no call is lost, on connections that are kept", () =>
    Effect.gen(function* () {
      const gateway = yield* workers(2)
      const { child, pids, upstream, url } = gateway
      const asked = () => upstream.stats().requests
      yield* upstream.behave({ latencyMs: 25 })
      let isOver = false
      const loading = yield* Effect.fork(load(url, 8, () => isOver))
      yield* until(() => asked() > 20)
      child.kill("SIGUSR2")
      yield* gateway.until(/"event":"workers_restarted"/)
      yield* until(() => !pids.some(isAlive))
      const before = asked()
      yield* until(() => asked() > before + 20)
      isOver = true
      const came = yield* Fiber.join(loading)
      assert.deepStrictEqual(counted(came), { 200: came.length })
      assert.strictEqual(asked(), came.length)
      // Those that are gone have told what they counted.
      const { text } = yield* get(url, "/metrics")
      assert.match(text, new RegExp(`\\nswitchyard_requests_total\\{[^}]*\\} ${came.length}\\n`))
      const { text: shown } = yield* get(url, "/admin/deployments")
      assert.include(shown, '"id":"east"')
      child.kill("SIGTERM")
      const { code, stderr } = yield* gateway.finished
      assert.strictEqual(code, 0)
      assert.lengthOf(linesOf(stderr, "request"), came.length)
      assert.lengthOf(linesOf(stderr, "worker_ended"), 0)
    })
  )

  it.scopedLive(
    "a file that changes under load is in force in all of them, told of once, and loses no call; so is one that can't be",
    () =>
      Effect.gen(function* () {
        const gateway = yield* workers(2)
        const { child, config, text, upstream, url } = gateway
        yield* upstream.behave({ latencyMs: 25 })
        let isOver = false
        const loading = yield* Effect.fork(load(url, 8, () => isOver))
        yield* until(() => upstream.stats().requests > 20)
        const groups = Effect.map(
          Effect.replicateEffect(get(url, "/v1/models"), 6),
          (answers) => new Set(answers.map((answer) => answer.text.includes('"id":"quick"')))
        )
        // Whole, as a file that takes the old one's place: no reader finds half of it.
        const write = (words: string) =>
          Effect.promise(async () => {
            await writeFile(`${config}.new`, words)
            await rename(`${config}.new`, config)
          })
        yield* write(`${text}nonsense: 1\n`)
        yield* gateway.until(/"event":"config_refused"/)
        yield* write(`${text}  - { id: w, group: quick, model: m, baseUrl: "http://127.0.0.1:9" }\n`)
        yield* gateway.until(/"event":"config_reloaded"/)
        yield* Effect.repeat(groups, { until: (seen) => seen.size === 1 && seen.has(true), times: 100 })
        assert.deepStrictEqual([...(yield* groups)], [true])
        isOver = true
        const came = yield* Fiber.join(loading)
        assert.deepStrictEqual(counted(came), { 200: came.length })
        child.kill("SIGTERM")
        const { code, stderr } = yield* gateway.finished
        assert.strictEqual(code, 0)
        assert.lengthOf(linesOf(stderr, "config_refused"), 1)
        assert.lengthOf(linesOf(stderr, "config_reloaded"), 1)
      })
  )

  it.scopedLive("SIGTERM lets calls in flight finish in all of them; a second one cuts them", () =>
    Effect.gen(function* () {
      const gateway = yield* workers(2)
      const { child, pids, upstream, url } = gateway
      const gate = FakeProvider.gate()
      yield* upstream.behave({ gate })
      const calls = yield* Effect.fork(burst(url, 6))
      yield* until(() => upstream.inFlight() === 6)
      child.kill("SIGTERM")
      yield* gateway.until(/"event":"draining"/)
      gate.open()
      assert.deepStrictEqual(counted(yield* Fiber.join(calls)), { 200: 6 })
      assert.deepInclude(yield* gateway.finished, { code: 0, signal: null })
      assert.isFalse(pids.some(isAlive))
      const other = yield* workers(2)
      yield* other.upstream.behave({ hang: true })
      const cut = yield* Effect.fork(burst(other.url, 4))
      yield* until(() => other.upstream.inFlight() === 4)
      other.child.kill("SIGTERM")
      yield* other.until(/"event":"draining"/)
      other.child.kill("SIGTERM")
      assert.deepInclude(yield* other.finished, { signal: "SIGTERM" })
      assert.deepStrictEqual(Object.keys(counted(yield* Fiber.join(cut))), ["ECONNRESET"])
      yield* until(() => !other.pids.some(isAlive))
    })
  )
})
