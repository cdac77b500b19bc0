/**
 * What a real gateway logs: every way in which a request can end, what happens beside requests, and no secret of anybody.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import type { Log } from "@switchyard/gateway/GatewayConfig"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { chat, decode, deploymentOf, eventually, masterKey, messages, post, upstreamKey } from "../support/gateways.js"

const virtualKey = "sk-virtual-5577aa-for-team"
const headerSecret = "upstream-header-secret-31"
const prompt = "the secret plan of the prompt"

type Line = Readonly<Record<string, unknown>>

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

/** A gateway with two upstreams, `east` in the group `smart` and `west` behind it, whose log is kept. */
const setup = (log: Log = {}, more: object = {}) =>
  Effect.gen(function* () {
    const east = yield* FakeProvider.make({ name: "east" })
    const west = yield* FakeProvider.make({ name: "west" })
    const config = decode({
      deployments: [
        deploymentOf(east, { headers: { "x-extra": headerSecret }, inputPrice: 2, outputPrice: 8 }),
        deploymentOf(west, { group: "spare" })
      ],
      masterKey,
      keys: [{ name: "team", key: virtualKey, groups: ["smart", "nobody"] }],
      server: { port: 0, drainTimeout: "1 second", maxBodyBytes: 10_000 },
      retry: { attempts: 1 },
      log,
      ...more
    })
    let text = ""
    const made = yield* RequestLog.make(config, {
      isTerminal: false,
      hasColours: false,
      write: (piece, done) => {
        text += piece
        done()
      }
    })
    const gateway = yield* Effect.orDie(Gateway.make({ config }, {}, made))
    const lines = (): ReadonlyArray<Line> =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line)
    /** The line of a request, once it is there. */
    const lineOf = (id: string) =>
      Effect.map(
        eventually(
          () => `a line of ${id} in\n${text}`,
          () => lines().some((line) => line["id"] === id)
        ),
        () => lines().find((line) => line["id"] === id) ?? {}
      )
    return { config, east, west, gateway, lines, lineOf, text: () => text }
  })

describe("a gateway's log", () => {
  it.scopedLive("an answer, whole and streamed", () =>
    Effect.gen(function* () {
      const { gateway, lineOf } = yield* setup()
      yield* chat(gateway, {}, { ...bearer(virtualKey), "x-request-id": "whole" })
      const whole = yield* lineOf("whole")
      assert.include(whole, {
        level: "info",
        event: "request",
        caller: "team",
        operation: "chat",
        stream: false,
        model: "smart",
        group: "smart",
        deployment: "east",
        attempts: 1,
        outcome: "success",
        status: 200
      })
      assert.isAbove(Number(whole["output_tokens"]), 0)
      assert.isAbove(Number(whole["cost_usd"]), 0)
      assert.isAtLeast(Number(whole["latency_ms"]), Number(whole["overhead_ms"]))
      assert.notProperty(whole, "ttft_ms")
      yield* chat(gateway, { stream: true }, { "x-request-id": "stream" })
      const stream = yield* lineOf("stream")
      assert.include(stream, { caller: "(master)", stream: true, outcome: "success", status: 200, deployment: "east" })
      assert.isAtMost(Number(stream["ttft_ms"]), Number(stream["latency_ms"]))
      assert.isAbove(Number(stream["ttft_ms"]), 0)
      assert.isAbove(Number(stream["output_tokens"]), 0)
    })
  )

  it.scopedLive("a failure, a fallback, and a stream that breaks after its status", () =>
    Effect.gen(function* () {
      const { east, gateway, lineOf, lines, text } = yield* setup(
        { level: "debug" },
        { fallback: { chains: { general: { smart: ["spare"] } } } }
      )
      yield* east.next({ status: 503 })
      yield* chat(gateway, {}, { "x-request-id": "fallback" })
      assert.include(yield* lineOf("fallback"), {
        attempts: 2,
        fallback: "general",
        group: "spare",
        deployment: "west",
        outcome: "success"
      })
      assert.isTrue(lines().some(({ event, level }) => event === "fallback_taken" && level === "debug"))
      yield* east.next({ status: 400, error: { message: `bad: ${prompt}`, code: "odd code", type: "x" } })
      yield* chat(gateway, {}, { "x-request-id": "failed" })
      assert.include(yield* lineOf("failed"), {
        outcome: "failure",
        status: 400,
        reason: "InvalidRequest",
        upstream_status: 400
      })
      yield* east.next({ status: 503, error: { message: `overloaded by ${prompt}` } })
      yield* chat(gateway, {}, { "x-request-id": "again" })
      yield* lineOf("again")
      assert.notInclude(text(), prompt)
    })
  )

  it.scopedLive("a stream that breaks after its status went out", () =>
    Effect.gen(function* () {
      const { east, gateway, lineOf } = yield* setup()
      yield* east.next({ cutAfterChunks: 1, chunks: 4 })
      const { text } = yield* chat(gateway, { stream: true }, { "x-request-id": "broken" })
      assert.notInclude(text, "[DONE]")
      assert.include(yield* lineOf("broken"), {
        outcome: "failure",
        status: 200,
        reason: "StreamInterrupted",
        deployment: "east"
      })
    })
  )

  it.scopedLive("requests that are turned away: no key, a wrong one, too large, no JSON, a forbidden model", () =>
    Effect.gen(function* () {
      const { gateway, lineOf, text } = yield* setup()
      const say = (id: string, body: unknown, headers: Record<string, string> = {}) =>
        post(gateway, "/v1/chat/completions", body, { "x-request-id": id, ...headers })
      yield* say("nobody", {}, { authorization: "" })
      yield* say("wrong", {}, bearer("sk-a-wrong-key-that-was-guessed"))
      yield* say("large", { model: "smart", messages: [{ role: "user", content: prompt.repeat(1000) }] })
      yield* say("text", `{ ${prompt}`)
      yield* say("forbidden", { model: "spare", messages }, bearer(virtualKey))
      const refused = { outcome: "refused", operation: "chat", level: "info" }
      assert.include(yield* lineOf("nobody"), { ...refused, status: 401, code: "invalid_api_key" })
      assert.include(yield* lineOf("wrong"), { ...refused, status: 401, code: "invalid_api_key" })
      assert.include(yield* lineOf("large"), { ...refused, status: 413, code: "request_too_large" })
      assert.include(yield* lineOf("text"), { ...refused, status: 400, caller: "(master)" })
      assert.include(yield* lineOf("forbidden"), { ...refused, status: 403, caller: "team", model: "spare" })
      assert.notInclude(text(), "guessed")
      assert.notInclude(text(), prompt)
    })
  )

  it.scopedLive("requests beyond what the gateway takes are refused", () =>
    Effect.gen(function* () {
      const { east, gateway, lineOf } = yield* setup(
        {},
        {
          server: { port: 0, drainTimeout: "1 second", maxConcurrent: 1 }
        }
      )
      yield* east.behave({ latencyMs: 60_000 })
      const controller = new AbortController()
      const first = fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { ...bearer(masterKey), "x-request-id": "left", "content-type": "application/json" },
        body: JSON.stringify({ model: "smart", messages }),
        signal: controller.signal
      }).catch(() => undefined)
      yield* eventually(
        () => "the first is under way",
        () => east.inFlight() === 1
      )
      yield* chat(gateway, {}, { "x-request-id": "shed" })
      assert.include(yield* lineOf("shed"), { outcome: "refused", status: 503, code: "overloaded" })
      controller.abort()
      yield* Effect.promise(() => first)
      const left = yield* lineOf("left")
      assert.include(left, { outcome: "abandoned", status: 499, deployment: "east", attempts: 1, model: "smart" })
      assert.notProperty(left, "overhead_ms")
    })
  )

  it.scopedLive("a client that leaves in mid-stream: its status, its first content, and what it used up", () =>
    Effect.gen(function* () {
      const { east, gateway, lineOf } = yield* setup()
      yield* east.next({ chunks: 3, stallAfterChunks: 2 })
      const controller = new AbortController()
      yield* Effect.promise(async () => {
        const { body } = await fetch(`${gateway.url}/v1/chat/completions`, {
          method: "POST",
          headers: { ...bearer(masterKey), "x-request-id": "left", "content-type": "application/json" },
          body: JSON.stringify({ model: "smart", messages, stream: true }),
          signal: controller.signal
        })
        await body?.getReader().read()
        controller.abort()
      })
      const left = yield* lineOf("left")
      assert.include(left, { outcome: "abandoned", status: 200, deployment: "east" })
      assert.isAbove(Number(left["ttft_ms"]), 0)
      assert.isAbove(Number(left["input_tokens"]), 0)
    })
  )

  it.scopedLive(
    "what is turned away before it is routed: a line, and a count by its code, whatever endpoint it asked for",
    () =>
      Effect.gen(function* () {
        const { gateway, lineOf } = yield* setup({}, { metrics: { prefix: "strays", labels: { region: "eu" } } })
        const stray = (method: string, path: string, key = masterKey) =>
          Effect.promise(async () => {
            const answer = await fetch(gateway.url + path, {
              method,
              headers: { ...bearer(key), "x-request-id": method + path }
            })
            await answer.text()
            return answer.status
          })
        const cases = [
          ["POST", "/v1/assistants?key=secret", 404, "unknown_url", "/v1/assistants"],
          ["PUT", "/v1/chat/completions/", 405, "method_not_allowed", "/v1/chat/completions"],
          ["GET", "/v1/models", 401, "invalid_api_key", "/v1/models", "wrong"],
          ["GET", "/admin/config", 403, "master_key_required", "/admin/config", virtualKey]
        ] as const
        for (const [method, path, status, code, logged, key] of cases) {
          assert.strictEqual(yield* stray(method, path, key), status)
          const fields = { level: "info", event: "turned_away", method, path: logged, status, code }
          assert.include(yield* lineOf(method + path), fields)
        }
        yield* post(gateway, "/v1/chat/completions", "{no json")
        const metrics = yield* Effect.promise(async () => (await fetch(`${gateway.url}/metrics`)).text())
        for (const code of [...cases.map(([, , , known]) => known), "invalid_json"]) {
          assert.include(metrics, `strays_refusals_total{code="${code}",region="eu"} 1\n`)
        }
      })
  )

  it.scopedLive("breakers and reloads; what a reload says of the log goes for it from then on", () =>
    Effect.gen(function* () {
      const { config, east, gateway, lineOf, lines } = yield* setup()
      yield* east.next({ status: 401 })
      yield* chat(gateway, {}, { "x-request-id": "tripped" })
      assert.include(yield* lineOf("tripped"), { outcome: "failure", status: 502, reason: "Authentication" })
      assert.include(
        lines().find(({ event }) => event === "cooldown_opened"),
        { level: "warn", deployment: "east" }
      )
      yield* Effect.orDie(gateway.reload({ config: { ...config, log: { level: "warn" } } }))
      yield* gateway.refuse(["x.yaml:1:1 error no"])
      yield* chat(gateway, {}, { "x-request-id": "quiet" })
      yield* eventually(
        () => "the refusal is told",
        () => lines().some(({ event }) => event === "config_refused")
      )
      assert.deepStrictEqual(
        lines().flatMap(({ event, id }) => (event === "request" ? [id] : [])),
        ["tripped"]
      )
    })
  )

  it.scopedLive(
    "no secret of the configuration and no prompt appears, whatever goes wrong, at its most talkative",
    () =>
      Effect.gen(function* () {
        const { config, east, gateway, lines, lineOf, text } = yield* setup({ level: "debug", messages: true })
        const quoting = `${upstreamKey} ${virtualKey} ${masterKey} ${headerSecret} sk-somebody-elses-key-0001 Bearer abcdefgh12345`
        for (const status of [400, 401, 403, 404, 429, 500, 503]) {
          yield* east.next({ status, error: { message: quoting } })
          yield* chat(gateway, {}, { "x-request-id": `status-${status}` })
        }
        yield* chat(gateway, { model: virtualKey }, { "x-request-id": masterKey })
        yield* chat(
          gateway,
          { model: upstreamKey, user: prompt },
          { "x-request-id": virtualKey, ...bearer(virtualKey) }
        )
        yield* gateway.refuse([`line 3: ${quoting}`])
        yield* Effect.ignore(gateway.reload({ config: { ...config, masterKey: undefined, keys: [] } }))
        yield* chat(gateway, { messages: [{ role: "user", content: prompt }] }, { "x-request-id": "last" })
        yield* lineOf("last")
        assert.isAbove(lines().length, 10)
        for (const secret of [upstreamKey, virtualKey, masterKey, headerSecret, "somebody", "abcdefgh12345", prompt]) {
          assert.notInclude(text(), secret)
        }
        assert.include(text(), "<secret>")
      })
  )

  it.scopedLive("without a log nothing is written, and nothing is made", () =>
    Effect.gen(function* () {
      const { gateway, text } = yield* setup({ format: "off" })
      yield* chat(gateway)
      assert.strictEqual(text(), "")
    })
  )
})
