import { assert, describe, it } from "@effect/vitest"
import type { FleetView, Replica } from "@switchyard/gateway/FleetViews"
import { painter } from "../../src/output.js"
import * as TopFleet from "../../src/top/TopFleet.js"

const paint = painter(false)

const replica = (own: Partial<Replica>): Replica => ({
  id: "r",
  host: "gate",
  pid: 1,
  version: "1",
  config: "c1",
  generation: 1,
  since: 0,
  requests: 0,
  errors: 0,
  inFlight: 0,
  mode: "shared",
  isThis: false,
  ageMs: 0,
  ...own
})

const fleet = (replicas: ReadonlyArray<Replica>, own: Partial<FleetView> = {}): FleetView => ({
  engine: "redis://cache:6379",
  mode: "shared",
  error: null,
  replicas,
  sum: { replicas: replicas.length, requests: 0, errors: 0, inFlight: 0 },
  configs: [{ config: "c1", replicas: replicas.map(({ id }) => id) }],
  ...own
})

const linesOf = (view: FleetView): ReadonlyArray<string> =>
  TopFleet.render(view, paint)
    .split("\n")
    .map((line) => line.replace(/ +/g, " ").trim())

describe("gateways that share their state", () => {
  it("each have a row: what they do, how long ago they said so, and whether their configuration is another", () => {
    const view = fleet([
      replica({ pid: 1, isThis: true, inFlight: 3, requests: 120, errors: 6 }),
      replica({ pid: 2, ageMs: 1800, mode: "local", config: "c2", requests: 12_345 })
    ])
    assert.deepStrictEqual(linesOf(view), [
      "2 gateways over redis://cache:6379",
      "gateway decides in flight req/min failed heard of configuration",
      "gate:1 (this one) with the others 3 120 5%",
      "gate:2 by itself 0 12.3k 0% 1.8 s ago differs"
    ])
  })
  it("a gateway that knows of no other shows nothing", () => {
    assert.strictEqual(TopFleet.render(fleet([replica({ isThis: true })], { mode: "alone", engine: null }), paint), "")
    assert.strictEqual(TopFleet.render(fleet([], { mode: "alone", engine: null }), paint), "")
  })
  it("says why others are not heard, also where none is", () => {
    const view = fleet([replica({ isThis: true, mode: "local" })], { mode: "local", error: "redis does not answer" })
    assert.strictEqual(linesOf(view)[0], "1 gateway over redis://cache:6379 redis does not answer")
  })
  it("lets no host steer the terminal", () => {
    const view = fleet([replica({ host: "a\u001b[2Jb" }), replica({})])
    assert.notInclude(TopFleet.render(view, paint), "\u001b")
  })
})
