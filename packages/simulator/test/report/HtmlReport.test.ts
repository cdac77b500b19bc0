import * as HtmlReport from "@switchyard/simulator/HtmlReport"
import * as Scenario from "@switchyard/simulator/Scenario"
import * as Scenarios from "@switchyard/simulator/Scenarios"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { simulate } from "../support/simulate.js"

describe("HtmlReport", () => {
  it("is one page that escapes every name, and draws incidents", async () => {
    const name = `"><script>alert('x')</script>`
    const results = await simulate({
      requests: 200,
      router: { deployments: [{ id: name, group: "m", model: "x" }] },
      incidents: [{ deployments: [name], from: 2000, lasts: 2000, down: 500 }],
      variants: { [name]: { router: {} } }
    })
    const page = HtmlReport.render({ name, about: name }, results)
    expect(page).not.toContain("<script")
    expect(page).toContain("&#60;script&#62;")
    expect(page.match(/class="shade"/g)?.length).toBe(5)
    expect(page).not.toMatch(/NaN|undefined|Infinity/)
  })
})

describe("Scenarios", () => {
  it.each(Scenarios.names)("%s can be run", (name) => {
    const made = Either.flatMap(Scenarios.get(name), (model) => Scenario.make(model))
    expect(Either.isLeft(made) ? made.left.message : "").toBe("")
  })
})
