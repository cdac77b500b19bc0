import { describe, expect, it } from "vitest"
import type { Part, Turn } from "../../src/conversation/Conversation.js"
import { Account } from "../../src/conversation/Problem.js"
import { formOf, sourceOf, urlOf } from "../../src/parts/dataUrls.js"
import {
  asBudget,
  asEffort,
  budgetOf,
  effortOf,
  nearestEffort,
  reasoningLevels
} from "../../src/parts/reasoningLevels.js"
import {
  chatIds,
  mistralIds,
  responsesIds,
  splitSignature,
  toolId,
  withSignature,
  wordIds
} from "../../src/parts/toolIds.js"
import { inCallOrder } from "../../src/parts/toolTurns.js"
import { others, parsedObject } from "../../src/parts/values.js"

describe("ids of tool calls", () => {
  const rules = { wordIds, chatIds, responsesIds, mistralIds }
  const strange = [
    "",
    "a",
    "functions.get_weather:0",
    "call|fc_1",
    "ü".repeat(9),
    "x".repeat(500),
    "toolu_01A09q90qw90lq917835lq9"
  ]

  it.each(Object.entries(rules))("fit %s, whatever they were, and follow from the id alone", (_, rule) => {
    const form = new RegExp(`^[A-Za-z0-9${rule.extra.replace("-", "\\-")}]{${rule.least},${rule.most}}$`)
    const mapped = strange.map((id) => toolId(id, rule))
    for (const id of mapped) expect(id).toMatch(form)
    expect(new Set(mapped).size).toBe(strange.length)
    expect(strange.map((id) => toolId(id, rule))).toEqual(mapped)
    expect(mapped.map((id) => toolId(id, rule))).toEqual(mapped)
  })

  it("are kept where they fit", () => {
    expect(toolId("call_abc", chatIds)).toBe("call_abc")
    expect(toolId("toolu_01A09q90qw90lq917835lq9", wordIds)).toBe("toolu_01A09q90qw90lq917835lq9")
    expect(toolId("aB3dE6gH9", mistralIds)).toBe("aB3dE6gH9")
  })

  it("ten thousand of them stay apart in nine characters", () => {
    const mapped = new Set(Array.from({ length: 10_000 }, (_, at) => toolId(`call_${at}`, mistralIds)))
    expect(mapped.size).toBe(10_000)
  })

  it.each(["c2lnbmF0dXJl", "ab+/cd==", "no base64: ü_-", "", "A".repeat(4_000), "a__sig_gemini_bAAAA"])(
    "carry a signature and give it back: %s",
    (value) => {
      const signature = { dialect: "gemini", value } as const
      const carried = withSignature("call_1", signature)
      expect(carried).toMatch(/^[A-Za-z0-9_-]+$/)
      expect(splitSignature(carried)).toEqual({ id: "call_1", signature })
      const twice = withSignature(carried, { dialect: "messages", value: "eA==" })
      expect(splitSignature(twice)).toEqual({ id: carried, signature: { dialect: "messages", value: "eA==" } })
    }
  )

  it.each(["call_1", "", "__sig_", "x__sig_", "x__sig_gemini", "x__sig_nobody_bAA", "x__sig_gemini_zAA"])(
    "that carry none stay as they are: %s",
    (id) => expect(splitSignature(id)).toEqual({ id })
  )
})

describe("data URLs", () => {
  it("are bytes, other URLs are URLs", () => {
    expect(sourceOf("data:image/png;base64,AAAA")).toEqual({ kind: "bytes", mime: "image/png", data: "AAAA" })
    expect(sourceOf("DATA:image/png;BASE64,AAAA")).toEqual({ kind: "bytes", mime: "image/png", data: "AAAA" })
    expect(sourceOf("data:,hi%20you")).toEqual({ kind: "bytes", mime: "text/plain", data: "aGkgeW91" })
    expect(sourceOf("https://a.example/x.png")).toEqual({ kind: "url", url: "https://a.example/x.png" })
    for (const odd of ["data:", "data:x", "data:,%zz", ""]) expect(sourceOf(odd).kind).toBe("url")
  })

  it("are written as they were read", () => {
    for (const url of [
      "data:image/png;base64,AAAA",
      "data:text/plain;charset=utf-8;base64,AAAA",
      "https://a.example/"
    ]) {
      expect(urlOf(sourceOf(url))).toBe(url)
    }
    expect(urlOf({ kind: "id", id: "file-1" })).toBeUndefined()
    expect([formOf("image/png"), formOf("audio/x-wav; rate=1"), formOf("pdf")]).toEqual(["png", "wav", "pdf"])
  })
})

describe("reasoning levels", () => {
  it("have a budget for each word, and each budget its word", () => {
    for (const { budget, effort } of reasoningLevels) expect(effortOf(budget)).toBe(effort)
    expect(budgetOf("some")).toBeUndefined()
    expect([effortOf(-1), effortOf(5_000), effortOf(1e9)]).toEqual(["medium", "medium", "max"])
  })

  it("go to the nearest word that a dialect has, and never to none", () => {
    expect(nearestEffort("xhigh", ["low", "medium", "high"])).toBe("high")
    expect(nearestEffort("minimal", ["none", "low"])).toBe("low")
    expect(nearestEffort("none", ["none", "low"])).toBe("none")
    expect(nearestEffort("wild", ["low"])).toBeUndefined()
  })

  it("read what settings ask for", () => {
    expect([asEffort({ budget: 8_192 }), asEffort({ mode: "off" }), asEffort({ mode: "adaptive" })]).toEqual([
      "medium",
      "none",
      undefined
    ])
    expect([asBudget({ effort: "low" }), asBudget({ mode: "off", effort: "low" }), asBudget({})]).toEqual([
      2_048,
      0,
      undefined
    ])
  })
})

describe("results of tools", () => {
  const call = (id: string | undefined, name = "f"): Part => ({
    type: "toolCall",
    id,
    name,
    kind: "function",
    arguments: "{}"
  })
  const result = (id: string | undefined, text: string, name?: string): Part => ({
    type: "toolResult",
    id,
    name,
    kind: "function",
    content: [{ type: "text", text }]
  })
  const text = (words: string): Part => ({ type: "text", text: words })
  const turns = (...said: ReadonlyArray<readonly [Turn["role"], ...ReadonlyArray<Part>]>): ReadonlyArray<Turn> =>
    said.map(([role, ...parts], at) => ({ role, parts, at }))
  const pathOf = (turn: number): string => `messages[${turn}]`
  const order = (list: ReadonlyArray<Turn>) => {
    const account = new Account()
    const ordered = inCallOrder(list, account, pathOf)
    const told = ordered.map(({ parts, role }) => [
      role,
      ...parts.map((part) =>
        part.type === "text"
          ? part.text
          : part.type === "toolCall" || part.type === "toolResult"
            ? `${part.type} ${part.id}`
            : part.type
      )
    ])
    return { told, problems: account.problems.map(({ path, expected }) => `${path}: ${expected}`), ordered }
  }

  it("of a parallel turn stand in one turn, in call order, before text", () => {
    const { problems, told } = order(
      turns(
        ["user", text("go")],
        ["assistant", call("a"), call("b")],
        ["user", text("hm"), result("b", "2")],
        ["tool", result("a", "1")],
        ["user", text("on")]
      )
    )
    expect(problems).toEqual([])
    expect(told).toEqual([
      ["user", "go"],
      ["assistant", "toolCall a", "toolCall b"],
      ["tool", "toolResult a", "toolResult b"],
      ["user", "hm"],
      ["user", "on"]
    ])
  })

  it("that are missing in the middle, or belong to no call, are refused by name; the last calls may wait", () => {
    const { problems } = order(
      turns(
        ["assistant", call("a"), call("b")],
        ["tool", result("a", "1")],
        ["tool", result("z", "0")],
        ["assistant", call("c")]
      )
    )
    expect(problems).toEqual([
      "messages[0]: a tool result is missing for call b",
      "messages[2]: a tool result belongs to a call, and there is none for z"
    ])
  })

  it("meet their calls by name and order where there are no ids, and by order where ids come again", () => {
    const { ordered, problems, told } = order(
      turns(
        ["assistant", call(undefined, "f"), call(undefined, "g")],
        ["user", result(undefined, "of g", "g"), result(undefined, "of f", "f")],
        ["assistant", call("0")],
        ["tool", result("0", "first")],
        ["assistant", call("0")],
        ["tool", result("0", "second")]
      )
    )
    expect(problems).toEqual([])
    expect(told[1]).toEqual(["tool", "toolResult call_0_0", "toolResult call_0_1"])
    const words = ordered.flatMap(({ parts }) =>
      parts
        .flatMap((part) => (part.type === "toolResult" ? part.content : []))
        .map((part) => (part as { text: string }).text)
    )
    expect(words).toEqual(["of f", "of g", "first", "second"])
  })

  it("calls that stand in several turns of the assistant wait together", () => {
    const { problems, told } = order(
      turns(["assistant", call("a")], ["assistant", call("b")], ["tool", result("a", "1")], ["tool", result("b", "2")])
    )
    expect(problems).toEqual([])
    expect(told).toEqual([
      ["assistant", "toolCall a", "toolCall b"],
      ["tool", "toolResult a", "toolResult b"]
    ])
  })

  it("a conversation without tools stays the same list", () => {
    const list = turns(["user", text("a")], ["assistant", text("b")])
    expect(inCallOrder(list, new Account(), pathOf)).toBe(list)
  })
})

describe("values", () => {
  it("read broken JSON as none, and fields that are not known", () => {
    expect([parsedObject("{"), parsedObject("[]"), parsedObject('{"a":1}')]).toEqual([undefined, undefined, { a: 1 }])
    expect(others({ a: 1, b: 2 }, new Set(["a"]))).toEqual({ b: 2 })
    expect(others({ a: 1 }, new Set(["a"]))).toBeUndefined()
  })
})
