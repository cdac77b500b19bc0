/** The dashboard's page of the fleet, in a real browser over a gateway with an engine of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedStates from "@switchyard/router/SharedStates"
import { Effect } from "effect"
import { decode, masterKey } from "../support/gateways.js"
import { browserPath, doing, open, real, sees, signIn } from "./browser.js"

const hostile = `<img src=x onerror="alert(1)">'"&\u202eevil`

const other = {
  id: "other-00",
  host: hostile,
  pid: 7,
  version: "9.9.9",
  config: "ffffffffffff",
  generation: 3,
  since: Date.UTC(2026, 0, 2),
  requests: 12_000,
  errors: 60,
  inFlight: 4,
  mode: "local"
}

describe.skipIf(browserPath === undefined)("the page of the fleet in a browser", () => {
  it.scopedLive(
    "whoever signed in sees each gateway, their sum, and that their configurations differ",
    () =>
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const guard = yield* EngineGuard.make(engine, { id: "this-gateway" })
        const config = decode({
          deployments: [{ id: "a", group: "smart", model: "m", apiKey: "sk-a" }],
          masterKey,
          server: { port: 0 }
        })
        const shared = { guard, states: yield* SharedStates.make(guard) }
        const gateway = yield* Gateway.make({ config }, { shared })
        yield* engine.boards.post("gateways", "other", JSON.stringify(other), 600_000)
        const { complaints, page } = yield* open()
        yield* doing(() => page.goto(`${gateway.url}/#fleet`))
        yield* signIn(page, masterKey)
        yield* sees(page, "#fleet-mode", "Limits hold over all gateways: memory counts for them.")
        yield* sees(page, "#fleet-differs", "2 configurations are in force")
        yield* sees(page, "#fleet-replicas", "2")
        yield* sees(page, "#fleet-requests", "12.0k")
        yield* sees(page, "#fleet-errors", "0.5 %")
        const row = page.locator('#fleet tbody tr[data-id="other-00"]')
        assert.strictEqual(yield* doing(() => row.locator("td.name").innerText()), `${hostile}:7`)
        for (const text of ["9.9.9", "ffffffffffff", "2026-01-02 00:00 UTC", "by itself"]) {
          assert.include(yield* doing(() => row.innerText()), text)
        }
        yield* sees(page, "#fleet tbody td.name", "(this one)")
        assert.strictEqual(yield* doing(() => page.locator("img[src=x]").count()), 0)
        assert.deepStrictEqual(real(complaints), [])
        yield* doing(() => page.click("#sign-out"))
        yield* sees(page, "#sign-in h2", "Master key")
        assert.notInclude(yield* doing(() => page.locator("#inside").innerHTML()), "onerror")
      }),
    120_000
  )
})
