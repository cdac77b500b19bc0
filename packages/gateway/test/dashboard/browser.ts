/** A real browser for the tests of the pages. */
import { existsSync } from "node:fs"
import { Effect } from "effect"
import { type BrowserContextOptions, chromium, type Page } from "playwright-core"

export const browserPath = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome"
].find((path) => path !== undefined && existsSync(path))

if (browserPath === undefined) {
  const missing =
    "no Chromium: the dashboard is not tested; run `apt-get install chromium`, or set CHROMIUM to its path"
  if (process.env["CI"] === "true") throw new Error(missing)
  console.warn(`SKIPPED: ${missing}`)
}

/** A page, and everything that it complained about. */
export const open = (options: BrowserContextOptions = {}) =>
  Effect.gen(function* () {
    const browser = yield* Effect.acquireRelease(
      Effect.promise(() =>
        chromium.launch({ executablePath: browserPath ?? "", args: ["--no-sandbox", "--disable-gpu"] })
      ),
      (launched) => Effect.promise(() => launched.close())
    )
    const context = yield* Effect.promise(() =>
      browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    )
    const page = yield* Effect.promise(() => context.newPage())
    const complaints: Array<string> = []
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text())
    })
    page.on("pageerror", (error) => complaints.push(String(error)))
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    return { complaints, page }
  })

/** Browsers say it of every fetch that is not answered with success; it is no complaint about the page. */
export const real = (complaints: ReadonlyArray<string>) =>
  complaints.filter((text) => !/Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE/.test(text))

export const doing = <A>(run: () => Promise<A>) => Effect.promise(run)

export const sees = (page: Page, selector: string, text: string | RegExp) =>
  doing(() => page.locator(selector, { hasText: text }).first().waitFor({ state: "visible", timeout: 20_000 }))

export const signIn = (page: Page, key: string) =>
  doing(async () => {
    await page.fill("#key", key)
    await page.click("#key-form button")
  })
