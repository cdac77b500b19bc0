import { describe, expect, it } from "vitest"
import { Line, Place } from "../../src/upstream/line.js"

class Guest extends Place {
  constructor(readonly name: string) {
    super()
  }
}

const names = (line: Line<Guest>): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let guest = line.first; guest !== undefined; guest = line.first) {
    found.push(guest.name)
    line.leave(guest)
  }
  return found
}

const lineOf = (...names: ReadonlyArray<string>) => {
  const guests = names.map((name) => new Guest(name))
  const line = new Line<Guest>()
  for (const guest of guests) line.join(guest)
  return { line, guests }
}

describe("a line", () => {
  it("serves those who came first, whoever has left it", () => {
    for (const [left, stay] of [
      ["a", "bcd"],
      ["d", "abc"],
      ["bc", "ad"],
      ["abcd", ""]
    ] as const) {
      const { guests, line } = lineOf("a", "b", "c", "d")
      for (const guest of guests) if (left.includes(guest.name)) line.leave(guest)
      expect(line.size).toBe(stay.length)
      expect(names(line).join("")).toBe(stay)
    }
  })

  it("lets one leave twice, come again, and keeps nobody who has left alive", () => {
    const { guests, line } = lineOf("a", "b", "c")
    const [, b] = guests as [Guest, Guest, Guest]
    line.leave(b)
    line.leave(b)
    expect([line.size, b.before, b.after]).toEqual([2, undefined, undefined])
    line.join(b)
    expect(names(line)).toEqual(["a", "c", "b"])
  })
})
