import type { EventEmitter } from "node:events"
import { afterEach, assert, describe } from "@effect/vitest"
import type { Redis } from "ioredis"
import RedisMock from "ioredis-mock"
import { contract } from "./contract.js"

// The emulation's TIME takes its seconds from the date, rounded, and its fraction from `hrtime`, which knows of no date: two
// answers may be a second apart in either direction. With a fraction of the same date they are right.
const { bigint } = process.hrtime
const ofDate = (): [number, number] => {
  const now = Date.now()
  return [0, (now - Math.round(now / 1000) * 1000) * 1e6]
}
process.hrtime = Object.assign(ofDate, { bigint })

/** What the test gave engines, and what they made of it: all of one emulated server hear of its changes until they are disconnected. */
const given: Array<Redis> = []
const listeners = (client: Redis): number =>
  (
    client as unknown as { readonly context: { readonly modifiedKeyEvents: EventEmitter } }
  ).context.modifiedKeyEvents.listenerCount("modified")

describe("an engine in ioredis-mock", () => {
  afterEach(() => {
    const [client] = given.splice(0)
    client?.disconnect()
    assert.strictEqual(client === undefined ? 0 : listeners(client), 0, "an engine disconnects what it has made")
  })

  contract(() => {
    const client = new RedisMock() as unknown as Redis
    given.push(client)
    return { client }
  }, 3000)
})
