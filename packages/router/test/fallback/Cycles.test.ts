import { assert, describe, it } from "@effect/vitest"
import { cases } from "@switchyard/testing/Effort"
import { FastCheck as fc } from "effect"
import { components, type Graph, shortestCycles } from "../../src/fallback/cycles.js"

const graph = (edges: Readonly<Record<string, ReadonlyArray<string>>>): Graph => new Map(Object.entries(edges))

const before = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean => {
  if (a.length !== b.length) return a.length < b.length
  const at = a.findIndex((name, index) => name !== b[index])
  return at !== -1 && (a[at] ?? "") < (b[at] ?? "")
}

/** Every simple cycle, found by trying every path, each begun at its first name. */
const allCycles = (edges: Graph): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<ReadonlyArray<string>> = []
  const extend = (path: ReadonlyArray<string>) => {
    const start = path[0] ?? ""
    for (const next of edges.get(path[path.length - 1] ?? "") ?? []) {
      if (next === start) found.push([...path, start])
      else if (next > start && !path.includes(next)) extend([...path, next])
    }
  }
  for (const start of edges.keys()) extend([start])
  return found
}

const reaches = (edges: Graph, from: string, to: string): boolean => {
  const seen = new Set<string>()
  const stack = [...(edges.get(from) ?? [])]
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node === to) return true
    if (seen.has(node)) continue
    seen.add(node)
    stack.push(...(edges.get(node) ?? []))
  }
  return false
}

/** Of the cycles of each knot (nodes that reach each other), the shortest and first. */
const oracle = (edges: Graph): ReadonlyArray<ReadonlyArray<string>> => {
  const best: Array<ReadonlyArray<string>> = []
  for (const cycle of allCycles(edges)) {
    const name = cycle[0] ?? ""
    const rival = best.findIndex((other) => {
      const first = other[0] ?? ""
      return first === name || (reaches(edges, first, name) && reaches(edges, name, first))
    })
    if (rival === -1) best.push(cycle)
    else if (before(cycle, best[rival] ?? [])) best[rival] = cycle
  }
  return best.sort((a, b) => ((a[0] ?? "") < (b[0] ?? "") ? -1 : 1))
}

const names = ["a", "b", "c", "d", "e", "f"]
const anyGraph = fc
  .array(fc.tuple(fc.constantFrom(...names), fc.array(fc.constantFrom(...names), { maxLength: 3 })), { maxLength: 6 })
  .map((entries): Graph => new Map(entries))

describe("cycles", () => {
  it("a diamond, a duplicate and a chain are no cycles", () => {
    assert.deepStrictEqual(shortestCycles(graph({ a: ["b", "c"], b: ["d"], c: ["d"] })), [])
    assert.deepStrictEqual(shortestCycles(graph({ a: ["b", "b"] })), [])
    assert.deepStrictEqual(shortestCycles(graph({ a: ["b"], b: ["c"], c: ["d"] })), [])
  })
  it("a name that leads to itself, two that lead to each other, and a longer ring are cycles", () => {
    assert.deepStrictEqual(shortestCycles(graph({ a: ["a"] })), [["a", "a"]])
    assert.deepStrictEqual(shortestCycles(graph({ b: ["a"], a: ["b"] })), [["a", "b", "a"]])
    assert.deepStrictEqual(shortestCycles(graph({ c: ["a"], a: ["b"], b: ["c"] })), [["a", "b", "c", "a"]])
  })
  it("a name that only leads to a cycle is not blamed", () => {
    assert.deepStrictEqual(shortestCycles(graph({ a: ["b"], b: ["c"], c: ["b"] })), [["b", "c", "b"]])
  })
  it("one shortest cycle for each knot, ordered by name", () => {
    const knots = graph({ z: ["y"], y: ["z", "x"], x: ["z"], b: ["a"], a: ["c", "b"], c: ["a"] })
    assert.deepStrictEqual(shortestCycles(knots), [
      ["a", "b", "a"],
      ["y", "z", "y"]
    ])
  })
  it("matches a search over all cycles of random graphs", () => {
    fc.assert(
      fc.property(anyGraph, (edges) => {
        assert.deepStrictEqual(shortestCycles(edges), oracle(edges))
      }),
      { numRuns: cases(5000), seed: 20260101 }
    )
  })
  it("the order of keys and successors changes nothing", () => {
    fc.assert(
      fc.property(anyGraph, (edges) => {
        const reversed = new Map([...edges].reverse().map(([key, list]) => [key, [...list].reverse()]))
        assert.deepStrictEqual(shortestCycles(reversed), shortestCycles(edges))
      }),
      { numRuns: cases(1000), seed: 20260102 }
    )
  })
  it("components hold exactly the names that reach each other", () => {
    fc.assert(
      fc.property(anyGraph, (edges) => {
        const parts = components(edges)
        const all = parts.flat()
        assert.strictEqual(all.length, new Set(all).size)
        for (const a of all) {
          for (const b of all) {
            if (a === b) continue
            const together = parts.some((part) => part.includes(a) && part.includes(b))
            assert.strictEqual(together, reaches(edges, a, b) && reaches(edges, b, a), `${a} ${b}`)
          }
        }
      }),
      { numRuns: cases(1000), seed: 20260103 }
    )
  })
  it("a chain of 100,000 names does not overflow the stack", () => {
    const chain = new Map<string, ReadonlyArray<string>>()
    for (let i = 0; i < 100_000; i++) chain.set(`m${i}`, [`m${i + 1}`])
    assert.deepStrictEqual(shortestCycles(chain), [])
  })
})
