/**
 * The judge of the chaos run: it has to know a lost answer when it sees one.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Ask, replyTo, vectorsFor } from "../chaos/ask.js"
import type { Observed } from "../chaos/exchange.js"
import { judge, judgeHostile } from "../chaos/verdict.js"

const ask: Ask = { id: 7, kind: "chat", words: 4, padding: 0 }
const reply = replyTo(ask)
const half = reply.slice(0, 12)

const observed = (text: string, more: Partial<Observed> = {}): Observed => ({
  status: 200,
  headers: {},
  text,
  isComplete: true,
  failure: undefined,
  isReused: false,
  left: false,
  ...more
})

const chat = (content: string, finish = "stop"): string =>
  JSON.stringify({ choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: finish }] })

const delta = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

const done = "data: [DONE]\n\n"
const cut = { isComplete: false, failure: "CLOSED" }
const typed = JSON.stringify({ error: { code: "upstream_timeout", message: "too slow" } })
const errorEvent = `data: ${typed}\n\n`

describe("the judge of the chaos run", () => {
  const stream: Ask = { ...ask, kind: "stream" }
  const embedding: Ask = { ...ask, kind: "embedding" }
  const vectors = JSON.stringify({ data: vectorsFor(embedding).map((vector) => ({ embedding: vector })) })
  const cases: ReadonlyArray<readonly [title: string, ask: Ask, seen: Observed, outcome: string]> = [
    ["a whole answer", ask, observed(chat(reply)), "whole"],
    ["another answer", ask, observed(chat(`${reply}!`)), "lost"],
    ["the right answer, cut off", ask, observed(chat(reply).slice(0, -9), cut), "lost"],
    ["an answer without an end", ask, observed(chat(reply, "length")), "lost"],
    ["a typed error", ask, observed(typed, { status: 504 }), "error"],
    ["a typed error, cut off", ask, observed(typed, { status: 504, ...cut }), "lost"],
    ["an error without a code", ask, observed("Bad Gateway", { status: 502 }), "lost"],
    ["an internal error", ask, observed(typed, { status: 500 }), "lost"],
    ["no answer", ask, observed("", { status: undefined, ...cut }), "lost"],
    ["a whole stream", stream, observed(`: ping\n\n${delta(reply)}${delta("", "stop")}${done}`), "whole"],
    ["a stream that ends without [DONE]", stream, observed(`${delta(reply)}${delta("", "stop")}`), "lost"],
    [
      "a truncated stream that ends as a success",
      stream,
      observed(`${delta(half)}${delta("", "stop")}${done}`),
      "lost"
    ],
    ["a stream with [DONE] and no finish", stream, observed(`${delta(reply)}${done}`), "lost"],
    ["a stream that is cut", stream, observed(delta(half), cut), "lost"],
    ["a stream that is cut with an error event", stream, observed(`${delta(half)}${errorEvent}`), "in-band"],
    ["a stream of other words, then an error event", stream, observed(`${delta("no")}${errorEvent}`), "lost"],
    ["right vectors", embedding, observed(vectors), "whole"],
    ["other vectors", embedding, observed(vectors.replace(/\d\d,/, "1,")), "lost"]
  ]
  it.each(cases)("%s", (_, ask, seen, outcome) => {
    assert.strictEqual(judge(ask, seen).outcome, outcome)
  })
  it("a body that nobody should serve has to be refused with a word", () => {
    assert.strictEqual(judgeHostile(observed(typed, { status: 413 })).outcome, "error")
    assert.strictEqual(judgeHostile(observed(chat("x"))).outcome, "lost")
    assert.strictEqual(judgeHostile(observed("", { status: undefined, failure: "ECONNRESET" })).outcome, "lost")
  })
})
