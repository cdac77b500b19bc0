import * as Wildcard from "@switchyard/core/Wildcard"
import { Dice } from "@switchyard/testing/Dice"
import { describe, expect, it } from "vitest"

/** What a pattern means, by trying everything: slow, and plain to see. */
const slowly = (pattern: string, name: string): boolean => {
  if (pattern === "") return name === ""
  if (pattern[0] !== "*") return name[0] === pattern[0] && slowly(pattern.slice(1), name.slice(1))
  for (let length = 0; length <= name.length; length++) {
    if (slowly(pattern.slice(1), name.slice(length))) return true
  }
  return false
}

const reference = (pattern: string, name: string): boolean => (pattern === "" ? name === "" : slowly(pattern, name))

describe("a name with stars", () => {
  it("fits what a search through everything finds, whatever stands between its stars (seed 7)", () => {
    const dice = new Dice(7)
    const text = (letters: string, most: number) =>
      Array.from({ length: dice.below(most + 1) }, () => letters[dice.below(letters.length)]).join("")
    let fitting = 0
    for (let i = 0; i < 20_000; i++) {
      const pattern = text("ab/*.", 7)
      const name = text("ab/.", 8)
      const found = Wildcard.fits(pattern, name)
      if (found !== reference(pattern, name)) expect({ pattern, name, found }).toEqual({ pattern, name, found: !found })
      if (!found) continue
      fitting++
      const captures = Wildcard.capture(Wildcard.make(pattern), name) ?? []
      expect(captures.length).toBe(pattern.split("*").length - 1)
      expect(Wildcard.substitute(pattern, captures)).toBe(name)
    }
    expect(fitting).toBeGreaterThan(500)
  })
  it("takes nothing for special but stars, and a star in the middle as one at an end", () => {
    for (const [pattern, name, captures] of [
      ["a/*/b", "a/x/y/b", ["x/y"]],
      ["*", "", [""]],
      ["*/gpt-4.1", "azure/gpt-4.1", ["azure"]],
      ["*/gpt-4.1", "azure/gpt-4x1", undefined],
      ["us.*-v1:0", "us.claude(3)-v1:0", ["claude(3)"]],
      ["a*a", "a", undefined],
      ["gpt", "gpt", []],
      ["gpt", "gpt-4", undefined]
    ] as const) {
      expect([pattern, Wildcard.capture(Wildcard.make(pattern), name)]).toEqual([pattern, captures])
    }
  })
  it("leaves stars that nothing was captured for", () => {
    expect(Wildcard.substitute("a/*/*", ["x"])).toBe("a/x/*")
    expect(Wildcard.substitute("a/*", [])).toBe("a/*")
  })
})
