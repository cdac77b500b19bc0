/**
 * `serve` as supervisors see it: faults that nobody caught, log readers that leave, drains that end too soon.
 */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ignoreReloads } from "../src/lifetime.js"
import { file, start } from "./support/process.js"

const listens = /switchyard listens on (http:\/\/127\.0\.0\.1:\d+) /

const messages = [{ role: "user", content: "Hello!" }]

const key = "sk-master-0123456789"

/** Streams a word, and the rest of them when it is told to. */
const upstream = Effect.acquireRelease(
  Effect.async<{ readonly url: string; readonly open: ReadonlyArray<ServerResponse>; readonly close: () => void }>(
    (resume) => {
      const open: Array<ServerResponse> = []
      const server = createServer((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(`data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n`)
        open.push(response)
      }).listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}/v1`, open, close }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const finish = (open: ReadonlyArray<ServerResponse>) => {
  for (const response of open) {
    response.end(`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`)
  }
}

/** A gateway before that upstream, with a stream under way. `preload` is code that runs in the process first. */
const serving = (settings = "", preload?: string) =>
  Effect.gen(function* () {
    const { open, url: base } = yield* upstream
    const path = yield* file(
      "config.yaml",
      `masterKey: ${key}\nserver: { port: 0 ${settings} }\ndeployments: [{ id: a, group: m, model: m, baseUrl: "${base}" }]\n`
    )
    const hook = preload === undefined ? undefined : yield* file("hook.cjs", preload)
    const running = yield* start(
      ["serve", "--config", path],
      hook === undefined ? {} : { NODE_OPTIONS: `--require ${hook}` }
    )
    const [, url = ""] = yield* running.until(listens)
    const ask = (body: object) =>
      fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify({ model: "m", messages, ...body })
      })
    const response = yield* Effect.promise(() => ask({ stream: true }))
    const rest = yield* Effect.fork(Effect.promise(() => response.text().catch((error: unknown) => `cut: ${error}`)))
    return { ...running, url, ask, rest, finish: Effect.sync(() => finish(open)) }
  })

const statusOf = (url: string) => Effect.promise(() => fetch(url).then(({ status }) => status))

/** Throws where nobody catches, each time that it is told to. */
const faulty = (how: string) => `process.on("SIGUSR2", () => setImmediate(() => { ${how} }))`

const faults: ReadonlyArray<readonly [kind: string, how: string, message: string]> = [
  ["uncaughtException", `throw new TypeError("it broke at ${key}")`, "TypeError: it broke at "],
  ["unhandledRejection", `void Promise.reject(new Error("nobody waits"))`, "Error: nobody waits"],
  ["uncaughtException", `throw undefined`, "a thrown undefined"]
]

describe.concurrent("serve, under faults of its own process", { timeout: 120_000 }, () => {
  for (const [kind, how, message] of faults) {
    it.scopedLive(`an ${kind} (${how.slice(0, 20)}) is logged as an event; calls finish, and it ends with 70`, () =>
      Effect.gen(function* () {
        const gateway = yield* serving(", drainDelay: 20 seconds", faulty(how))
        gateway.child.kill("SIGUSR2")
        const [line] = yield* gateway.until(/\{[^\n]*"event":"fault"[^\n]*\}\n/)
        const { time: _, cause, ...told } = JSON.parse(line) as Readonly<Record<string, string>>
        assert.deepInclude(told, { level: "error", event: "fault", kind, action: "drain" })
        assert.isTrue(told.message?.startsWith(message), told.message)
        assert.strictEqual(cause === undefined, message.startsWith("a thrown"))
        assert.notInclude(line, key)
        yield* gateway.until(/"event":"draining"/)
        assert.strictEqual(yield* statusOf(`${gateway.url}/health/ready`), 503)
        yield* gateway.finish
        assert.include(yield* gateway.rest, "data: [DONE]")
        gateway.child.kill("SIGUSR2")
        assert.deepInclude(yield* gateway.finished, { code: 70, signal: null })
        yield* gateway.until(/"event":"fault"[^\n]*"action":"exit"/)
      })
    )
  }
  it.scopedLive("after a fault it drains and ends by itself, with 70", () =>
    Effect.gen(function* () {
      const gateway = yield* serving("", faulty("throw 1"))
      gateway.child.kill("SIGUSR2")
      yield* gateway.until(/"event":"draining"/)
      yield* gateway.finish
      assert.include(yield* gateway.rest, "data: [DONE]")
      assert.deepInclude(yield* gateway.finished, { code: 70, signal: null })
    })
  )
  it.scopedLive("a reader of its log that leaves costs lines, which are counted, and no call; it ends with 0", () =>
    Effect.gen(function* () {
      const gateway = yield* serving()
      gateway.child.stderr?.destroy()
      gateway.child.stdout?.destroy()
      yield* Effect.promise(() => gateway.ask({ model: "nobody" }))
      const count = /log_lines_lost_total (\d+)/
      const metrics = Effect.promise(() => fetch(`${gateway.url}/metrics`).then((response) => response.text()))
      const told = yield* Effect.repeat(metrics, { until: (text) => count.test(text) })
      assert.isAtLeast(Number(count.exec(told)?.[1]), 1)
      yield* gateway.finish
      assert.include(yield* gateway.rest, "data: [DONE]")
      gateway.child.kill("SIGTERM")
      assert.deepInclude(yield* gateway.finished, { code: 0, signal: null })
    })
  )
  it.scopedLive("a drain that cuts a call says how many in the log, and ends with 3", () =>
    Effect.gen(function* () {
      const gateway = yield* serving(", drainTimeout: 100 millis")
      gateway.child.kill("SIGTERM")
      assert.include(yield* gateway.rest, `"code":"shutting_down"`)
      const { code, stderr } = yield* gateway.finished
      assert.strictEqual(code, 3)
      assert.match(stderr, /"level":"warn","event":"drain_cut","count":1\}/)
      assert.match(stderr, /"event":"request"[^\n]*"code":"shutting_down"/)
    })
  )
  it.scopedLive("while it drains a reload signal changes nothing, and a second SIGTERM ends it at once", () =>
    Effect.gen(function* () {
      const gateway = yield* serving(", drainDelay: 20 seconds")
      gateway.child.kill("SIGTERM")
      yield* gateway.until(/"event":"draining"/)
      gateway.child.kill("SIGHUP")
      assert.strictEqual(yield* statusOf(`${gateway.url}/health/ready`), 503)
      gateway.child.kill("SIGTERM")
      assert.deepInclude(yield* gateway.finished, { code: null, signal: "SIGTERM" })
    })
  )
  it.effect("a reload signal does not end the process between the gateway's end and its own", () =>
    Effect.gen(function* () {
      const before = process.listenerCount("SIGHUP")
      yield* Effect.scoped(ignoreReloads)
      yield* ignoreReloads
      assert.strictEqual(process.listenerCount("SIGHUP"), before + 1)
    })
  )
})
