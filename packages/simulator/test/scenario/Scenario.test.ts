import * as Scenario from "@switchyard/simulator/Scenario"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { scenarioOf } from "../support/simulate.js"

const problems = (text: string, given: Scenario.Given = {}) =>
  Either.match(
    Either.flatMap(Scenario.parse(text), (model) => Scenario.make(model, given)),
    {
      onLeft: ({ issues }) => issues.map(({ path }) => path),
      onRight: () => []
    }
  )

const deployments = [{ id: "a", group: "m", model: "x" }]

describe("Scenario", () => {
  it("tells every problem of a file's shape at once, with its path", () => {
    const text = `
name: bad
duration: -1
colour: red
upstreams: { a: { firstToken: soon, errors: { "200": 0.1 }, slots: 0 } }
incidents: [{ from: 0, down: maybe }]
workload: [{ model: m, rate: 0 }]
`
    expect(problems(text)).toEqual(
      expect.arrayContaining([
        "colour",
        "duration",
        "upstreams.a.firstToken",
        "upstreams.a.slots",
        "incidents[0].down",
        "workload[0].rate"
      ])
    )
  })

  it("tells every name that nobody knows, and what cannot be, at once", () => {
    const bad = {
      name: "bad",
      duration: 1000,
      warmUp: 2000,
      router: { deployments, retry: { attempts: 0 } },
      upstreams: { b: {} },
      incidents: [{ deployments: ["c"], from: 5000 }, { region: "moon", from: 0, lasts: 20, every: 10 }, { from: 0 }],
      workload: [{ model: "n", rate: 1, bursts: { every: 10, lasts: 10, times: 2 } }]
    }
    expect(problems(JSON.stringify(bad), { compare: ["peak-ewma", "pek-ewma"] }).sort()).toEqual([
      "compare",
      "incidents[0].deployments[0]",
      "incidents[0].from",
      "incidents[1].every",
      "incidents[1].region",
      "incidents[2]",
      "router.retry.attempts",
      "upstreams.a",
      "upstreams.b",
      "warmUp",
      "workload[0].bursts.lasts",
      "workload[0].model"
    ])
  })

  it("tells what is wrong with deployments that are none, beside all else", () => {
    const file = (list: string) =>
      `name: x\nrouter: { deployments: ${list} }\nupstreams: { "*": {} }\nworkload: [{ model: m, rate: 1 }]\n`
    for (const list of ["[~]", "[a]", "[{ id: a, group: 5, model: m }]", "[{ id: a, group: m, model: m }, 7]"]) {
      const found = problems(file(list))
      expect(found, list).toContain("duration")
      expect(
        found.filter((path) => path.startsWith("router.deployments")),
        list
      ).not.toEqual([])
    }
  })

  it("refuses aliases within their own anchors, and those that grow without an end", () => {
    const within = 'name: x\nupstreams: { "*": { firstToken: &a { mix: [{ share: 1, of: *a }] } } }\n'
    const grown = [
      "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]",
      ..."bcdef".split("").map((now, i) => {
        const before = "abcde"[i]
        return `${now}: &${now} [${Array(9).fill(`*${before}`).join(", ")}]`
      })
    ].join("\n")
    expect([problems(within), problems(grown)]).toEqual([["scenario"], ["scenario"]])
  })

  it("has something to compare", () => {
    const file = JSON.stringify({
      name: "x",
      requests: 1,
      router: { deployments },
      upstreams: { "*": {} },
      workload: [{ model: "m", rate: 1 }]
    })
    expect(problems(file, { compare: [] })).toEqual(["compare"])
  })

  it("names the line of what is no YAML", () => {
    expect(problems("name: x\nworkload: [")).toEqual([expect.stringMatching(/^scenario:\d+:\d+$/)])
  })

  it("compares what is named: variants of its own, strategies, and the rules of other routers", () => {
    const { variants } = scenarioOf(
      { variants: { patient: { router: { retry: { attempts: 5 } } }, theirs: { rule: "litellm-least-busy" } } },
      { compare: ["patient", "theirs", "least-busy", "oracle", "as it is"] }
    )
    expect(
      variants.map(({ name, options, rule }) => [
        name,
        rule,
        options.strategy,
        options.retry === false ? undefined : options.retry?.attempts
      ])
    ).toEqual([
      ["patient", undefined, undefined, 5],
      ["theirs", "litellm-least-busy", undefined, 3],
      ["least-busy", undefined, "least-busy", undefined],
      ["oracle", "oracle", undefined, undefined],
      ["as it is", undefined, undefined, undefined]
    ])
  })

  it("asks whom a trace means that names no model which is served", () => {
    const entry = { at: 0, inputTokens: 1, outputTokens: 1, stream: true, session: undefined }
    const file = JSON.stringify({ name: "x", router: { deployments }, upstreams: { "*": {} } })
    expect(problems(file, { trace: [{ ...entry, model: "other" }] })).toEqual(["traceModel"])
    expect(problems(file, { trace: [{ ...entry, model: "m" }] })).toEqual([])
  })
})
