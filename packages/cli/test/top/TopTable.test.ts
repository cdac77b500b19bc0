import { stripVTControlCharacters } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { painter } from "../../src/output.js"
import * as Top from "../../src/top/Top.js"
import * as TopTable from "../../src/top/TopTable.js"
import { view } from "../support/views.js"

const plain = painter(false)
const colours = painter(true)

describe("the table", () => {
  it("shows state, traffic, times, headroom and the newest error of each deployment", () => {
    const cooling = view({
      id: "east",
      state: "cooldown",
      cooldown: { reason: "cooldown", remainingMs: 4200, cause: "RateLimited", lastResort: false },
      stream: { meanMs: 412.4, p50Ms: 400, p95Ms: 900, samples: 8 },
      plain: { meanMs: 2345, p50Ms: 2000, p95Ms: 4000, samples: 3 },
      inFlight: 3,
      requests: 12_345,
      failures: 1234,
      lastMinute: { requests: 17, failures: 2, tokens: 340 },
      headroom: 0.254,
      lastErrors: [{ at: 0, ageMs: 61_000, reason: "RateLimited", status: 429, message: "too many" }]
    })
    const [head, row] = TopTable.render([cooling], plain).split("\n")
    assert.strictEqual(
      head?.replace(/ +/g, " "),
      "group deployment state in flight req/min requests failed first token answer headroom last error"
    )
    assert.strictEqual(
      row?.replace(/ +/g, " "),
      "smart east cooldown 4.2 s 3 17 12.3k 10% 412 ms 2.3 s 25% RateLimited, 1 min ago"
    )
  })
  it("says of one that is closed and asked all the same that it is", () => {
    const cooldown = { reason: "cooldown", remainingMs: 4200, cause: "Unavailable", lastResort: true }
    const [, row] = TopTable.render([view({ id: "lone", state: "cooldown", cooldown })], plain).split("\n")
    assert.include(row, "cooldown 4.2 s, still asked")
  })
  it("says of what nobody knows that nobody knows it, not 0", () => {
    const [, row] = TopTable.render([view({ id: "new", state: "unknown" })], plain).split("\n")
    assert.strictEqual(row?.replace(/ +/g, " "), "smart new unknown 0 – 0 – – – –")
  })
  it("shows no error that is older than ten minutes", () => {
    const old = { at: 0, ageMs: 600_001, reason: "Timeout", status: null, message: "slow" }
    assert.notInclude(TopTable.render([view({ id: "a", lastErrors: [old] })], plain), "Timeout")
  })
  it("colours states, and keeps the columns where they are", () => {
    const views = [view({ id: "a" }), view({ id: "b", state: "unhealthy" })]
    const painted = TopTable.render(views, colours)
    assert.include(painted, "\u001b[32mhealthy\u001b[0m")
    assert.include(painted, "\u001b[31munhealthy\u001b[0m")
    assert.strictEqual(stripVTControlCharacters(painted), TopTable.render(views, plain))
  })
  it("lets no name steer the terminal", () => {
    assert.notInclude(TopTable.render([view({ id: "a\u001b[2Jb" })], plain), "\u001b")
  })
})

describe("the heading", () => {
  it("counts deployments, those that take no calls, and says when there is no connection", () => {
    const views = [view({ id: "a" }), view({ id: "b", state: "isolated" })]
    assert.strictEqual(TopTable.heading("http://x", views, undefined, plain), "http://x  2 deployments, 1 out")
    assert.strictEqual(
      TopTable.heading("http://x", views.slice(0, 1), "nothing listens there", plain),
      "http://x  1 deployment  no connection: nothing listens there; trying again"
    )
  })
})

describe("times and counts", () => {
  it("take few digits", () => {
    assert.deepStrictEqual([0, 999.4, 999.6, 59_949, 60_000, null].map(TopTable.time), [
      "0 ms",
      "999 ms",
      "1.0 s",
      "59.9 s",
      "1 min",
      "–"
    ])
    assert.deepStrictEqual([9999, 10_000, 1_250_000].map(TopTable.count), ["9999", "10.0k", "1.3M"])
  })
})

describe("what top is given", () => {
  it("reads an interval with its unit, seconds without one, from 100 ms to an hour", () => {
    assert.deepStrictEqual(
      ["500ms", "2s", "1m", "0.5", "60m"].map(Top.parseInterval),
      [500, 2000, 60_000, 500, 3_600_000]
    )
    for (const wrong of ["", "2x", "-1s", "99ms", "61m", "1e3s", "s"])
      assert.isUndefined(Top.parseInterval(wrong), wrong)
  })
  it("reads an address with or without scheme, path of the API or slash", () => {
    for (const text of [
      "localhost:4000",
      "http://localhost:4000",
      "http://localhost:4000/",
      "http://localhost:4000/v1/"
    ]) {
      assert.strictEqual(Top.parseUrl(text), "http://localhost:4000")
    }
    assert.strictEqual(Top.parseUrl("https://gate.example/llm/"), "https://gate.example/llm")
    for (const wrong of ["", "ftp://x", "http://", "file:///etc/passwd"]) assert.isUndefined(Top.parseUrl(wrong), wrong)
  })
})
