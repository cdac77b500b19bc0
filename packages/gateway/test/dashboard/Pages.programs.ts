/** The dashboard's pages of keys and of what was spent, in a real browser over a gateway with a ledger. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { ask, chat, master, start } from "../keys/management/desk.js"
import { browserPath, doing, open, real, sees, signIn } from "./browser.js"

const hostile = `<img src=x onerror="alert(1)">'"&\u202eevil`

const row = (page: Page, name: string) =>
  page.locator("#keys tbody tr").filter({ has: page.locator("td.name", { hasText: name }) })

const press = (page: Page, name: string, button: string | RegExp) =>
  doing(() => row(page, name).locator("button", { hasText: button }).click())

describe.skipIf(browserPath === undefined)("the pages of keys and spend in a browser", () => {
  it.scopedLive(
    "whoever signed in makes a key that is shown once, blocks, replaces and deletes it, and sees what it spent",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start()
        const { complaints, page } = yield* open()
        yield* doing(() => page.goto(`${gateway.url}/#keys`))
        yield* signIn(page, master)
        yield* sees(page, "#no-keys", "No keys so far")

        yield* doing(async () => {
          await page.fill("#key-name", hostile)
          await page.fill("#key-models", "cheap, dear")
          await page.fill("#key-budget", "5")
          await page.fill("#key-window", "30d")
          await page.fill("#key-rpm", "60")
          await page.click("#make-key-button")
        })
        yield* sees(page, "#made-key-text", /^sk-/)
        const key = yield* doing(() => page.locator("#made-key-text").innerText())
        yield* doing(() => page.click("#copy-key"))
        yield* sees(page, "#copy-key", /Copied|Selected/)
        const shown = row(page, hostile)
        yield* doing(() => shown.waitFor())
        assert.strictEqual(yield* doing(() => shown.locator("td.name").innerText()), hostile)
        for (const text of ["cheap, dear", "of $5.00", "60 requests / min", "never", "Open"]) {
          assert.include(yield* doing(() => shown.innerText()), text)
        }
        assert.notInclude(yield* doing(() => shown.innerHTML()), key)
        assert.strictEqual((yield* chat(gateway, key)).status, 200)

        // A name that is taken is an error in words, and no key.
        yield* doing(async () => {
          await page.click("#hide-key")
          await page.fill("#key-name", hostile)
          await page.click("#make-key-button")
        })
        yield* sees(page, "#keys-error", "There is another key of the name")
        yield* doing(() => page.reload())
        yield* doing(() => shown.waitFor())
        assert.notInclude(yield* doing(() => page.content()), key)

        yield* press(page, hostile, "Block")
        yield* doing(() => shown.locator("td", { hasText: "Blocked" }).waitFor())
        assert.strictEqual((yield* chat(gateway, key)).status, 403)
        yield* press(page, hostile, "Unblock")
        yield* doing(() => shown.locator("button", { hasText: /^Block$/ }).waitFor())
        assert.strictEqual((yield* chat(gateway, key)).status, 200)

        yield* press(page, hostile, "Regenerate")
        yield* press(page, hostile, "Regenerate: sure?")
        yield* sees(page, "#made-key-text", /^sk-/)
        const next = yield* doing(() => page.locator("#made-key-text").innerText())
        assert.notStrictEqual(next, key)
        assert.deepStrictEqual([(yield* chat(gateway, key)).status, (yield* chat(gateway, next)).status], [401, 200])

        const { json } = yield* ask(gateway, "/admin/spend")
        assert.isAbove(json.total.cost, 0)
        yield* doing(() => page.click("#to-spend"))
        yield* sees(page, "#spend-total", `$${json.total.cost.toFixed(json.total.cost >= 0.01 ? 2 : 6)}`)
        yield* sees(page, "#spend-keys tbody td.name", hostile)
        yield* sees(page, "#spend-deployments tbody td.name", "cheap")
        const colours = yield* doing(() =>
          page.evaluate<number>(`(() => {
            const canvas = document.querySelector("#chart-spend canvas")
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            return new Set(new Uint32Array(data.buffer)).size
          })()`)
        )
        assert.isAbove(colours, 5)
        const download = yield* doing(async () => {
          const [file] = await Promise.all([page.waitForEvent("download"), page.click('a[download="spend.csv"]')])
          return file.suggestedFilename()
        })
        assert.strictEqual(download, "spend.csv")
        // A key that was shown is gone with the page that showed it.
        assert.notInclude(yield* doing(() => page.content()), next)

        yield* doing(() => page.click("#to-keys"))
        yield* press(page, hostile, "Delete")
        assert.strictEqual((yield* chat(gateway, next)).status, 200)
        yield* press(page, hostile, "Delete: sure?")
        yield* sees(page, "#no-keys", "No keys so far")
        assert.strictEqual((yield* chat(gateway, next)).status, 401)

        assert.strictEqual(yield* doing(() => page.locator("img[src=x]").count()), 0)
        assert.deepStrictEqual(real(complaints), [])
        yield* doing(() => page.click("#sign-out"))
        yield* sees(page, "#sign-in h2", "Master key")
        assert.notInclude(yield* doing(() => page.locator("#inside").innerHTML()), "onerror")
      }),
    120_000
  )

  it.scopedLive(
    "a key is changed in the form that made it; a team is made, changed, shown with its keys, and deleted with them",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start()
        const { complaints, page } = yield* open()
        yield* doing(() => page.goto(`${gateway.url}/#teams`))
        yield* signIn(page, master)
        yield* sees(page, "#no-teams", "No teams so far")
        yield* doing(async () => {
          await page.fill("#team-id", hostile)
          await page.fill("#team-name", `${hostile}!`)
          await page.fill("#team-budget", "7")
          await page.fill("#team-window", "1d")
          await page.click("#make-team-button")
        })
        const team = page.locator("#teams tbody tr").filter({ has: page.locator("td.name", { hasText: hostile }) })
        yield* sees(page, "#teams tbody tr", "of $7.00")
        yield* doing(async () => {
          await team.locator("button", { hasText: "Edit" }).click()
          await page.fill("#team-budget", "9")
          await page.fill("#team-soft", "8")
          await page.click("#make-team-button")
        })
        yield* sees(page, "#teams tbody tr", "of $9.00, warns at $8.00")

        yield* doing(async () => {
          await page.click("#to-keys")
          await page.fill("#key-name", "mia")
          await page.fill("#key-team", hostile)
          await page.fill("#key-aliases", "gpt-4 = cheap")
          await page.fill("#key-tags", "web, <b>bold")
          await page.fill("#key-budget", "5")
          await page.fill("#key-soft", "4")
          await page.click("#make-key-button")
        })
        yield* sees(page, "#made-key-text", /^sk-/)
        const key = yield* doing(() => page.locator("#made-key-text").innerText())
        yield* sees(page, "#keys tbody tr", "gpt-4 means cheap")
        yield* sees(page, "#keys tbody tr", "web, <b>bold")
        yield* sees(page, "#keys tbody tr", "of $5.00, warns at $4.00")
        assert.strictEqual((yield* chat(gateway, key, "gpt-4")).status, 200)

        yield* press(page, "mia", "Edit")
        yield* sees(page, "#make-key-title", "Change key")
        assert.strictEqual(yield* doing(() => page.inputValue("#key-aliases")), "gpt-4 = cheap")
        yield* doing(async () => {
          await page.fill("#key-aliases", "nothing")
          await page.click("#make-key-button")
        })
        yield* sees(page, "#keys-error", "expected NAME = MODEL, found nothing")
        yield* doing(async () => {
          await page.fill("#key-aliases", "other = cheap")
          await page.fill("#key-soft", "")
          await page.click("#make-key-button")
        })
        yield* sees(page, "#keys tbody tr", "other means cheap")
        assert.strictEqual(yield* doing(() => page.locator("#keys", { hasText: "warns at" }).count()), 0)
        assert.deepStrictEqual(
          [(yield* chat(gateway, key, "other")).status, (yield* chat(gateway, key, "gpt-4")).status],
          [200, 404]
        )
        yield* sees(page, "#make-key-title", "New key")

        yield* doing(async () => {
          await page.click("#to-teams")
          await team.locator("button", { hasText: /^Keys$/ }).click()
        })
        yield* sees(page, "#team-keys tbody td.name", "mia")
        yield* doing(() => team.locator("button", { hasText: /^Block$/ }).click())
        yield* sees(page, "#teams tbody tr", "Blocked")
        assert.strictEqual((yield* chat(gateway, key, "other")).status, 403)
        yield* doing(async () => {
          await team.locator("button", { hasText: "Delete with its keys" }).click()
          await team.locator("button", { hasText: "sure?" }).click()
        })
        yield* sees(page, "#no-teams", "No teams so far")
        assert.strictEqual((yield* chat(gateway, key, "other")).status, 401)
        assert.strictEqual(yield* doing(() => page.locator("img[src=x], #page-keys b").count()), 0)
        assert.deepStrictEqual(real(complaints), [])
      }),
    120_000
  )
})
