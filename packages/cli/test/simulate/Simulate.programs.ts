/**
 * `switchyard simulate` as a process: tables, pages, logs, mistakes, and Ctrl-C.
 */
import { readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import type { Result } from "@switchyard/simulator/Result"
import { Effect, Schedule } from "effect"
import { file, run, start } from "../support/process.js"

const scenario = (requests: number) => `
name: <small>
requests: ${requests}
router:
  deployments:
    - { id: a, group: m, model: x }
    - { id: b, group: m, model: x }
upstreams:
  "*": { firstToken: 300, tokensPerSecond: 100 }
workload:
  - { model: m, rate: 20, outputTokens: 50 }
`

const config = `
deployments:
  - { id: eu, group: smart, model: gpt-4o, apiKey: sk-test-secret-1234 }
  - { id: us, group: smart, model: gpt-4o, apiKey: sk-test-secret-1234 }
strategy: latency-based
`

/** What a gateway logs of requests of which those on eu take 200 ms to begin, and those on us 2,000. */
const log = Array.from({ length: 120 }, (_, i) => {
  const first = i % 2 === 0 ? 200 : 2000
  return JSON.stringify({
    time: new Date(Date.UTC(2026, 10, 24, 10, 0, i) + first + 1000).toISOString(),
    level: "info",
    event: "request",
    stream: true,
    model: "smart",
    deployment: i % 2 === 0 ? "eu" : "us",
    attempts: 1,
    outcome: "success",
    status: 200,
    latency_ms: first + 1000,
    ttft_ms: first,
    input_tokens: 100,
    output_tokens: 50
  })
}).join("\n")

describe("switchyard simulate", () => {
  it.scopedLive("compares what is named in a table, and writes charts as one page", () =>
    Effect.gen(function* () {
      const path = yield* file("scenario.yaml", scenario(300))
      const page = `${path}.html`
      const { code, stderr, stdout } = yield* run(["simulate", path, "--compare", "round-robin,oracle", "--html", page])
      assert.deepStrictEqual([code, stderr], [0, `Charts are in ${page}\n`])
      assert.match(stdout, /^<small>\n\nvariant .*good\/s.*p99.*429s.*attempts.*USD.*detected.*recovered\n/)
      assert.match(stdout, /\nround-robin +300 .* 0\.00 % +800 ms +800 ms/)
      assert.match(stdout, /\nround-robin +a +50\.0 % +150/)
      const html = yield* Effect.promise(() => readFile(page, "utf8"))
      assert.include(html, "<h1>&#60;small&#62;</h1>")
      assert.notInclude(html, "<small>")
      assert.notMatch(html, /(src|href)=|<script/)
    })
  )

  it.scopedLive(
    "says what a past time would have been under a gateway's file, by what its log tells of the deployments",
    () =>
      Effect.gen(function* () {
        const path = yield* file("config.yaml", config)
        const lines = yield* file("tuesday.jsonl", log)
        const asked = ["simulate", "--replay", lines, "--config", path, "--json", "--compare", "as it is,round-robin"]
        const [first, second] = yield* Effect.all([run(asked), run(asked)], { concurrency: 2 })
        assert.deepStrictEqual([first.code, first.stderr], [0, ""])
        assert.strictEqual(first.stdout, second.stdout)
        assert.notInclude(first.stdout, "sk-test")
        const [own, other] = JSON.parse(first.stdout) as ReadonlyArray<Result>
        assert.deepStrictEqual([own?.completed, own?.lasted], [120, 119_000])
        const of = (result: Result | undefined): number => result?.firstToken.mean ?? Number.NaN
        assert.isBelow(of(own), 600)
        assert.approximately(of(other), 1100, 150)
      })
  )

  it.scopedLive("says of which deployments a log tells too little", () =>
    Effect.gen(function* () {
      const path = yield* file("config.yaml", `${config}\n`.replace("id: us", "id: asia"))
      const lines = yield* file("tuesday.jsonl", log)
      const { code, stderr } = yield* run(["simulate", "--replay", lines, "--config", path])
      assert.strictEqual(code, 0)
      assert.match(stderr, /^Not measured, but answering as upstreams do by default: asia \(of each, /)
    })
  )

  it.scopedLive("replays a public trace that names no model, where a file has one model group alone", () =>
    Effect.gen(function* () {
      const path = yield* file("config.yaml", config)
      const trace = yield* file(
        "azure.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
      )
      const { code, stderr, stdout } = yield* run(["simulate", "--replay", trace, "--config", path])
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, /\nas it is +2 /)
    })
  )

  it.live("says all that is wrong at once, and what may be simulated", () =>
    Effect.gen(function* () {
      const none = yield* run(["simulate"])
      assert.strictEqual(none.code, 1)
      assert.match(none.stderr, /^switchyard: simulate: which scenario\? A file, or one of steady, one-slow, /)
      const wrong = yield* run(["simulate", "steady", "--compare", "peak-ewmaa,oracl", "--seed", "7"])
      assert.strictEqual(wrong.code, 1)
      assert.strictEqual(
        wrong.stderr,
        'switchyard: simulate: steady cannot be used\ncompare: expected a variant that is known: peak-ewma?, found "peak-ewmaa"\ncompare: expected a variant that is known: oracle?, found "oracl"\n'
      )
      const seed = yield* run(["simulate", "steady", "--seed", "x"])
      assert.strictEqual(seed.stderr, 'switchyard: simulate: --seed: expected a whole number, found "x"\n')
      const missing = yield* run(["simulate", "nowhere.yaml"])
      assert.strictEqual(missing.stderr, "switchyard: simulate: the scenario nowhere.yaml: no such file\n")
      const misspelt = yield* run(["simulate", "one-slo"])
      assert.strictEqual(
        misspelt.stderr,
        "switchyard: simulate: the scenario one-slo: no such file; did you mean one-slow?\n"
      )
    })
  )

  it.scopedLive("prints what was simulated so far when it is told to stop", () =>
    Effect.gen(function* () {
      const path = yield* file("long.yaml", scenario(100_000_000))
      const { child, finished, until } = yield* start(["simulate", path, "--compare", "oracle,peak-ewma"], {
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent("process.stderr.isTTY=true")}`
      })
      yield* until(/1\/2 oracle: \d+ %, \d{4,} requests/)
      child.kill("SIGINT")
      const { code, stdout } = yield* finished
      assert.strictEqual(code, 0)
      assert.match(stdout, /Stopped before its end: these are the figures so far\./)
      assert.match(stdout, /\noracle \(so far\) +\d{3,} /)
      assert.notMatch(stdout, /peak-ewma/)
    })
  )

  // Node 24 needs no process of its own for it, and elsewhere than on Linux nobody lists the children of a process.
  const hasChild = process.platform === "linux" && Number(process.versions.node.split(".")[0]) < 24
  it.scopedLive.runIf(hasChild)("leaves no process behind when it is killed, however long the simulation", () =>
    Effect.gen(function* () {
      const { child } = yield* start(["simulate", yield* file("scenario.yaml", scenario(100_000_000))])
      const { pid = 0 } = child
      const read = (path: string) => Effect.promise(() => readFile(path, "utf8").catch(() => ""))
      const began = yield* Effect.repeat(read(`/proc/${pid}/task/${pid}/children`), {
        until: (text) => text.trim() !== "",
        schedule: Schedule.spaced("20 millis")
      }).pipe(Effect.zipRight(read(`/proc/${pid}/task/${pid}/children`)))
      const own = began.trim()
      assert.match(own, /^\d+$/)
      child.kill("SIGKILL")
      const isGone = Effect.map(read(`/proc/${own}/stat`), (text) => text === "" || / Z /.test(text))
      yield* Effect.repeat(isGone, { until: (gone) => gone, schedule: Schedule.spaced("20 millis") }).pipe(
        Effect.timeout("30 seconds"),
        Effect.onError(() => Effect.sync(() => process.kill(Number(own), "SIGKILL")))
      )
    })
  )
})
