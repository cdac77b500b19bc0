import { assert, describe, it } from "@effect/vitest"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import type { Problem } from "@switchyard/gateway/Problem"
import { Effect, Either } from "effect"
import * as Check from "../src/Check.js"
import * as Key from "../src/ledger/entry.js"
import { painter } from "../src/output.js"
import * as RouteReport from "../src/RouteReport.js"
import { firstSteps, listening } from "../src/Serve.js"
import * as StackReport from "../src/StackReport.js"

const plain = painter(false)

const problem = (severity: Problem["severity"], message: string): Problem => ({
  severity,
  message,
  path: "server.prot",
  file: "a.yaml",
  line: 3,
  column: 5
})

const config = Either.getOrThrow(
  GatewayConfig.decode({
    deployments: [
      { id: "eu", group: "smart", model: "gpt-4o", tags: ["eu"], order: 1, region: "eu", capabilities: ["tools"] },
      { id: "us", group: "smart", model: "gpt-4o-us", tags: ["us"], order: 2, capabilities: [] },
      { id: "small", group: "small", model: "gpt-4o-mini" }
    ],
    aliases: { best: "smart" },
    strategy: "round-robin",
    fallback: { chains: { general: { smart: ["small"] } } },
    healthProbes: { interval: "1 second" },
    masterKey: "sk-master-secret"
  })
)

const ask = (flags: Partial<RouteReport.Asked>) =>
  RouteReport.explain(config, { model: "smart", tag: [], region: undefined, stream: false, tools: false, ...flags })

describe("the report of a check", () => {
  it("is ok with warnings and notes, and counts them", () => {
    const read = Either.right({
      config,
      problems: [problem("warning", "not honoured"), problem("note", "as an aside")]
    })
    const report = Check.judge("a.yaml", read, false)
    assert.deepStrictEqual([report.ok, report.deployments, report.groups], [true, 3, 2])
    assert.strictEqual(
      Check.render(report, "3 deployments in 2 groups", false, plain),
      "a.yaml:3:5 warning server.prot: not honoured\n" +
        "a.yaml:3:5 note server.prot: as an aside\n" +
        "a.yaml: ok, 3 deployments in 2 groups (1 warning, 1 note)"
    )
  })
  it("is not ok with warnings when it is strict, but notes do no harm", () => {
    const noted = Either.right({ config, problems: [problem("note", "as an aside")] })
    assert.isTrue(Check.judge("a.yaml", noted, true).ok)
    const report = Check.judge("a.yaml", Either.right({ config, problems: [problem("warning", "x")] }), true)
    assert.isFalse(report.ok)
    assert.include(Check.render(report, "", true, plain), "a.yaml: not ok, 1 warning, and --strict takes no warnings")
  })
  it("is not ok where the file cannot be used", () => {
    const report = Check.judge("a.yaml", Either.left({ problems: [problem("error", "no such key")] }), false)
    assert.isFalse(report.ok)
    assert.include(Check.render(report, "", false, plain), "a.yaml: not ok, 1 error")
  })
  it("is not ok where serve would start without a part of it, and says what is left", () => {
    const spoilt = { ...problem("error", "expected a number"), path: "model_list[1].rpm", leavesOut: "model_list[1]" }
    const report = Check.judge("a.yaml", Either.right({ config, problems: [spoilt] }), false)
    assert.isFalse(report.ok)
    assert.strictEqual(
      Check.render(report, "3 deployments in 2 groups", false, plain),
      "a.yaml:3:5 error model_list[1].rpm: expected a number; this deployment is left out\n" +
        "a.yaml: not ok, 1 error; serve starts without model_list[1]: 3 deployments in 2 groups"
    )
  })
  it("colours severities only", () => {
    const report = Check.judge("a.yaml", Either.left({ problems: [problem("error", "an error of yours")] }), false)
    assert.include(
      Check.render(report, "", false, painter(true)),
      "\u001b[31merror\u001b[0m server.prot: an error of yours"
    )
  })
})

describe("the explanation of a route", () => {
  it.effect("names strategy, candidates in their tiers and fallbacks, by the alias that was asked for", () =>
    Effect.map(ask({ model: "best" }), (explanation) => {
      const text = RouteReport.render(explanation, plain)
      assert.include(text, "best → smart")
      assert.match(text, /^eu +gpt-4o +1 +candidate$/m)
      assert.match(text, /^us +gpt-4o-us +2 +candidate$/m)
      assert.match(text, /^it fails +small$/m)
    })
  )
  it.effect("says of each deployment that is out which demand it does not meet", () =>
    Effect.gen(function* () {
      const out = (text: string) =>
        text
          .split("\n")
          .filter((line) => / out /.test(line))
          .map((line) => line.replace(/ +/g, " "))
      const show = (flags: Partial<RouteReport.Asked>) =>
        Effect.map(ask(flags), (explanation) => out(RouteReport.render(explanation, plain)))
      assert.deepStrictEqual(yield* show({ tag: ["eu"] }), ["us gpt-4o-us 2 out tags do not match"])
      assert.deepStrictEqual(yield* show({ region: "eu" }), ["us gpt-4o-us 2 out not in the region"])
      assert.deepStrictEqual(yield* show({ tools: true }), ["us gpt-4o-us 2 out lacks a capability"])
      assert.deepStrictEqual(yield* show({}), [])
    })
  )
  it.effect("of an unknown model names those that were probably meant", () =>
    Effect.map(ask({ model: "smrat" }), (explanation) => {
      assert.isUndefined(explanation.group)
      assert.match(RouteReport.unknown(explanation, ["smart", "small"]), /"smrat".*; did you mean smart\?$/)
      assert.match(RouteReport.unknown(explanation, ["claude"]), /; there is claude$/)
    })
  )
})

describe("a new key", () => {
  it.effect("is let in by the entry that is printed with it, and only it", () =>
    Effect.gen(function* () {
      const key = yield* Key.makeKey
      const text = Key.render('team "a"', key)
      const hash = /hash: "(.+)"/.exec(text)?.[1] ?? ""
      const name = JSON.parse(/name: (.+)/.exec(text)?.[1] ?? "")
      const { keys } = Either.getOrThrow(
        GatewayConfig.decode({ deployments: [{ id: "a", group: "g", model: "m" }], keys: [{ name, hash }] })
      )
      const KeyRing = yield* Effect.promise(() => import("@switchyard/gateway/KeyRing"))
      const ring = KeyRing.make({ keys, masterKey: undefined })
      assert.strictEqual(ring.identify(key)?.name, 'team "a"')
      assert.isUndefined(ring.identify(yield* Key.makeKey))
      assert.strictEqual(text.split(key).length, 2)
    })
  )
})

describe("the line of a server that listens", () => {
  it("says whether keys are needed", () => {
    const url = "http://127.0.0.1:4000"
    assert.strictEqual(
      listening({ url, isOpen: true }, "3 deployments in 2 groups"),
      "switchyard listens on http://127.0.0.1:4000 (3 deployments in 2 groups; open: loopback only, no key configured)"
    )
    assert.include(
      listening({ url, isOpen: false }, "1 deployment in 1 group"),
      "(1 deployment in 1 group; keys required)"
    )
    assert.include(firstSteps(url), `curl -N ${url}/v1/chat/completions`)
  })
})

describe("the report of a stack", () => {
  it.effect("draws the concerns from the outermost down, with what is off, and says whose each state is", () =>
    Effect.gen(function* () {
      const view = yield* StackReport.look(config)
      const lines = StackReport.render(view, config, plain).split("\n")
      const row = (name: string) => lines.findIndex((line) => new RegExp(`(^| )${name} `).test(line))
      assert.isBelow(row("retry"), row("hedge"))
      assert.isBelow(row("balancer"), row("cooldown"))
      assert.match(lines[row("cooldown")] ?? "", /cooldown +on +The circuit breaker of each deployment/)
      assert.match(lines[row("cache")] ?? "", /cache +off/)
      assert.match(lines[row("healthProbes")] ?? "", /^beside +healthProbes +on/)
      assert.match(lines[row("prices")] ?? "", /prices +tower +prices +.*cost/)
      assert.deepStrictEqual(
        view.concerns.filter(({ tier }) => tier === "turn").map(({ name }) => name),
        ["balancer"]
      )
    })
  )
})
