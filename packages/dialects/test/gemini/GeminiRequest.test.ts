import type { Conversation, DialectName, Part, Turn } from "@switchyard/dialects/Conversation"
import { gemini } from "@switchyard/dialects/Gemini"
import type { WriteOptions } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { requests } from "./fixtures.js"
import { canonical } from "./reading.js"

const read = (body: object): Conversation =>
  Either.getOrThrow(gemini.readRequest(body as never, { model: "gemini-3-flash", stream: false }))

const write = (conversation: Conversation, options: Partial<WriteOptions> = {}) =>
  Either.getOrThrow(gemini.writeRequest(conversation, { model: "gemini-3-flash", ...options }))

const conversation = (turns: ReadonlyArray<Turn>, more: Partial<Conversation> = {}): Conversation => ({
  origin: "chat",
  model: "m",
  stream: false,
  turns,
  tools: [],
  settings: {},
  extra: {},
  ...more
})

const text = (words: string): Part => ({ type: "text", text: words })
const turn = (role: Turn["role"], at: number, ...parts: ReadonlyArray<Part>): Turn => ({ role, at, parts })

describe("a request in Gemini's dialect", () => {
  for (const [name, body] of Object.entries(requests)) {
    it(`is the same when it is read and written: ${name}`, () => {
      const written = write(read(body))
      expect(written.body).toEqual(body)
      expect(written.dropped).toEqual([])
    })
  }

  it("is read in snake case, and where single values stand for lists", () => {
    const body = {
      system_instruction: { parts: { text: "Be short." } },
      contents: { role: "user", parts: [{ inline_data: { mime_type: "image/png", data: "AAAA" } }] },
      tools: { function_declarations: [{ name: "f", parameters: { type: "OBJECT", any_of: [{ type: "STRING" }] } }] },
      generation_config: { max_output_tokens: 5, thinking_config: { include_thoughts: true, thinking_budget: 0 } },
      tool_config: { function_calling_config: { mode: "ANY", allowed_function_names: ["f"] } },
      safety_settings: []
    }
    const said = read(body)
    expect(said.settings).toEqual({ maxOutput: 5, reasoning: { mode: "off", summary: "auto" } })
    expect(said.toolChoice).toEqual({ type: "tool", name: "f", kind: "function" })
    expect(said.tools).toMatchObject([
      { type: "function", name: "f", parameters: { type: "object", anyOf: [{ type: "string" }] } }
    ])
    expect(said.turns.map(({ role }) => role)).toEqual(["system", "user"])
    expect(canonical(write(said).body)).toEqual(canonical(body))
  })

  it("reads Gemini's schemas as JSON schemas", () => {
    const { tools } = read(requests.tools as object)
    expect(tools[0]).toMatchObject({
      name: "weather",
      parameters: { type: "object", properties: { city: { type: ["string", "null"] } }, required: ["city"] }
    })
    expect(tools[2]).toEqual({ type: "server", dialect: "gemini", name: "googleSearch", value: { googleSearch: {} } })
  })

  it("reads results of functions: a text that is all there is, an error, else the whole as JSON", () => {
    const { turns } = read(requests.tools as object)
    expect(turns[2]?.parts).toMatchObject([
      { type: "toolResult", id: "a", content: [{ type: "text", text: "sunny" }] },
      {
        type: "toolResult",
        id: "b",
        isError: true,
        content: [{ type: "text", text: "no such city" }, { type: "image" }]
      }
    ])
    expect(read(requests.nameless as object).turns[2]?.parts).toMatchObject([
      { id: undefined, name: "weather", content: [{ type: "text", text: '{"temperature":20,"unit":"C"}' }] }
    ])
  })

  it("takes files that Google keeps for state of its own, and films for URLs", () => {
    const [turnOfMedia] = read(requests.media as object).turns
    expect(
      turnOfMedia?.parts.map((part) => ("source" in part ? `${part.type} ${part.source.kind}` : part.type))
    ).toEqual(["image bytes", "audio bytes", "file bytes", "video url", "image id", "video id"])
  })

  it("is refused by name where nothing can be made of it", () => {
    for (const [body, path] of [
      [{}, "contents"],
      [{ contents: [] }, "contents"],
      [{ contents: null }, "contents"],
      [{ contents: [7] }, "contents[0]"],
      [{ contents: [{ parts: [null] }] }, "contents[0].parts"],
      [{ contents: [{ parts: [] }], generationConfig: [] }, "generationConfig"]
    ] as const) {
      const said = gemini.readRequest(body)
      expect(Either.isLeft(said) && said.left.map((problem) => problem.path)).toEqual([path])
    }
  })
})

describe("a conversation of another dialect, asked of Gemini", () => {
  it("puts leading instructions into their field, and tells later ones as such", () => {
    const { body } = write(
      conversation([
        turn("system", 0, text("A")),
        turn("developer", 1, text("B")),
        turn("user", 2, text("Hello")),
        turn("system", 3, text("C")),
        turn("user", 4, text("Bye"))
      ])
    )
    expect(body).toEqual({
      systemInstruction: { parts: [{ text: "A" }, { text: "B" }] },
      contents: [{ role: "user", parts: [{ text: "Hello" }, { text: "<system>\nC\n</system>" }, { text: "Bye" }] }]
    })
  })

  it("asks with the instructions where there is nothing else", () => {
    expect(write(conversation([turn("system", 0, text("A"))])).body).toEqual({
      contents: [{ role: "user", parts: [{ text: "A" }] }]
    })
  })

  const call = (id: string, dialect?: DialectName): Part => ({
    type: "toolCall",
    id,
    name: "f",
    kind: "function",
    arguments: '{"a":1}',
    ...(dialect === undefined ? {} : { signature: { dialect, value: `sig-${id}` } })
  })
  const result = (id: string): Part => ({ type: "toolResult", id, kind: "function", content: [text(`result ${id}`)] })

  it("gives the first call of a step the placeholder, and all results one turn, in call order, before text", () => {
    const { body } = write(
      conversation([
        turn("user", 0, text("Hello")),
        turn("assistant", 1, call("a"), call("b")),
        turn("tool", 2, result("b")),
        turn("tool", 3, result("a")),
        turn("user", 4, text("and?"))
      ])
    )
    expect(body.contents).toEqual([
      { role: "user", parts: [{ text: "Hello" }] },
      {
        role: "model",
        parts: [
          {
            functionCall: { id: "a", name: "f", args: { a: 1 } },
            thoughtSignature: "skip_thought_signature_validator"
          },
          { functionCall: { id: "b", name: "f", args: { a: 1 } } }
        ]
      },
      {
        role: "user",
        parts: [
          { functionResponse: { id: "a", name: "f", response: { output: "result a" } } },
          { functionResponse: { id: "b", name: "f", response: { output: "result b" } } },
          { text: "and?" }
        ]
      }
    ])
  })

  it("refuses a call whose result is missing, in the caller's words", () => {
    const said = gemini.writeRequest(
      conversation([turn("user", 0, text("Hi")), turn("assistant", 1, call("a")), turn("user", 2, text("and?"))]),
      { model: "gemini-3-flash", pathOf: (at) => `messages[${at}]` }
    )
    expect(Either.isLeft(said) && said.left).toEqual([
      { path: "messages[1]", expected: "a tool result is missing for call a" }
    ])
  })

  it("keeps Gemini's signatures, and leaves out and reports those of others and of other accounts", () => {
    const turns = [
      turn("user", 0, text("Hello")),
      turn(
        "assistant",
        1,
        { type: "reasoning", text: "hm", signature: { dialect: "messages", value: "s" } },
        call("a", "gemini")
      ),
      turn("tool", 2, result("a"))
    ]
    const ours = write(conversation(turns))
    expect(ours.body.contents).toMatchObject([
      {},
      { parts: [{ functionCall: { id: "a" }, thoughtSignature: "sig-a" }] },
      {}
    ])
    expect(ours.dropped).toEqual([{ path: "contents[1].parts[0]", reason: "state" }])
    const foreign = write(conversation(turns), { knowsSignatures: false })
    expect(foreign.body.contents).toMatchObject([
      {},
      { parts: [{ thoughtSignature: "skip_thought_signature_validator" }] },
      {}
    ])
    expect(foreign.dropped.map(({ path }) => path)).toEqual(["contents[1].parts[0]", "contents[1].parts[1]"])
  })

  it("writes URLs as file data, with what their ending tells of their type", () => {
    const url = (of: string): Part => ({ type: "image", source: { kind: "url", url: of } })
    expect(
      write(conversation([turn("user", 0, url("https://a/b.png?x=1"), url("https://a/b"))])).body.contents
    ).toEqual([
      {
        role: "user",
        parts: [
          { fileData: { mimeType: "image/png", fileUri: "https://a/b.png?x=1" } },
          { fileData: { mimeType: "image/jpeg", fileUri: "https://a/b" } }
        ]
      }
    ])
  })

  it("says how much to think as the model's generation takes it", () => {
    const thinking = (model: string, reasoning: NonNullable<Conversation["settings"]["reasoning"]>) => {
      const { body } = write(conversation([turn("user", 0, text("Hi"))], { settings: { reasoning } }), { model })
      return (body.generationConfig as { thinkingConfig?: unknown } | undefined)?.thinkingConfig
    }
    expect(thinking("gemini-3-flash", { effort: "medium" })).toEqual({ thinkingLevel: "MEDIUM", includeThoughts: true })
    expect(thinking("gemini-3-pro-preview", { effort: "minimal" })).toEqual({
      thinkingLevel: "LOW",
      includeThoughts: true
    })
    expect(thinking("gemini-3-flash", { effort: "none" })).toEqual({ thinkingLevel: "MINIMAL" })
    expect(thinking("gemini-3-flash", { budget: 3000 })).toEqual({ thinkingLevel: "LOW", includeThoughts: true })
    expect(thinking("gemini-2.5-flash", { effort: "high" })).toEqual({ thinkingBudget: 24_576, includeThoughts: true })
    expect(thinking("gemini-2.5-flash", { effort: "none" })).toEqual({ thinkingBudget: 0 })
    expect(thinking("gemini-2.5-pro", { mode: "off" })).toEqual({ thinkingBudget: 128 })
    expect(thinking("gemini-2.5-flash", { mode: "adaptive" })).toEqual({ thinkingBudget: -1, includeThoughts: true })
    expect(thinking("gemini-2.5-flash", { budget: 60_000, summary: "omitted" })).toEqual({ thinkingBudget: 24_576 })
    expect(thinking("gemini-2.0-flash", { effort: "high" })).toBeUndefined()
  })

  it("says of arguments that they are an object, and of a JPEG what Google calls it", () => {
    const bytes: Part = { type: "image", source: { kind: "bytes", mime: "image/jpg", data: "AAAA" } }
    const { body } = write(
      conversation([turn("user", 0, bytes)], {
        tools: [{ type: "function", name: "f", parameters: { properties: { a: { type: "string" } } } }]
      })
    )
    expect(body.tools).toMatchObject([{ functionDeclarations: [{ parametersJsonSchema: { type: "object" } }] }])
    expect(body.contents).toMatchObject([{ parts: [{ inlineData: { mimeType: "image/jpeg" } }] }])
  })

  it("writes structured output, functions and choices", () => {
    const schema = { type: "object", properties: {} }
    const { body } = write(
      conversation([turn("user", 0, text("Hi"))], {
        tools: [
          { type: "function", name: "f", parameters: schema },
          { type: "custom", name: "patch", description: "Patches" },
          { type: "function", name: "now", parameters: {} }
        ],
        toolChoice: { type: "allowed", names: ["f"], isRequired: false },
        settings: { format: { type: "schema", name: "x", schema }, choices: 1, modalities: ["text"], stop: [] }
      })
    )
    expect(body).toMatchObject({
      tools: [
        {
          functionDeclarations: [
            { name: "f", parametersJsonSchema: schema },
            { name: "patch", parametersJsonSchema: { required: ["input"] } },
            { name: "now" }
          ]
        }
      ],
      toolConfig: { functionCallingConfig: { mode: "VALIDATED", allowedFunctionNames: ["f"] } }
    })
    expect(body.generationConfig).toEqual({ responseMimeType: "application/json", responseJsonSchema: schema })
  })
})

describe("the documented edits", () => {
  it("leave a body as it is where there is nothing to change", () => {
    const body = requests.tools as object
    expect(gemini.edit(body as never, { model: "x", stream: true, defaults: {} })).toBe(body)
  })

  it("lay defaults below the caller's fields, in the caller's spelling", () => {
    const body = { contents: [], generation_config: { max_output_tokens: 5 }, model: "models/a" }
    const defaults = gemini.defaults({
      max_tokens: 100,
      temperature: 0.1,
      safety_settings: [1],
      thinkingConfig: { thinkingBudget: 0 }
    })
    expect(gemini.edit(body, { model: "b", stream: false, defaults })).toEqual({
      contents: [],
      generation_config: { max_output_tokens: 5, temperature: 0.1, thinkingConfig: { thinkingBudget: 0 } },
      safety_settings: [1],
      model: "models/b"
    })
  })
})
