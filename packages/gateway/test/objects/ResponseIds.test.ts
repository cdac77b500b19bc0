import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import { Effect, Exit, Scope } from "effect"
import OpenAI from "openai"
import { afterAll, beforeAll } from "vitest"
import { deploymentOf, masterKey, post, start } from "../support/gateways.js"
import * as FakeObjects from "./fakeObjects.js"

const secret = "the secret of all replicas"
const keys = [
  { name: "a", key: "sk-a-0123456789" },
  { name: "b", key: "sk-b-0123456789" }
]

let scope: Scope.CloseableScope
let eu: FakeObjects.FakeObjects
let us: FakeObjects.FakeObjects
let first: Gateway
let second: Gateway
let stranger: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    eu = yield* FakeObjects.make("eu")
    us = yield* FakeObjects.make("us")
    const deployments = [eu, us].map((fake) => deploymentOf(fake, { dialect: "responses" }))
    const settings = { deployments, keys, retry: { attempts: 1 }, strategy: "round-robin" }
    first = yield* start([], { ...settings, server: { idSecret: secret } })
    second = yield* start([], { ...settings, server: { idSecret: secret } })
    stranger = yield* start([], { ...settings, server: { idSecret: "the secret of somebody else" } })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const client = (gateway: Gateway, apiKey = masterKey): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 })

const ask = { model: "smart", input: "Hi" }

const failure = async (run: () => PromiseLike<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
  try {
    await run()
  } catch (error) {
    assert.instanceOf(error, OpenAI.APIError)
    return error as InstanceType<typeof OpenAI.APIError>
  }
  assert.fail("it succeeded")
}

describe("ids of responses", () => {
  it("lead to the deployment that made them, over another replica too, which has no memory of them", async () => {
    for (let turn = 0; turn < 4; turn++) {
      const made = await client(first).responses.create(ask)
      const keeper = made.output_text.includes("Hello from eu") ? eu : us
      const next = await client(second).responses.create({ ...ask, previous_response_id: made.id })
      assert.include(next.output_text, `Hello from ${keeper.name}`)
      assert.strictEqual(next.previous_response_id, made.id)
      assert.match(JSON.parse(keeper.last().text).previous_response_id, /^resp_(eu|us)\d+$/)
      const read = await client(second).responses.retrieve(made.id)
      assert.deepStrictEqual([read.id, read.output_text], [made.id, made.output_text])
      await client(second).responses.inputItems.list(made.id)
      await client(second).responses.delete(made.id)
      assert.strictEqual((await failure(() => client(first).responses.retrieve(made.id))).status, 404)
    }
  })

  it("are all that is changed of an answer, whole or streamed", async () => {
    const made = await client(first).responses.create(ask)
    const [, own = ""] = /"(resp_[a-z]+\d+)"/.exec(made.output_text) ?? []
    assert.match(made.id, /^resp_sy1_[A-Za-z0-9_-]+$/)
    assert.notStrictEqual(own, made.id, "a text that quotes the id stays as it is")
    const answer = await Effect.runPromise(post(first, "/v1/responses", { ...ask, stream: true }))
    const events = answer.text.split("\n\n").flatMap((event) => {
      const data = /^data: (.*)$/m.exec(event)?.[1]
      return data === undefined ? [] : [JSON.parse(data)]
    })
    assert.deepStrictEqual(
      events.map(({ type }) => type),
      [
        "response.created",
        "response.output_item.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_item.done",
        "response.completed"
      ]
    )
    const [begun, ended] = [events[0].response.id, events.at(-1).response.id]
    assert.strictEqual(begun, ended)
    assert.strictEqual((await client(second).responses.retrieve(begun)).id, begun)
    const raw = events.at(-1).response
    const [, quoted = ""] = /"(resp_[a-z]+\d+)"/.exec(raw.output[0].content[0].text) ?? []
    assert.notStrictEqual(quoted, begun)
  })

  it("of a key are unknown to every other one, the master's included, and to who tampers with them", async () => {
    const made = await client(first, "sk-a-0123456789").responses.create(ask)
    const before = eu.journal().length + us.journal().length
    const middle = made.id.charAt(40) === "A" ? "B" : "A"
    const tampered = made.id.slice(0, 40) + middle + made.id.slice(41)
    for (const [gateway, key, id] of [
      [first, "sk-b-0123456789", made.id],
      [first, masterKey, made.id],
      [stranger, "sk-a-0123456789", made.id],
      [first, "sk-a-0123456789", tampered]
    ] as const) {
      const read = await failure(() => client(gateway, key).responses.retrieve(id))
      assert.deepStrictEqual([read.status, read.code], [404, "response_not_found"])
      const gone = await failure(() => client(gateway, key).responses.delete(id))
      assert.strictEqual(gone.status, 404)
      const next = await failure(() => client(gateway, key).responses.create({ ...ask, previous_response_id: id }))
      assert.deepStrictEqual([next.status, next.code], [404, "previous_response_not_found"])
      assert.strictEqual(next.param, "previous_response_id")
    }
    assert.strictEqual(eu.journal().length + us.journal().length, before, "no provider heard of it")
  })

  it("of a provider itself, which somebody learnt, are not another's to go on from", async () => {
    const made = await client(first, "sk-a-0123456789").responses.create(ask)
    const [, own = ""] = /"(resp_[a-z]+\d+)"/.exec(made.output_text) ?? []
    const stolen = await failure(() =>
      client(first, "sk-b-0123456789").responses.create({ ...ask, previous_response_id: own })
    )
    assert.strictEqual(stolen.status, 404)
    assert.strictEqual((await failure(() => client(first, "sk-b-0123456789").responses.retrieve(own))).status, 404)
    const mine = await client(first, "sk-a-0123456789").responses.create({ ...ask, previous_response_id: own })
    assert.strictEqual(mine.status, "completed")
  })

  it("of two deployments in one request are refused, since neither knows both", async () => {
    const made = new Map<string, string>()
    while (made.size < 2) {
      const response = await client(first).responses.create(ask)
      made.set(response.output_text.slice(0, 13), response.id)
    }
    const [a = "", b = ""] = [...made.values()]
    const refused = await failure(() =>
      client(first).responses.create({ model: "smart", input: "Hi", previous_response_id: a, conversation: b })
    )
    assert.deepStrictEqual([refused.status, refused.code], [400, "ids_of_several_deployments"])
  })

  it("say in the error of a provider what their caller knows them by", async () => {
    const made = await client(first).responses.create(ask)
    await client(first).responses.delete(made.id)
    const gone = await failure(() => client(second).responses.create({ ...ask, previous_response_id: made.id }))
    assert.include(gone.message, made.id)
    assert.notMatch(gone.message, /resp_(eu|us)\d/)
    const read = await failure(() => client(second).responses.retrieve(made.id))
    assert.include(read.message, made.id)
  })
})
