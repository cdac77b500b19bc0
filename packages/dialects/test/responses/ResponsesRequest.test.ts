import { arrayOf, type JsonObject } from "@switchyard/core/Json"
import { messages } from "@switchyard/dialects/Messages"
import * as Pair from "@switchyard/dialects/Pair"
import { Account } from "@switchyard/dialects/Problem"
import { responses } from "@switchyard/dialects/Responses"
import { describe, expect, test } from "vitest"
import { settle } from "../../src/pairs/settle.js"
import { left, optionsFor, readAs, rewritten, right } from "./fixtures.js"

const user = { role: "user", content: "hi" }

/** Bodies as OpenAI's documentation and its clients have them. */
const bodies: Readonly<Record<string, JsonObject>> = {
  "a bare text": { model: "m", input: "hi" },
  "all settings": {
    model: "m",
    input: "hi",
    instructions: "Be brief.",
    stream: true,
    max_output_tokens: 99,
    temperature: 0.5,
    top_p: 0.9,
    parallel_tool_calls: false,
    user: "u",
    prompt_cache_key: "k",
    service_tier: "flex",
    metadata: { a: "b" },
    text: { format: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true }, verbosity: "low" },
    reasoning: { effort: "high", summary: "auto" },
    store: false,
    include: ["reasoning.encrypted_content"],
    truncation: "auto",
    max_tool_calls: 3,
    background: false,
    client_metadata: { session: "s" }
  },
  "nulls and empty lists": {
    model: "m",
    input: [],
    previous_response_id: "resp_1",
    instructions: null,
    tools: [],
    tool_choice: null,
    temperature: null,
    text: null,
    reasoning: { effort: "low", summary: null },
    metadata: null,
    stream: false,
    top_logprobs: 0
  },
  probabilities: { model: "m", input: "hi", include: ["message.output_text.logprobs"], top_logprobs: 2 },
  media: {
    model: "m",
    input: [
      {
        type: "message",
        role: "user",
        content: [
          { type: "input_text", text: "look" },
          { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" },
          { type: "input_image", file_id: "file_1" },
          { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" },
          { type: "input_file", file_url: "https://example.org/a.pdf" },
          { type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } },
          { type: "input_hologram", x: 1 }
        ]
      }
    ]
  },
  "a task with all kinds of items": {
    model: "m",
    input: [
      { role: "developer", content: "rules" },
      user,
      {
        type: "reasoning",
        id: "rs_1",
        summary: [
          { type: "summary_text", text: "a" },
          { type: "summary_text", text: "b" }
        ],
        encrypted_content: "gAAAA"
      },
      {
        type: "message",
        id: "msg_1",
        role: "assistant",
        status: "completed",
        phase: "commentary",
        content: [
          { type: "output_text", text: "one", annotations: [] },
          { type: "output_text", text: "two", annotations: [] }
        ]
      },
      { type: "message", id: "msg_2", role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
      { type: "function_call", id: "fc_1", call_id: "call_1", name: "read", namespace: "mcp__files", arguments: "{}" },
      { type: "custom_tool_call", call_id: "call_2", name: "patch", input: "*** Begin" },
      { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "q" } },
      { type: "function_call_output", call_id: "call_1", output: "done" },
      {
        type: "custom_tool_call_output",
        call_id: "call_2",
        output: [{ type: "input_image", image_url: "https://example.org/a.png", detail: "auto" }]
      },
      { type: "item_reference", id: "msg_0" },
      { role: "assistant", content: "so" },
      { role: "assistant", content: [] },
      { type: "compaction", id: "cmp_1", encrypted_content: "x" }
    ]
  },
  "tools of all kinds": {
    model: "m",
    input: "hi",
    tools: [
      { type: "function", name: "f", description: null, parameters: null, strict: null },
      {
        type: "namespace",
        name: "mcp__a",
        description: "d",
        tools: [
          { type: "function", name: "x", parameters: {}, defer_loading: true },
          { type: "function", name: "y", parameters: {} }
        ]
      },
      { type: "custom", name: "patch", format: { type: "grammar", syntax: "lark", definition: "start: x" } },
      { type: "web_search", search_context_size: "low" },
      { type: "namespace", name: "empty", tools: [] }
    ],
    tool_choice: {
      type: "allowed_tools",
      mode: "required",
      tools: [
        { type: "function", name: "f" },
        { type: "custom", name: "patch" },
        { type: "mcp", server_label: "s" }
      ]
    }
  },
  "a forced server tool": { model: "m", input: "hi", tool_choice: { type: "web_search" } }
}

describe("requests of Responses", () => {
  test.each(Object.entries(bodies))("are written as they were read: %s", (_, body) => {
    expect(rewritten(body)).toEqual(body)
  })

  test("what the model did at a stretch is one turn, results at a stretch are one", () => {
    const { turns } = readAs(bodies["a task with all kinds of items"] as JsonObject)
    expect(turns.map(({ at, parts, role }) => [role, at, parts.map(({ type }) => type).join()])).toEqual([
      ["developer", 0, "text"],
      ["user", 1, "text"],
      ["assistant", 2, "reasoning,reasoning,text,text,refusal,toolCall,toolCall,opaque"],
      ["tool", 8, "toolResult,toolResult"],
      ["assistant", 10, "opaque,text"],
      ["assistant", 12, ""],
      ["assistant", 13, "opaque"]
    ])
  })

  test("all that is wrong is named at once", () => {
    const problems = left(
      responses.readRequest({
        input: [7, { type: "message", role: "user", content: [{ type: "input_image" }] }, { type: "message" }],
        stream: "yes",
        temperature: "hot",
        tools: [{ type: "function" }, "x"],
        tool_choice: 3,
        text: []
      })
    )
    expect(problems.map(({ path }) => path)).toEqual([
      "model",
      "stream",
      "input[0]",
      "input[1].content[0].image_url",
      "input[2].role",
      "tools[0].name",
      "tools[1]",
      "tool_choice",
      "temperature",
      "text"
    ])
  })

  test("a tool in a namespace has one name for dialects that have none, and its own again in the answer", () => {
    const conversation = readAs(bodies["tools of all kinds"] as JsonObject)
    expect(conversation.tools.map(({ name }) => name)).toEqual([
      "f",
      "mcp__a__x",
      "mcp__a__y",
      "patch",
      "web_search",
      "namespace"
    ])
    const answer = responses.writeAnswer(
      {
        choices: [
          {
            parts: [
              { type: "toolCall", id: "t1", name: "mcp__a__y", kind: "function", arguments: "{}" },
              { type: "toolCall", id: "t2", name: "patch", kind: "function", arguments: '{"input":"text"}' }
            ],
            finish: "toolCalls"
          }
        ]
      },
      { ...optionsFor(), conversation }
    )
    expect(answer.output).toMatchObject([
      { type: "function_call", namespace: "mcp__a", name: "y", arguments: "{}" },
      { type: "custom_tool_call", name: "patch", input: "text" }
    ])
  })

  test("another dialect gets the meaning and is spared the rest, by the caller's names", () => {
    const account = new Account()
    const conversation = readAs({
      ...(bodies["all settings"] as JsonObject),
      top_logprobs: 0,
      tools: [{ type: "web_search" }],
      input: [user, { type: "web_search_call", id: "w" }]
    })
    settle(conversation, responses, messages, account)
    expect(account.problems).toEqual([])
    const paths = account.dropped.map(({ path, reason }) => `${path} ${reason}`)
    expect(paths).toEqual(expect.arrayContaining(["store advisory", "include advisory", "tools.web_search tool"]))
    expect(paths.some((path) => /^(?:background|stream|top_logprobs)/.test(path))).toBe(false)
  })

  test.each([
    ["previous_response_id", { previous_response_id: "resp_1" }],
    ["conversation", { conversation: "conv_1" }],
    ["prompt", { prompt: { id: "p" } }],
    ["background", { background: true }],
    ["tool_choice", { tool_choice: { type: "web_search" }, tools: [{ type: "web_search" }] }],
    ["input[0].content[0]", { input: [{ type: "item_reference", id: "x" }] }]
  ])("another dialect refuses %s by name", (path, fields) => {
    const conversation = readAs({ model: "m", input: "hi", ...fields })
    const problems = left(Pair.write(conversation, responses, messages, { model: "claude" }))
    expect(problems.map((problem) => problem.path)).toContain(path)
  })

  test("a request of another dialect asks for nothing to be kept, and for thoughts only of those who think", () => {
    const conversation = right(
      messages.readRequest({
        model: "c",
        max_tokens: 5,
        system: "Be brief.",
        thinking: { type: "enabled", budget_tokens: 2_048 },
        tools: [{ name: "read", input_schema: { type: "object" } }],
        messages: [
          { role: "user", content: "hi" },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "sig" },
              { type: "tool_use", id: "toolu_1", name: "read", input: { a: 1 } }
            ]
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "toolu_1", content: "x" },
              { type: "text", text: "go" }
            ]
          }
        ]
      })
    )
    const written = right(Pair.write(conversation, messages, responses, { model: "gpt-5" }))
    expect(written.body).toMatchObject({
      model: "gpt-5",
      instructions: "Be brief.",
      store: false,
      include: ["reasoning.encrypted_content"],
      max_output_tokens: 16,
      reasoning: { effort: "low", summary: "auto" },
      input: [
        { role: "user", content: "hi" },
        { type: "function_call", call_id: "toolu_1", name: "read", arguments: '{"a":1}' },
        { type: "function_call_output", call_id: "toolu_1", output: "x" },
        { role: "user" }
      ],
      tools: [{ type: "function", name: "read", strict: false }]
    })
    expect(written.dropped).toContainEqual({ path: "reasoning", reason: "state" })
    const plain = right(Pair.write(conversation, messages, responses, { model: "gpt-4o" }))
    expect(plain.body.include).toBeUndefined()
  })

  test("thoughts of another account are left out, and the ids of what stood beside them", () => {
    const { body, dropped } = right(
      responses.writeRequest(readAs(bodies["a task with all kinds of items"] as JsonObject), {
        model: "m",
        knowsSignatures: false
      })
    )
    const items = arrayOf(body.input) as ReadonlyArray<JsonObject>
    expect(items.some(({ type }) => type === "reasoning")).toBe(false)
    expect(items.filter(({ type }) => type === "function_call")[0]).not.toHaveProperty("id")
    expect(dropped).toEqual([{ path: "reasoning", reason: "state" }])
  })

  test("signatures of other dialects come back inside of what clients keep, and are not shown to OpenAI", () => {
    const thought = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "switchyard.messages.s.EuYB" }
    const call = { type: "function_call", call_id: "call_1__sig_gemini_bAAAA", name: "f", arguments: "{}" }
    const output = { type: "function_call_output", call_id: "call_1__sig_gemini_bAAAA", output: "x" }
    const body = { model: "m", input: [user, thought, call, output], stream: true }
    expect(readAs(body).turns[1]?.parts).toMatchObject([
      { type: "reasoning", signature: { dialect: "messages", value: "EuYB" } },
      { type: "toolCall", id: "call_1", signature: { dialect: "gemini", value: "AAAA" } }
    ])
    expect(responses.edit(body, { model: "gpt", stream: true, defaults: { text: { verbosity: "low" } } })).toEqual({
      model: "gpt",
      stream: true,
      text: { verbosity: "low" },
      input: [user, { ...call, call_id: "call_1" }, { ...output, call_id: "call_1" }]
    })
  })

  test("the same dialect keeps what it was given but for the model, by reference", () => {
    const body = { ...(bodies["all settings"] as JsonObject), input: [user] }
    const edited = responses.edit(body, { model: "gpt", stream: true, defaults: { temperature: 1, top_k: 3 } })
    expect(edited).toEqual({ ...body, model: "gpt", top_k: 3 })
    expect(Object.keys(edited)).toEqual([...Object.keys(body), "top_k"])
    expect(edited.input).toBe(body.input)
  })

  test("defaults in chat's words are in its own", () => {
    expect(
      responses.defaults({
        max_tokens: 9,
        reasoning_effort: "low",
        reasoning: { summary: "auto" },
        response_format: { type: "json_schema", json_schema: { name: "n", schema: {} } },
        verbosity: "low",
        temperature: 1
      })
    ).toEqual({
      max_output_tokens: 9,
      reasoning: { effort: "low", summary: "auto" },
      text: { format: { type: "json_schema", name: "n", schema: {} }, verbosity: "low" },
      temperature: 1
    })
  })
})
