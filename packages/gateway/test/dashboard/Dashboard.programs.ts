/**
 * The dashboard in a real browser. Where there is none the tests are skipped, and say so; with `CI=true` they fail.
 * `DASHBOARD_SCREENSHOT=FILE` keeps a picture of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as ManualClock from "@switchyard/testing/ManualClock"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Layer } from "effect"
import type { Page } from "playwright-core"
import { parts, serve, start } from "../support/controlPlaneSupport.js"
import { browserPath, doing, open, real, sees, signIn } from "./browser.js"

const master = "sk-master-0123456789"

const row = (page: Page, id: string) =>
  page.locator("#deployments tbody tr").filter({ has: page.getByText(id, { exact: true }) })

/** Run in the page: how many colours each chart has, so that an empty one is found out. */
const coloursOfCharts = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
  return new Set(new Uint32Array(data.buffer)).size
})`

const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>'"&#2/é`

const chat = LlmRequest.chat({ model: "smart", messages: [{ role: "user", content: "Hi" }] })

/** A gateway's control plane over real providers; the first one's id is hostile. */
const overProviders = Effect.gen(function* () {
  const one = yield* FakeProvider.make({ name: "one" })
  const two = yield* FakeProvider.make({ name: "two" })
  const base = yield* Effect.provide(
    DeploymentService,
    yield* Layer.build(Providers.layer.pipe(Layer.provide(UndiciTransport.layer)))
  )
  const built = yield* parts({
    settings: {
      masterKey: master,
      strategy: "ordered",
      deployments: [
        { id: hostile, group: "smart", model: "gpt", baseUrl: one.url, apiKey: "sk-secret-one", priority: 0 },
        { id: "backup", group: "smart", model: "gpt", baseUrl: two.url, apiKey: "sk-secret-two", priority: 1 }
      ]
    },
    base
  })
  const ask = Effect.gen(function* () {
    const { journal } = yield* LlmService.complete(built.tower.service, chat)
    built.eventLog.noteFailures(journal)
    return journal.report().deployment
  })
  return { ...built, ask, one, two, ...(yield* serve(built.deps)) }
})

describe.skipIf(browserPath === undefined)("the dashboard in a browser", () => {
  it.scopedLive(
    "asks for the key, shows traffic and a failing deployment live, and isolates by its button",
    () =>
      Effect.gen(function* () {
        const { ask, deps, one, port, stop, url } = yield* overProviders
        const { complaints, page } = yield* open()
        yield* doing(() => page.goto(url))
        yield* sees(page, "#sign-in h2", "Master key")
        assert.isFalse(yield* doing(() => page.locator("#sign-out").isVisible()))
        assert.isFalse(yield* doing(() => page.locator("#key-error").isVisible()))
        yield* signIn(page, "sk-wrong")
        yield* sees(page, "#key-error", "Incorrect API key")
        yield* signIn(page, master)
        yield* sees(page, "#connection", "Live")
        yield* sees(page, "#no-events", "Nothing has failed over")
        yield* sees(page, "#chart-traffic .empty", "No traffic yet")
        const first = row(page, hostile)
        assert.strictEqual(yield* doing(() => first.locator(".pill").innerText()), "No calls yet")
        assert.strictEqual(yield* doing(() => first.locator(".id").innerText()), hostile)
        yield* doing(() => page.evaluate("void (window.isSamePage = true)"))

        assert.strictEqual(yield* ask, hostile)
        yield* sees(page, "#deployments .pill[data-state=healthy]", "Healthy")
        yield* sees(page, "#tile-requests", /^[1-9]/)
        yield* doing(() => page.locator("#chart-traffic .empty").waitFor({ state: "hidden" }))

        yield* one.behave({ status: 401, error: { message: "your prompt was: Hi" } })
        assert.strictEqual(yield* ask, "backup")
        yield* sees(page, "#deployments .pill[data-state=cooldown]", "Cooling down")
        yield* sees(page, "#events .kind", "Cooldown")
        yield* sees(page, "#events .kind", "Retry")
        yield* sees(page, "#deployments .why", "Authentication 401")
        assert.match(yield* doing(() => first.locator(".until").innerText()), /\d/)

        yield* doing(() => row(page, "backup").locator("button").click())
        yield* sees(page, "#deployments .pill[data-state=isolated]", "Isolated")
        yield* sees(page, "#events .kind", "Isolated")
        assert.strictEqual((yield* Effect.either(ask))._tag, "Left")
        yield* doing(() => row(page, "backup").locator("button", { hasText: "Release" }).click())
        yield* sees(page, "#events .kind", "Released")
        assert.strictEqual(yield* ask, "backup")

        yield* doing(() => first.locator("button").click())
        yield* doing(() => first.locator("button", { hasText: "Release" }).waitFor())

        // Without a ledger the other pages say so.
        for (const name of ["keys", "spend"]) {
          yield* doing(() => page.click(`#to-${name}`))
          yield* sees(page, `#${name}-none`, "This gateway keeps no")
          assert.isFalse(yield* doing(() => page.locator(`#${name}-some`).isVisible()))
        }
        yield* doing(() => page.click("#to-now"))

        // No script of the page could give the key away, or what stands for it.
        const [cookie] = yield* doing(() => page.context().cookies())
        assert.deepInclude(cookie, { name: "switchyard_session", httpOnly: true, sameSite: "Strict", path: "/" })
        const readable = yield* doing(() =>
          page.evaluate<string>("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
        )
        assert.strictEqual(readable, "{}{}")

        assert.strictEqual(yield* doing(() => page.locator("img[src=x], #deployments script").count()), 0)
        assert.isTrue(yield* doing(() => page.evaluate<boolean>("window.isSamePage === true")))
        const html = yield* doing(() => page.content())
        for (const secret of ["sk-secret", "your prompt was"]) assert.notInclude(html, secret)

        yield* stop
        yield* sees(page, "#connection", "Connection lost")
        yield* sees(page, "#alert", "Connection lost")
        yield* serve(deps, port)
        // Sessions are kept in memory: the gateway that comes back knows none.
        yield* sees(page, "#key-error", "the session is over")
        assert.isFalse(yield* doing(() => page.locator("#alert").isVisible()))
        yield* signIn(page, master)
        yield* sees(page, "#connection", "Live")
        yield* doing(() => page.reload())
        yield* sees(page, "#connection", "Live")
        yield* doing(() => page.click("#sign-out"))
        yield* sees(page, "#sign-in h2", "Master key")
        yield* doing(() => page.reload())
        yield* sees(page, "#sign-in h2", "Master key")
        assert.deepStrictEqual(real(complaints), [])
      }),
    120_000
  )

  it.scopedLive("with no key configured the figures are there at once; a phone's width is enough", () =>
    Effect.gen(function* () {
      const { url } = yield* start({
        settings: { deployments: [{ id: "a", group: "m", model: "g", rpm: 5 }] },
        base: StubLlm.make().attempts
      })
      const { complaints, page } = yield* open({ viewport: { width: 375, height: 800 } })
      yield* doing(() => page.goto(url))
      yield* sees(page, "#connection", "Live")
      assert.isFalse(yield* doing(() => page.locator("#sign-in").isVisible()))
      const overflow = yield* doing(() =>
        page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth")
      )
      assert.strictEqual(overflow, 0)
      yield* sees(page, "#deployments button", "Isolate")
      yield* keep(page, "phone")
      assert.deepStrictEqual(real(complaints), [])
    })
  )

  it.scopedLive(
    "draws fifteen minutes of traffic, in the dark too",
    () =>
      Effect.gen(function* () {
        const time = ManualClock.make()
        const { url } = yield* fifteenMinutes(time).pipe(Effect.withClock(time.clock))
        for (const colorScheme of ["light", "dark"] as const) {
          const { complaints, page } = yield* open({ colorScheme })
          yield* doing(() => page.goto(url))
          yield* sees(page, "#connection", "Live")
          yield* sees(page, "#events .kind", "Cooldown")
          const background = yield* doing(() =>
            page.evaluate<string>("getComputedStyle(document.body).backgroundColor")
          )
          assert.strictEqual(background, colorScheme === "dark" ? "rgb(14, 17, 22)" : "rgb(245, 246, 248)")
          const painted = yield* doing(() => page.evaluate<ReadonlyArray<number>>(coloursOfCharts))
          assert.strictEqual(painted.length, 3)
          for (const colours of painted) assert.isAbove(colours, 20)
          yield* doing(() => page.hover("#chart-traffic .u-over"))
          yield* sees(page, "#chart-traffic .tip", /\d\d:\d\d:\d\d/)
          yield* doing(() => page.mouse.move(0, 0))
          yield* keep(page, colorScheme)
          assert.deepStrictEqual(real(complaints), [])
        }
      }),
    180_000
  )
})

const keep = (page: Page, name: string) => {
  const path = process.env["DASHBOARD_SCREENSHOT"]
  if (path === undefined) return Effect.void
  const file = name === "light" ? path : path.replace(/(\.png)?$/, `-${name}.png`)
  return Effect.asVoid(doing(() => page.screenshot({ path: file, fullPage: name === "phone" })))
}

const yields = Effect.yieldNow().pipe(Effect.repeatN(9))

/** Fifteen minutes of a gateway's life in a few seconds, with an outage in it; then it is served. */
const fifteenMinutes = (time: ManualClock.ManualClock) =>
  Effect.gen(function* () {
    time.advance(Date.UTC(2026, 5, 1, 9, 30))
    let outage = false
    let noise = 7
    const random = () => {
      noise = (noise * 1_103_515_245 + 12_345) % 2_147_483_648
      return noise / 2_147_483_648
    }
    const speeds: Readonly<Record<string, number>> = {
      "openai/gpt-4o": 620,
      "azure/gpt-4o@eu": 480,
      "azure/gpt-4o@us": 760,
      "groq/llama-3.3-70b": 180,
      "mistral/small": 310,
      "local/embeddings": 45
    }
    const stub = StubLlm.make(({ deployment }) => {
      const speed = speeds[deployment] ?? 500
      if (deployment === "azure/gpt-4o@us" && outage) {
        return { delay: 900, fail: { reason: "Unavailable", description: "the provider answered 503", status: 503 } }
      }
      if (random() < 0.004) {
        return { delay: 60, fail: { reason: "RateLimited", description: "too many requests", status: 429 } }
      }
      return { delay: speed * (0.6 + random() + (random() < 0.05 ? 2 : 0)) }
    })
    const deployment = (id: string, group: string, more: object = {}) => ({
      id,
      group,
      model: id.split("/")[1]?.split("@")[0] ?? id,
      provider: id.split("/")[0],
      ...more
    })
    const built = yield* parts({
      settings: {
        deployments: [
          deployment("openai/gpt-4o", "smart", { baseUrl: "https://api.openai.com/v1", rpm: 220, tpm: 400_000 }),
          deployment("azure/gpt-4o@eu", "smart", { baseUrl: "https://eu.openai.azure.com/v1", rpm: 180 }),
          deployment("azure/gpt-4o@us", "smart", { baseUrl: "https://us.openai.azure.com/v1", rpm: 180 }),
          deployment("groq/llama-3.3-70b", "fast", { baseUrl: "https://api.groq.com/openai/v1", rpm: 130 }),
          deployment("mistral/small", "fast", { baseUrl: "https://api.mistral.ai/v1" }),
          deployment("local/embeddings", "embeddings", { baseUrl: "http://10.0.0.7:8000/v1", maxParallel: 16 })
        ],
        strategy: "weighted-random",
        fallback: { chains: { general: { smart: ["fast"] } } },
        cooldown: { failures: 3, duration: "45 seconds" }
      },
      base: stub.attempts
    })
    const ask = (model: string) =>
      Effect.gen(function* () {
        const request = LlmRequest.chat({ model, messages: [{ role: "user", content: "Hi" }] })
        const done = yield* Effect.either(LlmService.complete(built.tower.service, request))
        if (done._tag === "Right") built.eventLog.noteFailures(done.right.journal)
      })
    const running: Array<Fiber.RuntimeFiber<void>> = []
    const begin = (model: string, within: number) =>
      Effect.map(Effect.fork(Effect.delay(ask(model), random() * within)), (fiber) => running.push(fiber))
    const pass = (ms: number) =>
      Effect.gen(function* () {
        for (let passed = 0; passed < ms; passed += 50) {
          time.advance(50)
          yield* yields
        }
      })
    for (let second = 0; second < 915; second += 5) {
      outage = second > 420
      const rush = 1 + 0.45 * Math.sin(second / 110)
      const arrivals = { smart: 17 * rush, fast: 10 * rush, embeddings: 8 }
      for (const [model, rate] of Object.entries(arrivals)) {
        for (let left = rate; left > 0; left--) if (random() < left) yield* begin(model, 5000)
      }
      yield* pass(5000)
    }
    for (let i = 0; i < 4; i++) yield* begin("smart", 300)
    yield* begin("fast", 300)
    yield* pass(300)
    yield* Effect.addFinalizer(() => Effect.forEach(running, Fiber.interrupt, { discard: true }))
    return yield* serve(built.deps)
  })
