/**
 * One caller cannot hold everything while another waits: requests in progress, and connections to a provider.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Fiber } from "effect"
import { assertError, chat, deploymentOf, errorIn, eventually, masterKey, start } from "../support/gateways.js"

const keys = [
  { name: "greedy", key: "sk-greedy-00001" },
  { name: "nice", key: "sk-nice-0000001" }
]
const greedy = { authorization: "Bearer sk-greedy-00001" }
const nice = { authorization: "Bearer sk-nice-0000001" }
const master = { authorization: `Bearer ${masterKey}` }

/** An upstream that never answers the prompts of those who are to hold a place. */
const holding = FakeProvider.make({ name: "east" }).pipe(
  Effect.tap((provider) =>
    provider.when(({ body }) => (JSON.stringify(body).includes("hold on") ? { hang: true } : {}))
  )
)

const hold = { messages: [{ role: "user", content: "hold on" }] }

describe("requests in progress", () => {
  it.scopedLive("of one key leave room for the others; who is alone may have it all", () =>
    Effect.gen(function* () {
      const provider = yield* holding
      for (const [settings, most] of [
        [{ keys }, 7],
        [{}, 8]
      ] as const) {
        const gateway = yield* start([provider], { ...settings, server: { maxConcurrent: 8 } })
        const headers = most === 7 ? greedy : master
        const held = yield* Effect.forEach(Array.from({ length: most }), () =>
          Effect.fork(chat(gateway, hold, headers))
        )
        yield* eventually(
          () => "all are held",
          () => provider.inFlight() === most
        )
        const more = yield* chat(gateway, {}, headers)
        assertError(more, { status: 503, code: "overloaded", passes: true })
        assert.strictEqual(
          (errorIn(more.text).message as string).includes("keeps what is left for other keys"),
          most === 7
        )
        if (most === 7) {
          assert.strictEqual((yield* chat(gateway, {}, nice)).status, 200)
          assert.strictEqual((yield* chat(gateway, {}, master)).status, 200)
        }
        yield* Fiber.interruptAll(held)
        yield* eventually(
          () => "nothing is held",
          () => provider.inFlight() === 0
        )
      }
    })
  )
})

describe("connections to a provider", () => {
  it.scopedLive("one key's streams do not keep another key's call from its own; who waits for one is a gauge", () =>
    Effect.gen(function* () {
      const provider = yield* holding
      const gateway = yield* start([provider], {
        keys,
        transport: { connections: 4 },
        deployments: [deploymentOf(provider)]
      })
      const held = yield* Effect.forEach(Array.from({ length: 6 }), () =>
        Effect.fork(chat(gateway, { ...hold, stream: true }, greedy))
      )
      yield* eventually(
        () => "three are held",
        () => provider.inFlight() === 3
      )
      const figures = () =>
        Effect.promise(async () => {
          const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
          const admin = await (await fetch(`${gateway.url}/admin/deployments`, { headers: master })).json()
          return [
            Number(/^switchyard_connections_waiting (\d+)$/m.exec(metrics)?.[1]),
            (admin as { readonly connectionsWaiting: number }).connectionsWaiting
          ]
        })
      let seen = yield* figures()
      while (seen[0] !== 3) seen = yield* figures()
      assert.deepStrictEqual(seen, [3, 3])
      assert.strictEqual((yield* chat(gateway, {}, nice)).status, 200)
      assert.strictEqual((yield* chat(gateway, { stream: true }, master)).status, 200)
      assert.strictEqual(provider.inFlight(), 3)
      yield* Fiber.interruptAll(held)
      yield* eventually(
        () => "nobody waits",
        () => provider.inFlight() === 0
      )
      assert.deepStrictEqual(yield* figures(), [0, 0])
    })
  )

  it.scopedLive("they take turns where both wait, and a lone key has all of them", () =>
    Effect.gen(function* () {
      const provider = yield* holding
      const settings = { transport: { connections: 2 } }
      const gateway = yield* start([provider], { ...settings, keys })
      const holders = yield* Effect.forEach([1, 2], () => Effect.fork(chat(gateway, hold, greedy)))
      yield* eventually(
        () => "both are held",
        () => provider.inFlight() === 2
      )
      const waiting = yield* Effect.forEach([1, 2, 3], () => Effect.fork(chat(gateway, hold, greedy)))
      yield* Effect.promise(async () => {
        for (;;) {
          const text = await (await fetch(`${gateway.url}/metrics`)).text()
          if (text.includes("connections_waiting 3")) return
        }
      })
      const late = yield* Effect.fork(chat(gateway, {}, nice))
      yield* Effect.promise(async () => {
        for (;;) {
          const text = await (await fetch(`${gateway.url}/metrics`)).text()
          if (text.includes("connections_waiting 4")) return
        }
      })
      const [first] = holders
      if (first !== undefined) yield* Fiber.interrupt(first)
      assert.strictEqual((yield* Fiber.join(late)).status, 200)
      yield* Fiber.interruptAll([...holders, ...waiting])

      const lone = yield* start([provider], { transport: { connections: 4 } })
      const all = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(chat(lone, hold)))
      yield* eventually(
        () => "all four are held",
        () => provider.inFlight() === 4
      )
      yield* Fiber.interruptAll(all)
    })
  )
})
