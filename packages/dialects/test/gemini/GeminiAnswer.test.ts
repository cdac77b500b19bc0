import type { JsonObject } from "@switchyard/core/Json"
import type { Answer, AnswerEvent } from "@switchyard/dialects/Answer"
import { gemini } from "@switchyard/dialects/Gemini"
import type { AnswerOptions } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { answerSteps } from "../../src/words/answerSteps.js"
import { answers } from "./fixtures.js"
import { folded } from "./reading.js"

const options: AnswerOptions = {
  id: "made",
  created: 1,
  conversation: { origin: "gemini", model: "g", stream: false, turns: [], tools: [], settings: {}, extra: {} }
}
const read = (body: JsonObject): Answer => Either.getOrThrow(gemini.readAnswer(body))

const written = (steps: ReadonlyArray<AnswerEvent>): ReadonlyArray<JsonObject> => {
  const events: Array<JsonObject> = []
  const writer = gemini.eventWriter(options)
  for (const step of steps) writer.write(step, ({ json }) => events.push(json))
  writer.end(({ json }) => events.push(json))
  return events
}

const stepsOf = (answer: Answer): ReadonlyArray<AnswerEvent> => {
  const steps: Array<AnswerEvent> = []
  answerSteps(answer, (step) => steps.push(step))
  return steps
}

const plain = ({ choices, usage }: Answer): unknown => ({
  usage,
  choices: choices.map(({ finish, parts }) => ({ finish, parts: parts.map(({ extra: _, ...part }) => part) }))
})

describe("an answer of Gemini's", () => {
  for (const [name, body] of Object.entries(answers)) {
    it(`is the same when it is read and written: ${name}`, () => {
      expect(gemini.writeAnswer(read(body), options)).toEqual(body)
    })

    it(`says as a stream what it says whole: ${name}`, () => {
      const { answer, ended } = folded(written(stepsOf(read(body))))
      expect(ended).toBe(true)
      expect(plain(answer)).toEqual(plain(read(body)))
    })
  }

  it("counts thoughts beside the candidates, the cache inside the prompt and what tools read beside it", () => {
    expect(read(answers.tools as JsonObject).usage).toEqual({
      uncached: 65,
      cacheRead: 40,
      cacheWrite: 0,
      text: 20,
      reasoning: 30
    })
    expect(gemini.readTokens({ promptTokenCount: 4, thoughtsTokenCount: 3, totalTokenCount: 9 })).toMatchObject({
      text: 2
    })
    expect(gemini.readTokens({ trafficType: "ON_DEMAND" })).toBeUndefined()
    const tokens = { uncached: 5, cacheRead: 6, cacheWrite: 0, text: 7, reasoning: 8 }
    expect(gemini.readTokens(gemini.writeTokens(tokens))).toEqual(tokens)
  })

  it("names calls that have no id, each by another name, and the same whenever it is read", () => {
    const ids = (body: JsonObject) =>
      read(body).choices[0]?.parts.flatMap((part) => (part.type === "toolCall" ? [part.id] : []))
    expect(ids(answers.tools as JsonObject)).toEqual(["call_r2_0", "call_r2_1"])
    const events = written(stepsOf(read(answers.tools as JsonObject)))
    expect(folded(events).answer.choices[0]?.parts.flatMap((part) => ("id" in part ? [part.id] : []))).toEqual([
      "call_r2_0",
      "call_r2_1"
    ])
  })

  it("ends with tools, a filter or a broken call as its reason says", () => {
    const finish = (finishReason: string, parts: ReadonlyArray<JsonObject> = []) =>
      read({ candidates: [{ content: { parts }, finishReason }] }).choices[0]?.finish
    expect(finish("STOP")).toBe("stop")
    expect(finish("STOP", [{ functionCall: { name: "f" } }])).toBe("toolCalls")
    expect(finish("SAFETY")).toBe("filter")
    expect(finish("MODEL_ARMOR")).toBe("filter")
    expect(finish("MALFORMED_FUNCTION_CALL")).toBe("malformedCall")
    expect(finish("SOMETHING_NEW")).toBe("stop")
    for (const one of ["stop", "length", "toolCalls", "filter", "refusal", "pause", "context", "error"] as const) {
      expect(gemini.writeFinish(one)).toMatch(/^[A-Z_]+$/)
    }
    expect(read(answers.blocked as JsonObject).choices).toEqual([{ parts: [], finish: "filter", reason: "SAFETY" }])
  })

  it("tells the places of citations in characters", () => {
    expect(read(answers.grounded as JsonObject).choices[0]?.parts[0]).toMatchObject({
      citations: [{ url: "https://a.example", title: "A", cited: "Größe: 3 m.", start: 0, end: 11 }]
    })
  })

  it("is none without candidates", () => {
    expect(Either.isLeft(gemini.readAnswer({}))).toBe(true)
    expect(Either.isLeft(gemini.readAnswer({ candidates: "no" }))).toBe(true)
  })
})

describe("an answer of another dialect, for callers of Gemini's", () => {
  const foreign: Answer = {
    id: "msg_1",
    model: "claude",
    choices: [
      {
        parts: [
          { type: "reasoning", text: "hm", signature: { dialect: "messages", value: "abc+/=" } },
          { type: "reasoning", text: "", isRedacted: true, signature: { dialect: "messages", value: "zzz" } },
          {
            type: "text",
            text: "Größe: 3 m.",
            citations: [{ dialect: "messages", url: "https://a", title: "A", start: 0, end: 5, value: {} }]
          },
          { type: "toolCall", id: "toolu_1", name: "f", kind: "function", arguments: '{"a":1}' },
          { type: "toolCall", id: "toolu_2", name: "g", kind: "function", arguments: "" }
        ],
        finish: "toolCalls",
        reason: "tool_use"
      }
    ],
    usage: { uncached: 1, cacheRead: 2, cacheWrite: 0, text: 4, reasoning: 5 }
  }

  it("holds all of it, and signatures come back as what they were", () => {
    const body = gemini.writeAnswer(foreign, options)
    expect(body).toMatchObject({
      responseId: "msg_1",
      modelVersion: "claude",
      candidates: [
        {
          content: {
            role: "model",
            parts: [
              { text: "hm", thought: true },
              { text: "", thought: true },
              { text: "Größe: 3 m." },
              { functionCall: { id: "toolu_1", name: "f", args: { a: 1 } } },
              { functionCall: { id: "toolu_2", name: "g", args: {} } }
            ]
          },
          finishReason: "STOP",
          groundingMetadata: {
            groundingChunks: [{ web: { uri: "https://a", title: "A" } }],
            groundingSupports: [{ segment: { partIndex: 2, startIndex: 0, endIndex: 7, text: "Größe" } }]
          }
        }
      ]
    })
    const [candidate] = body.candidates as ReadonlyArray<JsonObject>
    // Python's SDK takes signatures for bytes, and spells them with `-` and `_`.
    const sent = JSON.parse(JSON.stringify(candidate?.content).replaceAll("+", "-")) as JsonObject
    const { turns } = Either.getOrThrow(gemini.readRequest({ contents: [sent] }))
    expect(turns[0]?.parts).toMatchObject([
      { type: "reasoning", text: "hm", signature: { dialect: "messages", value: "abc+/=" } },
      { type: "reasoning", isRedacted: true, signature: { dialect: "messages", value: "zzz" } },
      { type: "text" },
      { type: "toolCall", arguments: '{"a":1}' },
      { type: "toolCall", arguments: "{}" }
    ])
  })

  it("says the same as a stream", () => {
    const events = written(stepsOf(foreign))
    const whole = read(gemini.writeAnswer(foreign, options))
    const { answer } = folded(events)
    expect(plain(answer)).toEqual(plain(whole))
  })

  it("never makes a call of arguments that are none", () => {
    const broken: Answer = {
      choices: [
        {
          parts: [{ type: "toolCall", id: "x", name: "f", kind: "function", arguments: '{"a":' }],
          finish: "toolCalls"
        }
      ]
    }
    const expected = { finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: 'Malformed function call: f({"a":)' }
    expect(gemini.writeAnswer(broken, options).candidates).toMatchObject([expected])
    const events = written(stepsOf(broken))
    expect(events).toHaveLength(1)
    expect(events[0]?.candidates).toMatchObject([expected])
    expect(JSON.stringify(events)).not.toContain("functionCall")
  })

  it("does not tell a call before it is whole", () => {
    const events: Array<JsonObject> = []
    const tell = ({ json }: { readonly json: JsonObject }): void => void events.push(json)
    const writer = gemini.eventWriter(options)
    writer.write({ type: "toolCall", id: "a", name: "f", kind: "function", choice: 0, part: 0 }, tell)
    writer.write({ type: "toolCall", id: "b", name: "g", kind: "function", choice: 0, part: 1 }, tell)
    writer.write({ type: "arguments", text: '{"x":', choice: 0, part: 0 }, tell)
    writer.write({ type: "arguments", text: "{}", choice: 0, part: 1 }, tell)
    expect(events).toEqual([])
    writer.write({ type: "arguments", text: "1}", choice: 0, part: 0 }, tell)
    writer.write({ type: "finish", choice: 0, finish: "toolCalls" }, tell)
    writer.write({ type: "usage", usage: { uncached: 1, cacheRead: 0, cacheWrite: 0, text: 2, reasoning: 0 } }, tell)
    writer.end(tell)
    writer.end(tell)
    expect(events).toMatchObject([
      {
        candidates: [
          {
            content: {
              parts: [
                { functionCall: { id: "a", name: "f", args: { x: 1 } } },
                { functionCall: { id: "b", name: "g", args: {} } }
              ]
            },
            finishReason: "STOP"
          }
        ],
        usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2, totalTokenCount: 3 }
      }
    ])
  })
})

describe("a stream of Gemini's", () => {
  const chunk = (parts: ReadonlyArray<JsonObject>, more: JsonObject = {}): JsonObject => ({
    candidates: [{ content: { role: "model", parts }, index: 0, ...more }],
    modelVersion: "g",
    responseId: "r"
  })

  it("puts texts, thoughts and a late signature together", () => {
    const { answer } = folded([
      chunk([{ text: "hm ", thought: true }]),
      chunk([{ text: "so", thought: true }]),
      chunk([{ text: "Hel" }]),
      chunk([{ text: "lo" }]),
      chunk([{ text: "", thoughtSignature: "c2ln" }], { finishReason: "STOP" })
    ])
    expect(answer.choices[0]?.parts).toEqual([
      { type: "reasoning", text: "hm so" },
      { type: "text", text: "Hello", signature: { dialect: "gemini", value: "c2ln" } }
    ])
  })

  it("puts arguments together that come value by value", () => {
    const piece = (call: JsonObject): JsonObject => chunk([{ functionCall: call }])
    const { answer } = folded([
      chunk([{ functionCall: { name: "f", willContinue: true }, thoughtSignature: "c2ln" }]),
      piece({ partialArgs: [{ jsonPath: "$.a[0].b", stringValue: "x", willContinue: true }], willContinue: true }),
      piece({ partialArgs: [{ jsonPath: "$.a[0].b", stringValue: "y" }], willContinue: true }),
      piece({ partialArgs: [{ jsonPath: "$.a[1]['c d']", numberValue: 0 }], willContinue: true }),
      piece({
        partialArgs: [
          { jsonPath: "$.e", boolValue: false },
          { jsonPath: "$.n", nullValue: "NULL_VALUE" }
        ]
      }),
      piece({ name: "g" }),
      chunk([{ text: "" }], { finishReason: "STOP" })
    ])
    expect(answer.choices[0]?.finish).toBe("toolCalls")
    expect(answer.choices[0]?.parts).toMatchObject([
      { name: "f", arguments: '{"a":[{"b":"xy"},{"c d":0}],"e":false,"n":null}', signature: { value: "c2ln" } },
      { name: "g", arguments: "{}" }
    ])
  })

  it("reads paths that are none without harm", () => {
    for (const jsonPath of ["", "a", "$", "$[", "$['a", "$[999999999]", "$.__proto__.x", `$${".a".repeat(2000)}`, 7]) {
      const { answer } = folded([
        chunk([{ functionCall: { name: "f", partialArgs: [{ jsonPath, stringValue: "x" }] } }], {
          finishReason: "STOP"
        })
      ])
      expect(answer.choices[0]?.parts).toHaveLength(1)
    }
    expect(({} as JsonObject).x).toBeUndefined()
  })

  it("tells a blocked prompt as a filter, and an error as such", () => {
    const blocked = folded([answers.blocked as JsonObject])
    expect(blocked.answer.choices).toEqual([{ parts: [], finish: "filter", reason: "SAFETY" }])
    expect(blocked.ended).toBe(true)
    const steps: Array<AnswerEvent> = []
    const error = { code: 503, message: "Overloaded", status: "UNAVAILABLE" }
    gemini.eventReader().read({ error }, (step) => steps.push(step))
    expect(steps).toEqual([{ type: "error", error: { message: "Overloaded", status: 503, type: "UNAVAILABLE" } }])
  })

  it("has not ended where no candidate says why", () => {
    expect(folded([chunk([{ text: "Hel" }])]).ended).toBe(false)
  })
})

describe("errors", () => {
  it("are the same when they are read and written", () => {
    const body = {
      error: {
        code: 400,
        message: "API key not valid.",
        status: "INVALID_ARGUMENT",
        details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }]
      }
    }
    const said = gemini.readError(body)
    expect(said).toEqual({
      message: "API key not valid.",
      status: 400,
      type: "INVALID_ARGUMENT",
      code: "API_KEY_INVALID"
    })
    expect(gemini.writeError(said as never)).toEqual(body)
  })

  it("have Google's name for the status of others' errors", () => {
    const status = (error: Parameters<typeof gemini.writeError>[0]) => gemini.writeError(error).error
    expect(status({ message: "m", status: 429, type: "rate_limit_error" })).toMatchObject({
      code: 429,
      status: "RESOURCE_EXHAUSTED"
    })
    expect(status({ message: "m", type: "overloaded_error" })).toMatchObject({ code: 503, status: "UNAVAILABLE" })
    expect(status({ message: "m" })).toMatchObject({ code: 500, status: "INTERNAL" })
    expect(gemini.readError({ error: {} })).toBeUndefined()
    expect(gemini.readError({ candidates: [] })).toBeUndefined()
  })
})
