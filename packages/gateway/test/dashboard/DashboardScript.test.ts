import type { Entry, Latest, Sample } from "@switchyard/gateway/AdminEvents"
import type { DeploymentView } from "@switchyard/gateway/AdminViews"
import * as Dashboard from "@switchyard/gateway/Dashboard"
import { assert, describe, it } from "vitest"
import { carried, Live, rates } from "../../assets/dashboard/live.js"
import * as words from "../../assets/dashboard/words.js"

const sample = (ids: ReadonlyArray<string>, more: Partial<Sample> = {}): Sample => ({
  at: 1000,
  phase: "ready",
  generation: 1,
  total: ids.length,
  deployments: ids.map((id) => ({ id, inFlight: 0 }) as DeploymentView),
  ...more
})

const point = (at: number, requests: Readonly<Record<string, number>>): Latest => ({
  number: at,
  at,
  deployments: Object.entries(requests).map(([id, count]) => ({
    id,
    group: "m",
    requests: count,
    failures: 0,
    inFlight: 0,
    meanMs: null,
    p95Ms: 10
  }))
})

const entry = (id: number, number: number, times = 1): Entry => ({
  id,
  number,
  at: 0,
  times,
  type: "DeploymentIsolated",
  deployment: `d${id}`
})

describe("the dashboard's words", () => {
  it("say times, shares and counts in few digits", () => {
    assert.deepStrictEqual([null, undefined, 0.4, 12.6, 999, 1234, 12_345].map(words.ms), [
      "–",
      "–",
      "<1 ms",
      "13 ms",
      "999 ms",
      "1.23 s",
      "12 s"
    ])
    assert.deepStrictEqual([-5, 1, 59_001, 61_000, 7_320_000].map(words.span), [
      "0 s",
      "1 s",
      "1 min 0 s",
      "1 min 1 s",
      "2 h 2 min"
    ])
    assert.deepStrictEqual([-1, 1400, 61_000, 7_320_000].map(words.ago), ["0 s ago", "1 s ago", "1 min ago", "2 h ago"])
    assert.deepStrictEqual(
      [words.share(1, 0), words.share(0, 5), words.share(1, 5000), words.share(1, 30), words.share(1, 4)],
      ["–", "0 %", "<0.1 %", "3.3 %", "25 %"]
    )
    assert.deepStrictEqual([0, 9999, 10_000].map(words.count), ["0", "9999", "10.0k"])
  })
  it("say what an event is, also one that they don't know", () => {
    assert.deepStrictEqual(
      words.eventOf({
        ...entry(1, 1),
        type: "Retried",
        group: "m",
        deployment: "a",
        reason: "Timeout",
        delay: 5
      } as Entry),
      {
        label: "Retry",
        tone: "warn",
        text: "m tried again after Timeout of a"
      }
    )
    assert.deepStrictEqual(words.eventOf({ ...entry(1, 1), type: "Later" } as unknown as Entry), {
      label: "Later",
      tone: "idle",
      text: ""
    })
    assert.strictEqual(words.stateOf("unknown"), "No calls yet")
  })
})

describe("the dashboard's lines", () => {
  it("are rates over half a minute, and no big ones of little", () => {
    assert.deepStrictEqual(rates([1, 0, 0, 0]), [4, 4, 4, 3])
    assert.deepStrictEqual(rates([6, 6, 6, 6, 6, 6, 0, 0]).slice(-2), [60, 48])
    assert.deepStrictEqual(rates([null, 1, null]), [null, 4, null])
  })
  it("go on with the last value for half a minute", () => {
    const gap = new Array<null>(8).fill(null)
    assert.deepStrictEqual(carried([5, ...gap, 7]), [5, 5, 5, 5, 5, 5, 5, null, null, 7])
  })
})

describe("what the dashboard knows", () => {
  it("is the snapshot, then each message folded into it", () => {
    const live = new Live()
    const series = { group: "m", inFlight: [1], meanMs: [1], requests: [3], failures: [1], p95Ms: [9] }
    live.snapshot(
      {
        ...sample(["a", "b"], { at: 5000, generation: 7 }),
        events: [entry(1, 1)],
        timeline: { intervalMs: 5000, at: [4000], deployments: [{ id: "a", ...series }] }
      },
      3000,
      10
    )
    assert.deepStrictEqual([live.generation, live.clockOffset, live.receivedAt], [7, 2000, 10])
    live.series.add(point(9000, { b: 2 }))
    assert.deepStrictEqual(live.series.times, [4, 9])
    assert.deepStrictEqual(live.series.added(["a"], "requests"), [3, null])
    assert.deepStrictEqual(live.series.added(["b"], "requests"), [null, 2])
    assert.deepStrictEqual(live.series.added(["a", "b"], "p95Ms"), [9, 10])
    live.sample(sample(["b"], { total: 9, phase: "draining" }), 0, 0)
    assert.deepStrictEqual([live.total, live.phase, live.views.map(({ id }) => id)], [9, "draining", ["b"]])
    live.change({ id: "b", inFlight: 4 } as DeploymentView)
    live.change({ id: "gone" } as DeploymentView)
    assert.deepStrictEqual(
      live.views.map(({ id, inFlight }) => [id, inFlight]),
      [["b", 4]]
    )
  })
  it("is an event once, however often it is counted, and two hundred of them, newest first", () => {
    const live = new Live()
    live.note(entry(1, 1))
    live.note(entry(2, 2))
    live.note(entry(1, 3, 2))
    assert.deepStrictEqual(
      live.events().map(({ id, times }) => [id, times]),
      [
        [1, 2],
        [2, 1]
      ]
    )
    for (let number = 4; number < 300; number++) live.note(entry(number, number))
    assert.deepStrictEqual([live.events().length, live.events()[0]?.id, live.events()[199]?.id], [200, 299, 100])
  })
  it("is fifteen minutes, and a line for each of the busiest in the order of the table; the others share one", () => {
    const live = new Live()
    const ids = Array.from({ length: 10 }, (_, index) => `d${index}`)
    live.sample(sample([...ids].reverse()), 0, 0)
    for (let at = 0; at < 200; at++) {
      live.series.add(point(at * 1000, Object.fromEntries(ids.map((id, index) => [id, index]))))
    }
    assert.deepStrictEqual([live.series.times.length, live.series.times[0]], [180, 20])
    assert.strictEqual(live.series.added(["d1"], "requests").length, 180)
    assert.deepStrictEqual(live.series.lines(live.views), [
      ["d9"],
      ["d8"],
      ["d7"],
      ["d6"],
      ["d5"],
      ["d4"],
      ["d3"],
      ["d2", "d1", "d0"]
    ])
  })
})

describe("the dashboard's files", () => {
  it("hold every module that another imports, and nothing inline", () => {
    const files = Dashboard.load()
    const text = (path: string) => new TextDecoder().decode(files.get(path)?.body)
    const modules = [...files.keys()].filter((path) => path.endsWith(".js"))
    for (const path of modules) {
      for (const [, name] of text(path).matchAll(/^import .*from "\.\/([\w-]+\.js)"$/gm)) {
        assert.isTrue(files.has(`/dashboard/${name}`), `${path} imports ${name}`)
      }
    }
    assert.include(text("/dashboard/eventsource-parser.js"), "export {")
    assert.include(text("/dashboard/uplot.js"), "export {")
    const page = text("/")
    assert.deepStrictEqual(page.match(/<script\b[^>]*>/g), ['<script src="dashboard/dashboard.js" type="module">'])
    assert.notMatch(page, /<style|\son\w+=|style=/)
  })
})
