/**
 * Answers piece by piece, in the spellings of those who speak chat.
 */
import { assert, describe, it } from "@effect/vitest"
import type { JsonObject } from "@switchyard/core/Json"
import { ofAnswer, type Piece, PieceReader, type Step } from "@switchyard/dialects/Pieces"
import * as Turns from "@switchyard/dialects/Turns"
import { Either } from "effect"

const read = (...deltas: ReadonlyArray<JsonObject>): ReadonlyArray<Step> => {
  const reader = new PieceReader(3)
  const steps = deltas.flatMap((delta) => reader.read({ id: "a", choices: [{ index: 0, delta }] }))
  return [...steps, ...reader.read({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }), ...reader.end()]
}

const piecesOf = (steps: ReadonlyArray<Step>): ReadonlyArray<Piece> =>
  steps.flatMap((step) => (step.type === "piece" ? [step.piece] : []))

const whole = (message: JsonObject) =>
  Either.getOrThrow(ofAnswer({ choices: [{ index: 0, message, finish_reason: "stop" }] }, 3)).pieces

/** The message of an assistant's turn made of pieces: what has to come back. */
const backAs = (pieces: ReturnType<typeof piecesOf>) => {
  const { parts } = Turns.assistant(
    {
      thoughts: pieces.flatMap((piece) => (piece.type === "reasoning" ? [piece] : [])),
      content: [],
      calls: pieces.flatMap((piece) => (piece.type === "call" ? [piece] : []))
    },
    0
  )
  return parts.map(({ extra }) => extra)
}

describe("pieces of an answer", () => {
  it("thoughts that are signed in pieces come back as one block, and so they do from a whole answer", () => {
    const block = { type: "thinking", thinking: "Let me see", signature: "sig" }
    const steps = read(
      { reasoning_content: "Let me", thinking_blocks: [{ type: "thinking", thinking: "Let me", signature: null }] },
      { reasoning_content: " see", thinking_blocks: [{ type: "thinking", thinking: " see" }] },
      { thinking_blocks: [{ type: "thinking", thinking: "", signature: "sig" }] },
      { content: "Yes" }
    )
    const message = { content: "Yes", reasoning_content: "Let me see", thinking_blocks: [block] }
    for (const pieces of [piecesOf(steps), whole(message)]) {
      assert.deepStrictEqual(
        pieces.map((piece) => [piece.type, "text" in piece ? piece.text : ""]),
        [
          ["reasoning", "Let me see"],
          ["text", "Yes"]
        ]
      )
      assert.deepStrictEqual(backAs(pieces), [{ reasoning_content: "Let me see", thinking_blocks: [block] }])
    }
  })

  it("a block that is said once more where it is signed is not doubled", () => {
    const steps = read(
      { thinking_blocks: [{ type: "thinking", thinking: "Hm" }] },
      { thinking_blocks: [{ type: "thinking", thinking: "Hm", signature: "sig" }] }
    )
    assert.deepStrictEqual(backAs(piecesOf(steps)), [
      { reasoning_content: "Hm", thinking_blocks: [{ type: "thinking", thinking: "Hm", signature: "sig" }] }
    ])
  })

  it("details and the field's name come back as their provider spelt them", () => {
    const detail = (text: string, more: JsonObject = {}) => ({ type: "reasoning.text", text, index: 0, ...more })
    const steps = read(
      { reasoning: "One ", reasoning_details: [detail("One ")] },
      { reasoning: "two", reasoning_details: [detail("two", { format: "anthropic-claude-v1" })] },
      { reasoning_details: [detail("", { signature: "s" })] },
      { content: "Yes" }
    )
    assert.deepStrictEqual(backAs(piecesOf(steps)), [
      {
        reasoning: "One two",
        reasoning_details: [detail("One two", { format: "anthropic-claude-v1", signature: "s" })]
      }
    ])
  })

  it("what Google's endpoint hangs on a call comes back with it, each with its own", () => {
    const call = (index: number, name: string, signature: string) => ({
      index,
      id: `c${index}`,
      type: "function",
      function: { name, arguments: "{}" },
      extra_content: { google: { thought_signature: signature } }
    })
    const calls = [call(0, "a", "s0"), call(1, "b", "s1")]
    for (const pieces of [piecesOf(read({ tool_calls: calls })), whole({ content: null, tool_calls: calls })]) {
      assert.deepStrictEqual(
        backAs(pieces),
        calls.map(({ extra_content }) => ({ extra_content }))
      )
      // The id alone is enough where nothing else is kept.
      assert.isTrue(pieces.every((piece) => piece.type === "call" && piece.id.includes("__sig_gemini_")))
    }
  })

  it("calls that take turns are told whole at the end, and those without an id get one from their place", () => {
    const piece = (index: number, said: JsonObject) => ({ tool_calls: [{ index, function: said }] })
    const steps = read(
      piece(0, { name: "a", arguments: '{"x":' }),
      piece(1, { name: "b", arguments: "{" }),
      piece(0, { arguments: "1}" }),
      piece(1, { arguments: "}" })
    )
    assert.deepStrictEqual(
      piecesOf(steps).map((call) => call.type === "call" && [call.id, call.name, call.arguments]),
      [
        ["call_3_0", "a", '{"x":1}'],
        ["call_3_1", "b", "{}"]
      ]
    )
  })

  it("sources, pictures and refusals are pieces, too; of several answers the first is told", () => {
    const citation = { type: "url_citation", url_citation: { url: "https://a.example", title: "A" } }
    const image = { image_url: { url: "data:image/png;base64,AQID" } }
    const reader = new PieceReader(1)
    const steps = reader.read({
      choices: [
        { index: 0, delta: { content: "See", annotations: [citation], images: [image] } },
        { index: 1, delta: { content: "other" } }
      ]
    })
    const pieces = piecesOf([...steps, ...reader.end()])
    assert.deepStrictEqual(pieces, [
      { type: "source", url: "https://a.example", title: "A" },
      { type: "text", text: "See" },
      { type: "file", mime: "image/png", data: "AQID" }
    ])
    assert.deepStrictEqual(whole({ refusal: "I will not." }), [{ type: "text", text: "I will not." }])
  })

  it("an answer that is a refusal ends as one, though it says that it just stopped", () => {
    const finishOf = (steps: ReadonlyArray<Step>) =>
      steps.flatMap((step) => (step.type === "end" ? [step.ending.finish, step.ending.reason] : []))
    assert.deepStrictEqual(finishOf(read({ refusal: "I will" }, { refusal: " not." })), ["refusal", "stop"])
    assert.deepStrictEqual(finishOf(read({ content: "I will." }, { refusal: null })), ["stop", "stop"])
    for (const [message, finish] of [
      [{ content: null, refusal: "I will not." }, "refusal"],
      [{ content: "I will.", refusal: null }, "stop"]
    ] as const) {
      const answer = { choices: [{ index: 0, message, finish_reason: "stop" }] }
      assert.strictEqual(Either.getOrThrow(ofAnswer(answer, 3)).ending.finish, finish)
    }
  })
})
