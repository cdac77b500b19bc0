import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Context, Effect, Exit, Scope } from "effect"
import { chat, settingsOf } from "../keys/management/desk.js"
import { decode } from "../support/gateways.js"
import * as Ledgers from "../support/ledgers.js"

const key = { name: "poor", key: "sk-poor-0123456789", groups: ["cheap", "dear"] }

/** Answers of 100 tokens at 10,000 USD a million: 1 USD each. */
const prices = { inputPrice: 10_000, outputPrice: 10_000 }

/** One gateway after the other, on one store. */
const place = Effect.gen(function* () {
  const path = join(yield* Ledgers.folder, "ledger.db")
  const provider = yield* FakeProvider.make({ name: "up" })
  yield* provider.behave({ usage: { prompt_tokens: 50, completion_tokens: 50 } })
  const start = (more: object = {}) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { ledger, store } = yield* Scope.extend(Ledgers.open(path), scope)
      const gateway = yield* Gateway.make({ config: decode(settingsOf(provider.url, more)) }, { ledger }).pipe(
        Effect.orDie,
        Scope.extend(scope)
      )
      const { state } = gateway.generations.current().tower
      const slots = Context.get(state, DeploymentRegistry).slots()
      return {
        gateway,
        store,
        slots,
        cooldowns: Context.get(state, CooldownState),
        usage: Context.get(state, UsageWindows),
        end: Scope.close(scope, Exit.void)
      }
    })
  return { provider, start }
})

type Started = Effect.Effect.Success<ReturnType<Effect.Effect.Success<typeof place>["start"]>>

const slotOf = ({ slots }: Started, id: string) => slots.find((slot) => slot.id === id) ?? assert.fail(id)

const now = Effect.clockWith((clock) => Effect.sync(() => Number(clock.unsafeCurrentTimeNanos()) / 1e6))

describe("a gateway with a ledger that is started again", () => {
  it.scopedLive("holds keys of its file, tags and deployments to what was spent before", () =>
    Effect.gen(function* () {
      const { provider } = yield* place
      const limit = { limit: 2.5, window: "1 day" }
      const priced = (more: object) => ({
        ...more,
        deployments: ["cheap", "dear"].map((group) => ({
          id: group,
          group,
          model: "gpt-4o",
          baseUrl: provider.url,
          apiKey: "sk-up",
          tags: ["t"],
          defaults: { max_tokens: 50 },
          ...prices
        }))
      })
      for (const [bound, code] of [
        [{ keys: [{ ...key, budget: limit }] }, "insufficient_quota"],
        [{ keys: [key], spendLimits: { deployments: { cheap: limit } } }, undefined],
        [{ keys: [key], spendLimits: { tags: { t: limit } } }, undefined]
      ] as const) {
        const at = yield* place
        const settings = priced(bound)
        const first = yield* at.start(settings)
        for (let i = 0; i < 3; i++) assert.strictEqual((yield* chat(first.gateway, key.key)).status, 200)
        yield* first.end
        const second = yield* at.start(settings)
        // A store that has not answered after 100 ms, on a busy machine, is not waited for: the next request then knows.
        const refused = yield* Effect.repeat(chat(second.gateway, key.key), {
          until: ({ status }) => status !== 200,
          times: 3
        })
        assert.isAtLeast(refused.status, 429)
        if (code !== undefined) assert.strictEqual(refused.json.error.code, code)
        yield* second.end
      }
    })
  )
  it.scopedLive("knows the cooldowns, isolations and limits that it knew before, once", () =>
    Effect.gen(function* () {
      const { start } = yield* place
      const first = yield* start()
      const at = yield* now
      yield* first.cooldowns.cool(slotOf(first, "cheap"), "10 minutes", "Unavailable")
      yield* first.cooldowns.isolate("dear")
      first.usage.learn(
        slotOf(first, "dear"),
        {
          "x-ratelimit-limit-requests": "100",
          "x-ratelimit-remaining-requests": "7",
          "x-ratelimit-reset-requests": "5m"
        },
        at,
        Date.now()
      )
      yield* first.end
      const second = yield* start()
      const later = yield* now
      const seen = second.cooldowns.inspect(slotOf(second, "cheap"), later)
      assert.deepStrictEqual([seen.circuit, seen.reason, seen.isolated], ["open", "Unavailable", false])
      assert.closeTo((seen.until ?? 0) - later, 600_000, 60_000)
      assert.isTrue(second.cooldowns.isIsolated(slotOf(second, "dear")))
      assert.closeTo(second.usage.usage(slotOf(second, "dear"), later).headroom, 0.07, 1e-9)
      yield* second.cooldowns.reset(slotOf(second, "cheap"))
      yield* second.cooldowns.release("dear")
      yield* second.end
      const third = yield* start()
      const last = yield* now
      assert.strictEqual(third.cooldowns.inspect(slotOf(third, "cheap"), last).circuit, "closed")
      assert.isFalse(third.cooldowns.isIsolated(slotOf(third, "dear")))
      yield* third.end
    })
  )
  it.scopedLive("leaves out what has passed, whom it does not know, and notes that are none", () =>
    Effect.gen(function* () {
      const { start } = yield* place
      const open = (lasts: number) => ({ open: lasts, trips: 1, reason: "Unavailable" })
      const note = (at: number, more: object = {}) => ({
        version: 1,
        at,
        cooldowns: { breakers: { cheap: open(60_000), gone: open(60_000) }, isolated: ["gone"] },
        learned: { dear: { requests: { remaining: 0, lasts: 1_000 } } },
        ...more
      })
      const old = Date.now() - 3_600_000
      for (const [text, circuit] of [
        [JSON.stringify(note(Date.now())), "open"],
        [JSON.stringify(note(old)), "halfOpen"],
        [JSON.stringify(note(Date.now(), { version: 2 })), "closed"],
        [JSON.stringify(note(Date.now(), { cooldowns: { breakers: { cheap: open(-1) }, isolated: [] } })), "closed"],
        [JSON.stringify(note(Date.now(), { cooldowns: { breakers: { cheap: open(1e300) }, isolated: [] } })), "closed"],
        ["{", "closed"],
        ["null", "closed"],
        [" ".repeat(2_000_000), "closed"]
      ] as const) {
        const writer = yield* start()
        yield* writer.store.putNote("restart", text)
        const one = yield* start()
        const at = yield* now
        assert.strictEqual(one.cooldowns.inspect(slotOf(one, "cheap"), at).circuit, circuit, text.slice(0, 60))
        assert.deepStrictEqual(one.cooldowns.isolated(), [])
        if (circuit === "halfOpen") assert.strictEqual(one.usage.usage(slotOf(one, "dear"), at).headroom, 1)
        assert.strictEqual((yield* chat(one.gateway, "sk-of-the-file-0123")).status, 200)
        yield* one.end
        yield* writer.end
      }
    })
  )
})
