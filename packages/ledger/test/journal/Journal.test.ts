import { mkdtempSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Journal, type Write } from "../../src/journal/Journal.js"
import * as Line from "../../src/journal/line.js"
import { hour, morning, record } from "../store/samples.js"

const spent = { scope: "caller", key: "alice", length: hour, cost: 5, time: morning }
const endOfTick = () => new Promise((resolve) => setImmediate(resolve))

describe("a journal", () => {
  let folder = ""
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "switchyard-journal-"))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const lines = () =>
    readdirSync(folder)
      .sort()
      .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
      .filter((line) => line !== "")
  const ids = () => lines().map((line) => Line.read(line)?.record?.id)

  it("writes all that a tick brings with one call, before the next tick", async () => {
    const writes: Array<number> = []
    const write: Write = (file, bytes, at) => {
      writes.push(bytes.length)
      return writeSync(file, bytes, at)
    }
    const journal = new Journal("j", folder, 1e9, write)
    for (let at = 0; at < 100; at++) journal.append(record({ id: `r${at}` }))
    await endOfTick()
    expect(writes).toEqual([journal.written])
    expect(ids()).toEqual(Array.from({ length: 100 }, (_, at) => `r${at}`))
    journal.close()
  })

  it("gives back what was written: quotes, line ends, emoji, nothing said, no numbers, and windows that never end", async () => {
    const journal = new Journal("j", folder, 1e9)
    const odd = record({ id: 'a"\n\u2028\\', caller: "é😀\t", tags: ["x,y", '"'], session: "\0", user: "u" })
    journal.append(odd)
    journal.append(record({ caller: undefined, team: undefined, status: undefined, firstContent: undefined }))
    journal.append(record({ cost: Number.NaN, latency: Number.POSITIVE_INFINITY, input: -1, model: "m".repeat(5_000) }))
    journal.spend({ ...spent, length: Number.POSITIVE_INFINITY })
    journal.spend(spent)
    await endOfTick()
    const read = lines().map((line) => Line.read(line))
    expect(read[0]?.record).toEqual(odd)
    expect(read[1]?.record).toEqual(
      record({ caller: undefined, team: undefined, status: undefined, firstContent: undefined })
    )
    expect(read[2]?.record).toMatchObject({ cost: 0, latency: 0, input: 0, model: "m".repeat(256) })
    expect(read[3]?.spent).toEqual({ ...spent, length: Number.POSITIVE_INFINITY })
    expect(read[4]?.spent).toEqual(spent)
    journal.close()
  })

  it("writes every number as it is: whole ones of any size, hundredths, and what has more places", async () => {
    const journal = new Journal("j", folder, 1e9)
    const numbers = [
      0,
      1,
      9,
      10,
      99,
      100,
      999_999_999,
      1e9,
      1e9 + 1,
      1_796_000_000_123,
      2 ** 31,
      Number.MAX_SAFE_INTEGER,
      2 ** 53,
      1e21,
      0.01,
      0.1,
      0.29,
      1.1,
      1_834.27,
      99_999.99,
      1e9 + 0.25,
      4_294_967_296.5,
      0.001,
      1 / 3,
      1e-7,
      5e-324
    ]
    for (const latency of numbers) journal.append(record({ latency }))
    await endOfTick()
    expect(lines().map((line) => Line.read(line)?.record?.latency)).toEqual(numbers)
    journal.close()
  })

  it("takes a tick that brings more than it has room for, with texts of the longest", async () => {
    const journal = new Journal("j", folder, 1e9)
    const longest = "\u0001".repeat(255)
    const names = Array.from({ length: 70 }, (_, at) => `${longest}${at % 10}`)
    const of = (at: number) =>
      record({
        id: longest,
        caller: `${at}é`.repeat(50),
        team: longest,
        model: `ü${at}`,
        tags: names,
        session: longest
      })
    for (let at = 0; at < 200; at++) journal.append(of(at))
    await endOfTick()
    const read = lines().map((line) => Line.read(line)?.record)
    expect(read).toEqual(Array.from({ length: 200 }, (_, at) => ({ ...of(at), tags: names.slice(0, 64) })))
    journal.close()
  })

  it("counts the newest as lost when its spool is full, and goes on when there is room again", async () => {
    const journal = new Journal("j", folder, 10_000)
    for (let at = 0; at < 100; at++) journal.append(record({ id: `r${at}` }))
    const kept = 100 - journal.lost
    expect(kept).toBeGreaterThan(20)
    expect(kept).toBeLessThan(100)
    // What windows spent is small, and still finds room.
    const { lost } = journal
    journal.spend(spent)
    expect(journal.lost).toBe(lost)
    for (let at = 0; at < 100; at++) journal.spend(spent)
    expect(journal.lost).toBeGreaterThan(lost)
    await endOfTick()
    journal.stored = journal.written
    journal.append(record({ id: "again" }))
    await endOfTick()
    expect(ids().filter((id) => id !== undefined)).toEqual([
      ...Array.from({ length: kept }, (_, at) => `r${at}`),
      "again"
    ])
    journal.close()
  })

  it("on a full disk counts what is lost, never fails, and begins a new line when there is room again", async () => {
    let left = 450
    const write: Write = (file, bytes, at) => {
      const room = Math.min(left, bytes.length - at)
      if (room === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" })
      left -= room
      return writeSync(file, bytes, at, room)
    }
    const journal = new Journal("j", folder, 1e9, write)
    for (let at = 0; at < 4; at++) journal.append(record({ id: `r${at}` }))
    await endOfTick()
    const first = ids().filter((id) => id !== undefined).length
    expect(journal.lost).toBe(4 - first)
    journal.append(record({ id: "none" }))
    await endOfTick()
    expect(journal.lost).toBe(5 - first)
    expect(journal.failure).toBe("ENOSPC")
    left = 10_000
    journal.append(record({ id: "after" }))
    await endOfTick()
    expect(ids().filter((id) => id !== undefined)).toHaveLength(first + 1)
    expect(ids().at(-1)).toBe("after")
    expect(journal.lost).toBe(5 - first)
    expect(journal.written).toBe(readFileSync(join(folder, readdirSync(folder)[0] ?? "")).length)
    journal.close()
  })

  it("goes on in another file after 8 MiB, named by where it begins", async () => {
    const journal = new Journal("j", folder, 1e9)
    const tags = ["a", "b", "c"].map((tag) => tag.repeat(200))
    for (let tick = 0; tick < 10; tick++) {
      for (let at = 0; at < 1_500; at++) journal.append(record({ id: `${tick}-${at}`, tags }))
      await endOfTick()
    }
    journal.close()
    const names = readdirSync(folder).sort()
    expect(names.length).toBeGreaterThan(1)
    const first = readFileSync(join(folder, names[0] ?? "")).length
    expect(Number(names[1]?.slice(0, 16))).toBe(first)
    expect(lines()).toHaveLength(10 * 1_500)
  })
})
