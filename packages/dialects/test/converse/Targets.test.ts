import type { JsonObject } from "@switchyard/core/Json"
import { Dice } from "@switchyard/testing/Dice"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { chat } from "../../src/chat/Chat.js"
import { cohere } from "../../src/cohere/Cohere.js"
import type { AnswerEvent } from "../../src/conversation/Answer.js"
import { converse } from "../../src/converse/Converse.js"
import { ollama } from "../../src/ollama/Ollama.js"
import * as Pair from "../../src/pairs/Pair.js"
import type { Target } from "../../src/Translator.js"
import { AnswerFold } from "../../src/words/AnswerFold.js"

const right = <A>(either: Either.Either<A, unknown>): A => {
  if (Either.isLeft(either)) throw new Error(JSON.stringify(either.left))
  return either.right
}

const written = (body: JsonObject, target: Target, model = "m") => {
  const read = right(chat.readRequest(body))
  return right(Pair.write(read, chat, target, { model }))
}
const refused = (body: JsonObject, target: Target): ReadonlyArray<string> => {
  const result = Pair.write(right(chat.readRequest(body)), chat, target, { model: "m" })
  return Either.isLeft(result) ? result.left.map(({ path }) => path) : []
}
const fold = (target: Target, events: ReadonlyArray<JsonObject>, names: ReadonlyArray<string> = []) => {
  const reader = target.eventReader()
  const answer = new AnswerFold()
  const heard: Array<AnswerEvent> = []
  events.forEach((json, at) => {
    reader.read(
      json,
      (event) => {
        heard.push(event)
        answer.add(event)
      },
      names[at]
    )
  })
  return { answer: answer.answer(), heard }
}

const schema = { type: "object", properties: { a: { type: "number" } } }
const call = (id: string, args: string) => ({ id, type: "function", function: { name: "get", arguments: args } })
const loop: JsonObject = {
  messages: [
    { role: "system", content: "Be brief." },
    {
      role: "user",
      content: [
        { type: "text", text: "Look" },
        { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }
      ]
    },
    { role: "assistant", content: "I look.", tool_calls: [call("a", '{"x":1}'), call("b", "")] },
    { role: "tool", tool_call_id: "b", content: "two" },
    { role: "tool", tool_call_id: "a", content: "one" },
    { role: "system", content: "Hurry." }
  ],
  tools: [{ type: "function", function: { name: "get", description: "d", parameters: schema } }],
  tool_choice: "auto",
  max_completion_tokens: 9,
  temperature: 0.1,
  top_p: 0.2,
  stop: ["x"],
  user: "u",
  reasoning_effort: "low"
}

describe("Converse", () => {
  it("is asked in its own words", () => {
    const { body, dropped } = written(loop, converse, "us.amazon.nova-2-lite-v1:0")
    expect(body).toEqual({
      system: [{ text: "Be brief." }],
      messages: [
        { role: "user", content: [{ text: "Look" }, { image: { format: "png", source: { bytes: "AAAA" } } }] },
        {
          role: "assistant",
          content: [
            { text: "I look." },
            { toolUse: { toolUseId: "a", name: "get", input: { x: 1 } } },
            { toolUse: { toolUseId: "b", name: "get", input: {} } }
          ]
        },
        {
          role: "user",
          content: [
            { toolResult: { toolUseId: "a", content: [{ text: "one" }] } },
            { toolResult: { toolUseId: "b", content: [{ text: "two" }] } },
            { text: "<system>\nHurry.\n</system>" }
          ]
        }
      ],
      inferenceConfig: { maxTokens: 9, temperature: 0.1, topP: 0.2, stopSequences: ["x"] },
      toolConfig: {
        tools: [{ toolSpec: { name: "get", description: "d", inputSchema: { json: schema } } }],
        toolChoice: { auto: {} }
      },
      additionalModelRequestFields: { reasoningConfig: { type: "enabled", maxReasoningEffort: "low" } }
    })
    expect(dropped).toEqual([{ path: "user", reason: "advisory" }])
  })

  it("is asked for documents, forms of answers, and with the tools that were called", () => {
    const file = (name: string) => ({
      type: "file",
      file: { filename: name, file_data: "data:application/pdf;base64,AAAA" }
    })
    const { body } = written(
      {
        messages: [
          { role: "user", content: [file("a_b.pdf"), file("a_b.pdf")] },
          { role: "assistant", tool_calls: [call("a", "{}")] },
          { role: "tool", tool_call_id: "a", content: "one" }
        ],
        response_format: { type: "json_schema", json_schema: { name: "n", schema } }
      },
      converse
    )
    const [first] = body.messages as ReadonlyArray<{ readonly content: ReadonlyArray<JsonObject> }>
    expect(first?.content.map((block) => (block.document as JsonObject | undefined)?.name ?? block.text)).toEqual([
      "a b pdf",
      "a b pdf 2",
      "See the document."
    ])
    expect(body.outputConfig).toEqual({
      textFormat: { type: "json_schema", structure: { jsonSchema: { schema: JSON.stringify(schema), name: "n" } } }
    })
    expect(body.toolConfig).toEqual({
      tools: [{ toolSpec: { name: "get", inputSchema: { json: { type: "object", properties: {} } } } }]
    })
  })

  it("is told of arguments that they are an object, and closed schemas for an answer of Claude's", () => {
    const tool = (parameters: JsonObject) => ({ type: "function", function: { name: "get", parameters } })
    const open = { type: "object", properties: { a: { type: "string", minLength: 1 } } }
    const { body } = written(
      {
        messages: [{ role: "user", content: "x" }],
        tools: [tool({}), tool({ properties: {} }), tool({ type: "object", required: [] })],
        response_format: { type: "json_schema", json_schema: { name: "n", schema: open } }
      },
      converse,
      "us.anthropic.claude-sonnet-4-5-v1:0"
    )
    const { tools } = body.toolConfig as { readonly tools: ReadonlyArray<{ readonly toolSpec: JsonObject }> }
    expect(tools.map(({ toolSpec }) => toolSpec.inputSchema)).toEqual([
      { json: { type: "object" } },
      { json: { type: "object", properties: {} } },
      { json: { type: "object", required: [] } }
    ])
    const said = JSON.stringify(body.outputConfig)
    expect(said).toContain(JSON.stringify('"additionalProperties":false').slice(1, -1))
    expect(said).not.toContain(JSON.stringify('"minLength":').slice(1, -1))
  })

  it("is not asked what it cannot say", () => {
    const content = [{ type: "image_url", image_url: { url: "https://a.example/b.png" } }]
    expect(refused({ messages: [{ role: "user", content }], n: 2, presence_penalty: 1 }, converse)).toEqual([
      "presence_penalty",
      "n",
      "messages[0].content[0]"
    ])
  })

  it("answers whole", () => {
    const answer = right(
      converse.readAnswer({
        output: {
          message: {
            role: "assistant",
            content: [
              { reasoningContent: { reasoningText: { text: "hm", signature: "s" } } },
              { text: "Hi" },
              { toolUse: { toolUseId: "a", name: "get", input: { x: 1 } } }
            ]
          }
        },
        stopReason: "tool_use",
        usage: { inputTokens: 5, outputTokens: 3, totalTokens: 18, cacheReadInputTokens: 4, cacheWriteInputTokens: 6 }
      })
    )
    expect(answer.choices[0]).toMatchObject({
      finish: "toolCalls",
      parts: [
        { type: "reasoning", text: "hm", signature: { dialect: "converse", value: "s" } },
        { type: "text", text: "Hi" },
        { type: "toolCall", id: "a", name: "get", arguments: '{"x":1}' }
      ]
    })
    expect(answer.usage).toEqual({ uncached: 5, cacheRead: 4, cacheWrite: 6, text: 3, reasoning: 0 })
    expect(Either.isLeft(converse.readAnswer({}))).toBe(true)
  })

  it.each(["by their names", "in fields of their names"])(
    "answers in events, %s, with usage behind the stop",
    (way) => {
      const events: ReadonlyArray<readonly [string, JsonObject]> = [
        ["messageStart", { role: "assistant" }],
        ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { text: "hm" } } }],
        ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { signature: "s" } } }],
        ["contentBlockStop", { contentBlockIndex: 0 }],
        ["contentBlockDelta", { contentBlockIndex: 1, delta: { text: "Hi" } }],
        ["contentBlockStart", { contentBlockIndex: 2, start: { toolUse: { toolUseId: "a", name: "get" } } }],
        ["contentBlockDelta", { contentBlockIndex: 2, delta: { toolUse: { input: '{"x"' } } }],
        ["contentBlockDelta", { contentBlockIndex: 2, delta: { toolUse: { input: ":1}" } } }],
        ["contentBlockStop", { contentBlockIndex: 2 }],
        ["messageStop", { stopReason: "tool_use" }],
        ["metadata", { usage: { inputTokens: 5, outputTokens: 3, totalTokens: 8 }, metrics: {} }]
      ]
      const isNamed = way === "by their names"
      const { answer, heard } = fold(
        converse,
        events.map(([name, json]) => (isNamed ? json : { [name]: json })),
        isNamed ? events.map(([name]) => name) : []
      )
      expect(answer.choices[0]).toMatchObject({
        finish: "toolCalls",
        parts: [
          { type: "reasoning", text: "hm", signature: { value: "s" } },
          { type: "text", text: "Hi" },
          { type: "toolCall", id: "a", arguments: '{"x":1}' }
        ]
      })
      expect(answer.usage).toMatchObject({ uncached: 5, text: 3 })
      expect(heard.at(-1)).toEqual({ type: "end" })
    }
  )

  it("fails in exceptions, inside of a stream too", () => {
    const { heard } = fold(converse, [{ message: "slow down" }], ["throttlingException"])
    expect(heard).toEqual([
      { type: "error", error: { message: "slow down", type: "throttlingException", status: 429 } }
    ])
    expect(converse.readError({ __type: "com.amazon#ValidationException:x", message: "bad" })).toMatchObject({
      type: "ValidationException",
      status: 400
    })
    expect(converse.readError({ output: {}, message: "m" })).toBeUndefined()
  })

  it("has its defaults where it looks for them", () => {
    expect(
      converse.defaults({ max_tokens: 5, stop: "x", top_k: 3, inferenceConfig: { topP: 1 }, nonsense: 1 })
    ).toEqual({
      inferenceConfig: { maxTokens: 5, stopSequences: ["x"], topP: 1 },
      additionalModelRequestFields: { top_k: 3 }
    })
  })
})

describe("Cohere", () => {
  it("is asked in its own words", () => {
    const { body } = written(
      {
        ...loop,
        stream: true,
        tool_choice: { type: "function", function: { name: "get" } },
        response_format: { type: "json_schema", json_schema: { name: "n", schema } }
      },
      cohere,
      "command-a"
    )
    expect(body).toMatchObject({
      model: "command-a",
      stream: true,
      max_tokens: 9,
      p: 0.2,
      stop_sequences: ["x"],
      tool_choice: "REQUIRED",
      response_format: { type: "json_object", json_schema: schema },
      thinking: { type: "enabled", token_budget: 2048 }
    })
    const messages = body.messages as ReadonlyArray<JsonObject>
    expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "tool", "tool", "system"])
    expect(messages[2]).toMatchObject({
      tool_plan: "I look.",
      tool_calls: [{ id: "a" }, { id: "b", function: { arguments: "{}" } }]
    })
    expect(messages[3]).toEqual({ role: "tool", tool_call_id: "a", content: "one" })
  })

  it("answers whole, with its plan, its sources and its cache", () => {
    const answer = right(
      cohere.readAnswer({
        id: "c1",
        finish_reason: "TOOL_CALL",
        message: {
          role: "assistant",
          tool_plan: "I will.",
          content: [{ type: "text", text: "Hi" }],
          tool_calls: [{ id: "a", type: "function", function: { name: "get", arguments: "null" } }],
          citations: [
            {
              start: 0,
              end: 2,
              text: "Hi",
              sources: [{ type: "document", id: "d", document: { id: "d", title: "T" } }]
            }
          ]
        },
        usage: {
          billed_units: { input_tokens: 1, output_tokens: 1 },
          tokens: { input_tokens: 9, output_tokens: 3 },
          cached_tokens: 4
        }
      })
    )
    expect(answer.choices[0]).toMatchObject({
      finish: "toolCalls",
      parts: [
        { type: "reasoning", text: "I will." },
        { type: "text", text: "Hi", citations: [{ title: "T", start: 0, end: 2 }] },
        { type: "toolCall", id: "a", arguments: "{}" }
      ]
    })
    expect(answer.usage).toEqual({ uncached: 5, cacheRead: 4, cacheWrite: 0, text: 3, reasoning: 0 })
  })

  it("answers in events", () => {
    const said = (type: string, message: JsonObject, more: JsonObject = {}) => ({ type, ...more, delta: { message } })
    const argument = (text: string) => said("tool-call-delta", { tool_calls: { function: { arguments: text } } })
    const { answer, heard } = fold(cohere, [
      { type: "message-start", id: "c1", delta: {} },
      said("content-start", { content: { type: "thinking", thinking: "" } }),
      said("content-delta", { content: { thinking: "hm" } }),
      { type: "content-end", index: 0 },
      said("content-start", { content: { type: "text", text: "" } }),
      said("content-delta", { content: { text: "Hi" } }),
      said("citation-start", { citations: { start: 0, end: 2, text: "Hi", sources: [] } }),
      said("tool-call-start", { tool_calls: { id: "a", type: "function", function: { name: "get", arguments: "" } } }),
      argument('{"x"'),
      argument(":1}"),
      { type: "tool-call-end", index: 0 },
      said("tool-call-start", { tool_calls: { id: "b", type: "function", function: { name: "get", arguments: "" } } }),
      argument("null"),
      { type: "tool-call-end", index: 1 },
      {
        type: "message-end",
        delta: { finish_reason: "TOOL_CALL", usage: { tokens: { input_tokens: 9, output_tokens: 3 } } }
      }
    ])
    expect(answer).toMatchObject({ id: "c1", usage: { uncached: 9, text: 3 } })
    expect(answer.choices[0]).toMatchObject({
      finish: "toolCalls",
      parts: [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "Hi", citations: [{ cited: "Hi" }] },
        { type: "toolCall", id: "a", arguments: '{"x":1}' },
        { type: "toolCall", id: "b", arguments: "{}" }
      ]
    })
    expect(heard.at(-1)).toEqual({ type: "end" })
    expect(fold(cohere, [{ type: "message-end", delta: { finish_reason: "ERROR", error: "broke" } }]).heard).toEqual([
      { type: "error", error: { message: "broke", type: "ERROR" } }
    ])
  })
})

describe("Ollama", () => {
  it("is asked in its own words", () => {
    const { body } = written(
      { ...loop, response_format: { type: "json_schema", json_schema: { name: "n", schema } } },
      ollama,
      "gpt-oss:20b"
    )
    expect(body).toMatchObject({
      model: "gpt-oss:20b",
      stream: false,
      format: schema,
      think: "low",
      options: { num_predict: 9, temperature: 0.1, top_p: 0.2, stop: ["x"] }
    })
    const messages = body.messages as ReadonlyArray<JsonObject>
    expect(messages[1]).toEqual({ role: "user", content: "Look", images: ["AAAA"] })
    expect(messages[2]).toMatchObject({
      content: "I look.",
      tool_calls: [{ function: { name: "get", arguments: { x: 1 } } }, {}]
    })
    expect(messages[3]).toEqual({ role: "tool", tool_name: "get", tool_call_id: "a", content: "one" })
  })

  it("is not asked to force a tool", () => {
    expect(refused({ ...loop, tool_choice: "required" }, ollama)).toEqual(["tool_choice"])
  })

  it("answers whole and in lines alike", () => {
    const last = { done: true, done_reason: "stop", prompt_eval_count: 9, eval_count: 3 }
    const made = "2026-01-02T03:04:05.678901Z"
    const calls = [{ function: { name: "get", arguments: { x: 1 } } }]
    const whole = right(
      ollama.readAnswer({
        model: "m",
        created_at: made,
        message: { role: "assistant", content: "Hi", thinking: "hm", tool_calls: calls },
        ...last
      })
    )
    const { answer, heard } = fold(ollama, [
      { model: "m", created_at: made, message: { role: "assistant", content: "", thinking: "hm" }, done: false },
      { model: "m", message: { content: "H" }, done: false },
      { model: "m", message: { content: "i" }, done: false },
      { model: "m", message: { content: "", tool_calls: calls }, done: false },
      { model: "m", message: { content: "" }, ...last }
    ])
    expect(whole.choices[0]).toMatchObject({
      finish: "toolCalls",
      parts: [{ text: "hm" }, { text: "Hi" }, { name: "get", arguments: '{"x":1}' }]
    })
    expect(JSON.parse(JSON.stringify(answer))).toEqual(JSON.parse(JSON.stringify(whole)))
    expect(heard.at(-1)).toEqual({ type: "end" })
    expect(fold(ollama, [{ error: "no model" }]).heard).toEqual([{ type: "error", error: { message: "no model" } }])
  })

  it("has its defaults where it looks for them", () => {
    expect(
      ollama.defaults({ max_tokens: 5, num_ctx: 8192, keep_alive: "5m", stop: "x", options: { seed: 1 } })
    ).toEqual({
      keep_alive: "5m",
      options: { num_predict: 5, num_ctx: 8192, stop: ["x"], seed: 1 }
    })
  })
})

describe("targets", () => {
  it("never throw, whatever they answer", () => {
    const dice = new Dice(11)
    const values = [null, 5, "x", [], {}, [null], [{}], true] as const
    const names = [
      "message",
      "output",
      "content",
      "delta",
      "tool_calls",
      "toolUse",
      "function",
      "usage",
      "start",
      "text",
      "type",
      "contentBlockDelta",
      "messageStop",
      "done",
      "choices"
    ] as const
    const junk = (depth: number): unknown =>
      depth === 0 || dice.roll() < 0.2
        ? dice.pick(values)
        : Object.fromEntries(Array.from({ length: 4 }, () => [dice.pick(names), junk(depth - 1)]))
    const types = ["content-delta", "tool-call-start", "tool-call-delta", "message-end", "citation-start"] as const
    for (let round = 0; round < 500; round++) {
      for (const target of [converse, cohere, ollama, chat]) {
        const body = { type: dice.pick(types), ...(junk(4) as object) }
        target.readAnswer(body)
        target.readError(body)
        target.eventReader().read(body, () => {})
      }
    }
  })
})
