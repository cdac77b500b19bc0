import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as GatewayLedger from "@switchyard/gateway/GatewayLedger"
import * as SharedState from "@switchyard/gateway/SharedState"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
import { type Answer, chat, decode, deploymentOf, masterKey } from "../support/gateways.js"
import { sharing, until } from "./support/watching.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

let runs = 0

/** What outlives gateways: where their keys in Redis begin, and a folder for what each keeps itself. */
interface Kept {
  readonly prefix?: string
  readonly data?: string
}

const key = "sk-alice-7c1d0f"

const asAlice = { authorization: `Bearer ${key}` }

describe.skipIf(missing !== undefined)("a caller of several gateways on one Redis", () => {
  let redis: RedisServer.RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis?.stop())

  /** Two gateways with connections of their own, before one upstream; `alice` is what her key may do. */
  const two = (alice: object, { prefix = `callers ${++runs}:`, data }: Kept = {}) =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const usage = { prompt_tokens: 10, completion_tokens: 1 }
      yield* upstream.behave({ usage })
      const config = decode({
        deployments: [deploymentOf(upstream, { inputPrice: 10_000, outputPrice: 0 })],
        masterKey,
        keys: [{ name: "alice", key, ...alice }],
        retry: false,
        cooldown: false,
        ledger: data === undefined ? false : {},
        redis: { url: redis.url, prefix, timeout: "10 seconds" },
        server: { port: 0, drainTimeout: "1 second" }
      })
      const one = (name: string) =>
        Effect.gen(function* () {
          const surroundings = { data: data === undefined ? undefined : join(data, name), env: {} }
          const { ledger } = yield* GatewayLedger.make(config, surroundings)
          const shared = yield* SharedState.make(config, { note: () => {} })
          return yield* Gateway.make({ config }, { shared, ledger })
        })
      const [first, second] = yield* Effect.all([one("first"), one("second")], { concurrency: "unbounded" })
      yield* sharing([first, second])
      return { upstream, first, second }
    })

  /** A call of 0.10 USD; its estimate is a bit more. */
  const ask = (gateway: Gateway.Gateway): Effect.Effect<Answer> =>
    chat(gateway, { messages: [{ role: "user", content: "How many gateways are there, and who pays?" }] }, asAlice)

  const both = (
    { first, second }: { readonly first: Gateway.Gateway; readonly second: Gateway.Gateway },
    each: number
  ): Effect.Effect<ReadonlyArray<Answer>> =>
    Effect.forEach(
      Array.from({ length: each * 2 }, (_, index) => (index % 2 === 0 ? first : second)),
      (gateway) => ask(gateway),
      { concurrency: "unbounded" }
    )

  /** One after another, by turns. */
  const byTurns = (fleet: { readonly first: Gateway.Gateway; readonly second: Gateway.Gateway }, count: number) =>
    Effect.forEach(Array.from({ length: count }), (_, index) => ask(index % 2 === 0 ? fleet.first : fleet.second))

  const counted = (answers: ReadonlyArray<Answer>, status: number) =>
    answers.filter((answer) => answer.status === status).length

  it.scopedLive(
    "requests: as many as one may ask for, to the last; a refusal says when it fits by the use of both",
    () =>
      Effect.gen(function* () {
        const fleet = yield* two({ rpm: 15 })
        const answers = yield* both(fleet, 20)
        assert.deepStrictEqual([counted(answers, 200), counted(answers, 429)], [15, 25])
        assert.strictEqual(fleet.upstream.journal().length, 15)
        const { headers, text } = yield* ask(fleet.second)
        assert.match(text, /the caller's limit of 15 requests per minute is used up/)
        // Up to a tenth is added by chance.
        const wait = Number(headers["retry-after"])
        assert.isTrue(wait >= 30 && wait <= 66, `${wait}`)
      })
  )

  it.scopedLive("calls at once: as many as one may have, and all come back", () =>
    Effect.gen(function* () {
      const fleet = yield* two({ maxParallel: 3 })
      yield* fleet.upstream.behave({ latencyMs: 30 })
      const rounds = yield* Effect.replicateEffect(both(fleet, 5), 3)
      assert.isAtMost(fleet.upstream.stats().peakInFlight, 3)
      assert.isAtLeast(counted(rounds.flat(), 200), 9)
      // Nobody waits until Redis was told.
      yield* until(
        Effect.map(both(fleet, 1), (answers) => counted(answers, 200) === 2),
        "20 seconds",
        "permits are there"
      )
    })
  )

  it.scopedLive("a budget: both spend the same one, also when they ask at once, and are told when it begins anew", () =>
    Effect.gen(function* () {
      const fleet = yield* two({ budget: { limit: 1, window: "1 hour" } })
      const answers: Array<Answer> = [...(yield* byTurns(fleet, 4)), ...(yield* both(fleet, 10))]
      const isUsedUp = ({ text }: Answer) => text.includes("the caller's budget of 1 USD is used up")
      // Calls that come at once may find what is left leased to the other gateway, which gives it back after 5 seconds.
      const turn = Effect.tap(byTurns(fleet, 2), (two) => Effect.sync(() => answers.push(...two)))
      yield* until(
        Effect.map(turn, (two) => two.every(isUsedUp)),
        "30 seconds",
        "all is spent"
      )
      // The last call of each goes on while anything is left.
      const spent = counted(answers, 200)
      assert.isTrue(spent >= 10 && spent <= 12, `${spent} calls of 0.1 USD`)
      assert.strictEqual(fleet.upstream.journal().length, spent)
      const { headers, status, text } = yield* ask(fleet.second)
      assert.strictEqual(status, 429)
      assert.match(text, /the caller's budget of 1 USD is used up/)
      const wait = Number(headers["retry-after"])
      assert.isTrue(wait > 3_500 && wait <= 3_960, `${wait}`)
    })
  )

  it.scopedLive("a budget goes on where it was after all gateways and Redis began anew, by what each has kept", () =>
    Effect.gen(function* () {
      const data = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-callers-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
      const kept = { data, prefix: "kept:" }
      const alice = { budget: { limit: 1, window: "1 hour" } }
      yield* Effect.scoped(
        Effect.flatMap(two(alice, kept), ({ first }) =>
          Effect.map(Effect.replicateEffect(ask(first), 7), (answers) => assert.strictEqual(counted(answers, 200), 7))
        )
      )
      yield* Effect.promise(() => redis.kill())
      yield* Effect.promise(() => redis.restart())
      const fleet = yield* two(alice, kept)
      // The first tells what it has kept soon after it began.
      const isTold = Effect.promise(async () => (await redis.ask("KEYS", "kept:*spend:*")) !== "")
      yield* until(isTold, "20 seconds", "Redis knows what was spent")
      const answers = yield* Effect.replicateEffect(ask(fleet.second), 6)
      assert.isTrue([3, 4].includes(counted(answers, 200)), `${counted(answers, 200)} calls more`)
    })
  )
})
