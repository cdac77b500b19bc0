import { describe } from "@effect/vitest"
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

describe("an engine in ioredis-mock", () => {
  contract(() => ({ client: new RedisMock() as unknown as Redis }), 3000)
})
