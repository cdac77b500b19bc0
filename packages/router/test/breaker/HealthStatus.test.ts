import { assert, describe, it } from "@effect/vitest"
import * as HealthStatus from "@switchyard/router/HealthStatus"

const statuses = HealthStatus.HealthStatus.literals
const events: ReadonlyArray<HealthStatus.HealthEvent> = [
  "Succeeded",
  "Failed",
  "Tripped",
  "Expired",
  "Recovered",
  "ProbeFailed",
  "ProbeRecovered"
]

describe("HealthStatus", () => {
  it("unknown, healthy and degraded deployments may be selected, unhealthy and cooling ones may not", () => {
    assert.deepStrictEqual(statuses.filter(HealthStatus.isSelectable), ["Unknown", "Healthy", "Degraded"])
  })
  it("has the numbers that gauges show", () => {
    assert.deepStrictEqual(
      statuses.map((status) => HealthStatus.codes[status]),
      [0, 1, 2, 3, 4]
    )
  })
  it("no result of a call makes an unhealthy or cooling deployment selectable", () => {
    for (const status of ["Unhealthy", "Cooldown"] as const) {
      for (const event of ["Succeeded", "Failed", "Tripped", "Recovered", "ProbeFailed"] as const) {
        assert.isFalse(HealthStatus.isSelectable(HealthStatus.after(status, event)), `${status} ${event}`)
      }
    }
  })
  it("the end of a cooldown and recovered probes lead to degraded, never straight to healthy", () => {
    assert.strictEqual(HealthStatus.after("Cooldown", "Expired"), "Degraded")
    assert.strictEqual(HealthStatus.after("Unhealthy", "ProbeRecovered"), "Degraded")
    assert.strictEqual(HealthStatus.after("Degraded", "Recovered"), "Healthy")
  })
  it("the end of a cooldown says nothing about a deployment whose probes fail", () => {
    assert.strictEqual(HealthStatus.after("Unhealthy", "Expired"), "Unhealthy")
  })
  it("one success makes an unknown deployment healthy, but not a degraded one", () => {
    assert.strictEqual(HealthStatus.after("Unknown", "Succeeded"), "Healthy")
    assert.strictEqual(HealthStatus.after("Degraded", "Succeeded"), "Degraded")
  })
  it("whatever happens, the next health is one that may follow", () => {
    for (const status of statuses) {
      for (const event of events) {
        assert.isTrue(HealthStatus.canBecome(status, HealthStatus.after(status, event)), `${status} ${event}`)
      }
    }
  })
  it("names exactly the steps that may be taken", () => {
    const steps = statuses.flatMap((from) =>
      statuses.filter((to) => from !== to && HealthStatus.canBecome(from, to)).map((to) => `${from} > ${to}`)
    )
    assert.deepStrictEqual(steps, [
      "Unknown > Healthy",
      "Unknown > Degraded",
      "Unknown > Unhealthy",
      "Unknown > Cooldown",
      "Healthy > Degraded",
      "Healthy > Unhealthy",
      "Healthy > Cooldown",
      "Degraded > Healthy",
      "Degraded > Unhealthy",
      "Degraded > Cooldown",
      "Unhealthy > Degraded",
      "Unhealthy > Cooldown",
      "Cooldown > Degraded",
      "Cooldown > Unhealthy"
    ])
  })
})
