/**
 * The log alone: lines of made-up requests and events on the test clock, floods, slow outputs, and values that mean harm.
 */
import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Outcome from "@switchyard/core/Outcome"
import type { Ended } from "@switchyard/gateway/Completions"
import type { Log } from "@switchyard/gateway/GatewayConfig"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Effect, Random, Stream, TestClock } from "effect"
import { decode, deploymentOf, masterKey, upstreamKey } from "../support/gateways.js"

/** An output that keeps what it is given; a stuck one never says that it is done. */
const recorder = (more: Partial<Omit<RequestLog.LogOutput, "write">> = {}) => {
  const pieces: Array<string> = []
  const state = { isStuck: false, waiting: undefined as (() => void) | undefined }
  const output: RequestLog.LogOutput = {
    isTerminal: false,
    hasColours: false,
    ...more,
    write: (text, done) => {
      pieces.push(text)
      if (state.isStuck) state.waiting = done
      else done()
    }
  }
  const lines = () => pieces.join("").split("\n").slice(0, -1)
  return { output, pieces, state, lines }
}

type Line = Readonly<Record<string, unknown>>

const parse = (line: string): Line => JSON.parse(line) as Line

const config = (log: Log = {}) =>
  decode({
    deployments: [deploymentOf({ name: "east", url: "http://127.0.0.1:9/v1" })],
    masterKey,
    keys: [{ name: "team", key: "virtual-secret-77" }],
    log
  })

const setup = (log: Log = {}, more: Partial<Omit<RequestLog.LogOutput, "write">> = {}) =>
  Effect.gen(function* () {
    const recorded = recorder(more)
    const made = yield* RequestLog.make(config(log), recorded.output)
    return { ...recorded, log: made }
  })

const ended = (more: Partial<Ended> = {}): Ended => ({
  id: "3f0c5f3e-0000-4000-8000-000000000001",
  operation: "chat",
  stream: false,
  model: "smart",
  caller: { name: "team", isMaster: false, mayUse: () => true, tags: [] },
  receivedAt: 0,
  answeredAt: undefined,
  firstContentAt: undefined,
  journal: undefined,
  error: undefined,
  refusal: undefined,
  status: 200,
  isWhole: true,
  ...more
})

const failure = { error: new LlmError({ reason: "Unavailable", description: "down" }), status: 503 }

const beat = TestClock.adjust("50 millis")

const events = (log: RequestLog.RequestLog, ...published: ReadonlyArray<RouterEvent>) => {
  const { publish } = log.tap({ publish: () => {}, isActive: () => false, stream: Stream.empty })
  for (const event of published) publish(event)
}

describe("RequestLog", () => {
  it.scoped("one line tells a request: who asked, where it went, how it ended, what it took and cost", () =>
    Effect.gen(function* () {
      const { lines, log } = yield* setup()
      const request = LlmRequest.begin(LlmRequest.chat({ model: "smart", messages: [] }), 0)
      const failed = StubLlm.attempt(request, StubLlm.slot("east"))
      failed.settle(Outcome.failed(new LlmError({ reason: "Unavailable", description: "down", status: 503 })), 100)
      request.route.journal.hop({ kind: "general", from: "smart", to: "spare" })
      const answered = StubLlm.attempt(request, StubLlm.slot("west"))
      const usage = { inputTokens: 12, outputTokens: 30, cachedInputTokens: 4, reasoningTokens: 0, estimated: false }
      answered.settle({ _tag: "Completed", usage, timeToFirstToken: 10, duration: 700 }, 800)
      yield* TestClock.setTime(1_700_000_000_123)
      const now = 1_700_000_000_123
      log.ended(
        ended({
          stream: true,
          receivedAt: now - 900,
          answeredAt: now - 700,
          firstContentAt: now - 700,
          journal: request.route.journal
        })
      )
      yield* beat
      const [line = ""] = lines()
      const { deployment, overhead_ms, provider, group, ...rest } = parse(line)
      assert.deepStrictEqual(rest, {
        time: "2023-11-14T22:13:20.123Z",
        level: "info",
        event: "request",
        id: "3f0c5f3e-0000-4000-8000-000000000001",
        caller: "team",
        operation: "chat",
        stream: true,
        model: "smart",
        attempts: 2,
        fallback: "general",
        outcome: "success",
        status: 200,
        latency_ms: 900,
        ttft_ms: 200,
        input_tokens: 12,
        output_tokens: 30,
        cached_tokens: 4
      })
      assert.deepStrictEqual(
        [deployment, typeof overhead_ms, typeof provider, typeof group],
        ["west", "number", "string", "string"]
      )
    })
  )

  it.scoped("values that mean harm stay on their line, in both formats", () =>
    Effect.gen(function* () {
      const harm = 'a\nb\r\u001b[31m\u2028\u2029\u0085\u0000\u202e"\\\ud800{"level":"error"}\u200b'
      for (const format of ["json", "pretty"] as const) {
        const { lines, log, pieces } = yield* setup({ format, messages: true, level: "debug" })
        const error = new LlmError({ reason: "InvalidRequest", description: harm, code: harm, providerMessage: harm })
        log.ended(ended({ id: harm, model: harm, error, status: 400 }))
        log.note("info", "config_problem", { [harm]: harm })
        events(log, { _tag: "CooldownClosed", at: 0, deployment: harm })
        yield* beat
        assert.lengthOf(lines(), 3, format)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
        assert.notMatch(pieces.join("").replaceAll("\n", ""), /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e\u200b]/)
        if (format === "pretty") continue
        const [first] = lines().map(parse)
        assert.deepStrictEqual([first?.["id"], first?.["model"]], [harm, harm])
        assert.strictEqual(first?.["code"], "invalid_request", "a code that is no word is left out")
      }
    })
  )

  it.scoped("a defect is told at error with its stack: one line as JSON, indented for people", () =>
    Effect.gen(function* () {
      for (const format of ["json", "pretty"] as const) {
        const { lines, log } = yield* setup({ format })
        const defect = new Error(`oops\n2023-01-01 INFO forged ${upstreamKey}`)
        yield* RequestLog.withLogger(log)(
          Effect.logError("died", Cause.die(defect)).pipe(Effect.annotateLogs("id", "7"))
        )
        yield* beat
        const text = lines().join("\n")
        assert.match(text, /RequestLog\.test/)
        assert.notInclude(text, upstreamKey)
        if (format === "json") {
          const { cause: _, time: __, ...rest } = parse(lines()[0] ?? "")
          assert.deepStrictEqual(rest, { level: "error", event: "log", message: "died", id: "7" })
        } else
          assert.isTrue(
            lines()
              .slice(1)
              .every((line) => line.startsWith("    ")),
            text
          )
      }
    })
  )

  it.scoped("the message of a provider in a cause is left out unless it is asked for", () =>
    Effect.gen(function* () {
      const error = new LlmError({ reason: "Unavailable", description: "down", providerMessage: "you said: hello" })
      for (const messages of [false, true]) {
        const { lines, log } = yield* setup({ messages })
        yield* RequestLog.withLogger(log)(Effect.logError("failed", Cause.fail(error)))
        yield* beat
        assert.include(lines()[0], "down")
        assert.strictEqual(lines()[0]?.includes("you said"), messages)
      }
    })
  )

  it.scoped("its level goes for Effect's own log too, and another configuration changes it", () =>
    Effect.gen(function* () {
      const { lines, log } = yield* setup({ level: "warn" })
      const say = RequestLog.withLogger(log)(
        Effect.zipRight(Effect.logInfo("quiet", { key: upstreamKey }), Effect.logDebug("whisper"))
      )
      log.ended(ended())
      yield* say
      yield* beat
      assert.deepStrictEqual(lines(), [])
      log.configure(config({ level: "debug" }))
      log.ended(ended())
      yield* say
      yield* beat
      assert.deepStrictEqual(
        lines().map((line) => [parse(line)["level"], parse(line)["event"]]),
        [
          ["info", "request"],
          ["info", "log"],
          ["debug", "log"]
        ]
      )
      assert.notInclude(lines().join(), upstreamKey)
      log.configure(config({ format: "off" }))
      log.ended(ended(failure))
      yield* beat
      assert.deepStrictEqual([lines().length, log.isOff()], [3, true])
    })
  )

  it.scoped("changes of state are warnings, ends of trouble are not, and failovers show at debug only", () =>
    Effect.gen(function* () {
      const published: ReadonlyArray<RouterEvent> = [
        { _tag: "CooldownOpened", at: 10, deployment: "a", reason: "Timeout", until: 5010 },
        { _tag: "CooldownHalfOpen", at: 0, deployment: "a" },
        { _tag: "CooldownClosed", at: 0, deployment: "a" },
        { _tag: "DeploymentIsolated", at: 0, deployment: "a" },
        { _tag: "ProbeFailed", at: 0, deployment: "a", reason: "Timeout" },
        { _tag: "ProbeRecovered", at: 0, deployment: "a" },
        { _tag: "ConfigReloaded", at: 0, generation: 2, problems: [] },
        { _tag: "ConfigRefused", at: 0, generation: 2, problems: ["x.yaml:1:1 error no"] },
        { _tag: "FallbackTaken", at: 0, kind: "general", from: "a", to: "b", deployment: undefined, reason: "Timeout" },
        { _tag: "Retried", at: 0, group: "a", deployment: "a", reason: "Timeout", delay: 1 }
      ]
      const told = (level: "debug" | "info") =>
        Effect.gen(function* () {
          const { lines, log } = yield* setup({ level })
          events(log, ...published)
          yield* beat
          return lines().map(parse)
        })
      const atInfo = yield* told("info")
      assert.deepStrictEqual(
        atInfo.map(({ event, level }) => `${level} ${event}`),
        [
          "warn cooldown_opened",
          "warn cooldown_half_open",
          "info cooldown_closed",
          "warn deployment_isolated",
          "warn probe_failed",
          "info probe_recovered",
          "info config_reloaded",
          "error config_refused"
        ]
      )
      assert.include(atInfo[0], { deployment: "a", reason: "Timeout", lasts_ms: 5000 })
      assert.deepStrictEqual(atInfo[7]?.["problems"], ["x.yaml:1:1 error no"])
      assert.deepStrictEqual(
        (yield* told("debug")).slice(8).map(({ event, level }) => `${level} ${event}`),
        ["debug fallback_taken", "debug retried"]
      )
    })
  )

  it.scoped("a budget that turns away one request after the other is told of once a minute", () =>
    Effect.gen(function* () {
      const { lines, log } = yield* setup()
      const spent = (at: number, key = "team") => events(log, { _tag: "BudgetExhausted", at, scope: "caller", key })
      for (let at = 0; at < 59_999; at += 100) spent(at)
      spent(1, "other")
      spent(60_000)
      yield* beat
      assert.deepStrictEqual(
        lines().map((line) => parse(line)["key"]),
        ["team", "other", "team"]
      )
    })
  )

  it.scoped(
    "sampling keeps its share of the successful requests and every other one, the same ones for the same seed",
    () =>
      Effect.gen(function* () {
        const run = (seed: string) =>
          Effect.gen(function* () {
            const { lines, log } = yield* setup({ sample: 0.1, maxPerSecond: 1_000_000 })
            for (let i = 0; i < 3000; i++) {
              const kind = i % 30 === 0 ? failure : i % 30 === 1 ? { isWhole: false } : {}
              log.ended(ended({ id: `id-${i}`, ...kind }))
            }
            yield* beat
            return lines()
          }).pipe(Effect.withRandom(Random.make(seed)))
        const lines = yield* run("one")
        const parsed = lines.map(parse)
        assert.lengthOf(
          parsed.filter(({ outcome }) => outcome === "failure"),
          100
        )
        assert.lengthOf(
          parsed.filter(({ outcome }) => outcome === "abandoned"),
          100
        )
        const successes = parsed.filter(({ outcome }) => outcome === "success")
        assert.isTrue(successes.length > 220 && successes.length < 340, `${successes.length} of 2800`)
        assert.isTrue(successes.every(({ sample }) => sample === 0.1))
        const ids = (found: ReadonlyArray<string>) => found.map((line) => parse(line)["id"]).join()
        assert.isTrue(ids(yield* run("one")) === ids(lines))
        assert.isFalse(ids(yield* run("two")) === ids(lines))
      })
  )

  it.scoped(
    "a flood has a bound, errors included; what is left out is counted each second; no change of state is",
    () =>
      Effect.gen(function* () {
        const { lines, log } = yield* setup({ maxPerSecond: 10 })
        for (let i = 0; i < 500; i++) {
          log.ended(ended(failure))
          if (i % 50 === 0) events(log, { _tag: "CooldownClosed", at: 0, deployment: `d${i}` })
        }
        yield* TestClock.adjust("950 millis")
        const count = (event: string) => lines().filter((line) => parse(line)["event"] === event).length
        assert.deepStrictEqual([count("request"), count("cooldown_closed"), count("requests_left_out")], [10, 10, 0])
        yield* TestClock.adjust("100 millis")
        assert.include(parse(lines().at(-1) ?? ""), { event: "requests_left_out", level: "warn", count: 490 })
        for (let i = 0; i < 30; i++) log.ended(ended())
        yield* beat
        assert.strictEqual(count("request"), 20)
      })
  )

  it.effect("what waits, and what was left out, is written at the end", () =>
    Effect.gen(function* () {
      const { lines, output } = recorder()
      yield* Effect.scoped(
        Effect.map(RequestLog.make(config({ maxPerSecond: 1 }), output), (log) => {
          log.ended(ended())
          log.ended(ended())
        })
      )
      assert.deepStrictEqual(
        lines().map((line) => parse(line)["event"]),
        ["request", "requests_left_out"]
      )
    })
  )

  it.scoped(
    "an output that nobody takes costs the lines, which are counted and told of once one is taken; no line, no attempt",
    () =>
      Effect.gen(function* () {
        let isGone = true
        const pieces: Array<string> = []
        const log = yield* RequestLog.make(config(), {
          isTerminal: false,
          hasColours: false,
          write: (text, done) => {
            pieces.push(text)
            done(isGone ? new Error("EPIPE") : undefined)
          }
        })
        log.ended(ended())
        log.note("info", "hello", {})
        yield* TestClock.adjust("1 second")
        assert.strictEqual(log.lostLines(), 2)
        const attempts = pieces.length
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(pieces.length, attempts)
        isGone = false
        log.note("info", "hello", {})
        yield* TestClock.adjust("1 second")
        const [lost, hello] = (pieces.at(-1) ?? "").split("\n")
        assert.deepInclude(parse(lost ?? ""), { event: "lines_lost", count: 2 })
        assert.include(hello, '"event":"hello"')
        assert.strictEqual(log.lostLines(), 2)
      })
  )

  it.scoped(
    "an output that is stuck gets one piece at a time; the oldest requests are lost, and how many is told",
    () =>
      Effect.gen(function* () {
        const { lines, log, pieces, state } = yield* setup({ maxPerSecond: 1_000_000, messages: true })
        const longName = "m".repeat(200)
        const error = new LlmError({ reason: "Unavailable", description: "x".repeat(400) })
        state.isStuck = true
        log.ended(ended({ id: "first" }))
        yield* beat
        events(log, { _tag: "CooldownOpened", at: 0, deployment: "a", reason: "Timeout", until: 1 })
        for (let i = 0; i < 10_000; i++) log.ended(ended({ id: `id-${i}`, model: longName, error }))
        yield* TestClock.adjust("10 seconds")
        assert.lengthOf(pieces, 1)
        state.isStuck = false
        state.waiting?.()
        yield* beat
        assert.lengthOf(pieces, 2)
        assert.isBelow(pieces[1]?.length ?? 0, 4.1 * 1024 * 1024)
        const [, told, opened] = lines().map(parse)
        const kept = lines().length - 3
        assert.include(told, { event: "lines_lost", level: "warn", count: 10_000 - kept })
        assert.strictEqual(opened?.["event"], "cooldown_opened")
        assert.strictEqual(parse(lines().at(-1) ?? "")["id"], "id-9999")
        assert.isAbove(kept, 1000)
      })
  )

  it.scoped("pretty by default on a terminal, in colours where they are wanted", () =>
    Effect.gen(function* () {
      const plain = yield* setup({}, { isTerminal: true })
      const coloured = yield* setup({}, { isTerminal: true, hasColours: true })
      for (const { log } of [plain, coloured]) log.ended(ended())
      yield* beat
      assert.match(
        plain.lines()[0] ?? "",
        /^00:00:00\.000 INFO {2}request 200 success +0\.0 ms chat +smart +caller=team id=3f/
      )
      assert.include(coloured.lines()[0], "\u001b[32mINFO \u001b[0m")
    })
  )
})
