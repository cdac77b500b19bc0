/** Workers that run and do nothing any more: a user's code has an endless loop, or somebody has frozen one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { file } from "../support/process.js"
import { burst, type Connection, connectionsTo, counted, isAlive, until, workers } from "./support.js"

/** A layer that never comes back from requests for one group. */
const looping = `export default (standard, { Concern, Service }) =>
  standard.insertBefore("fallback", Concern.request({
    name: "loops",
    about: "Never comes back from some requests",
    make: () => Service.mapInput((request) => {
      if (request.model === "loop") console.error("it loops as " + process.pid)
      while (request.model === "loop") {}
      return request
    })
  }))
`

/** A gateway of two, one connection to each, and a request that makes a worker loop. */
const loopers = Effect.gen(function* () {
  const stack = yield* file("stack.mjs", looping)
  const gateway = yield* workers(2, {
    top: `ledger: false\nstack: ${JSON.stringify(stack)}`,
    more: (base) => `  - { id: loop, group: loop, model: m, baseUrl: ${base}, apiKey: sk-upstream-1 }`
  })
  // A test that fails leaves no process that never ends.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const pid of gateway.pids.filter(isAlive)) process.kill(pid, "SIGKILL")
    })
  )
  const [one, other] = (yield* connectionsTo(gateway.url, gateway.pids)) as [Connection, Connection]
  const loop = ({ ask, pid }: Connection) =>
    Effect.tap(
      Effect.fork(ask("/v1/chat/completions", { model: "loop", messages: [{ role: "user", content: "Go on" }] })),
      () => gateway.until(new RegExp(`it loops as ${pid}\\b`))
    )
  return { ...gateway, one, other, loop }
})

describe("workers that do not come back", { timeout: 120_000 }, () => {
  it.scopedLive("one in an endless loop is killed and replaced, and the other serves meanwhile", () =>
    Effect.gen(function* () {
      const gateway = yield* loopers
      const { loop, one, other, url } = gateway
      const looped = yield* loop(one)
      assert.strictEqual((yield* other.ask("/v1/models")).came, 200)
      yield* gateway.until(new RegExp(`"event":"worker_hung","worker":\\d,"pid":${one.pid}\\b`))
      assert.strictEqual((yield* Fiber.join(looped)).came, "ECONNRESET")
      yield* gateway.until(new RegExp(`"event":"worker_ended"[^\\n]*"pid":${one.pid},[^\\n]*"signal":"SIGKILL"`))
      yield* gateway.until(new RegExp(`"event":"worker_ready","worker":0,"pid":(?!${one.pid}\\b)`))
      assert.deepStrictEqual(counted(yield* burst(url, 6)), { 200: 6 })
    })
  )

  it.scopedLive("so is one that somebody froze", () =>
    Effect.gen(function* () {
      const gateway = yield* workers(2)
      const [frozen = 0, other = 0] = gateway.pids
      process.kill(frozen, "SIGSTOP")
      yield* gateway.until(new RegExp(`"event":"worker_hung"[^\\n]*"pid":${frozen}\\b`))
      yield* gateway.until(new RegExp(`"event":"worker_ready","worker":0,"pid":(?!${frozen}\\b)`))
      assert.isFalse(isAlive(frozen))
      assert.isTrue(isAlive(other))
    })
  )

  it.scopedLive("none outlives the one that started them and was killed, not even in an endless loop", () =>
    Effect.gen(function* () {
      const { child, finished, loop, one, other, pids } = yield* loopers
      yield* loop(one)
      yield* loop(other)
      child.kill("SIGKILL")
      yield* finished
      yield* until(() => !pids.some(isAlive))
    })
  )
})
