import type { JsonObject } from "@switchyard/core/Json"
import { chat as chatDialect } from "@switchyard/dialects/Chat"
import type { Conversation, Part, Settings, Turn } from "@switchyard/dialects/Conversation"
import { countRequest, messages } from "@switchyard/dialects/Messages"
import * as Pair from "@switchyard/dialects/Pair"
import type { WriteOptions, Written } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { describe, expect, test } from "vitest"

const read = (body: JsonObject): Conversation => {
  const found = messages.readRequest(body)
  if (Either.isLeft(found)) throw new Error(JSON.stringify(found.left))
  return found.right
}

const problemsOf = (body: JsonObject): ReadonlyArray<string> => {
  const found = messages.readRequest(body)
  return Either.isLeft(found) ? found.left.map(({ path }) => path) : []
}

const write = (conversation: Conversation, options: Partial<WriteOptions> = {}): Written => {
  const found = messages.writeRequest(conversation, { model: conversation.model, ...options })
  if (Either.isLeft(found)) throw new Error(JSON.stringify(found.left))
  return found.right
}

const right = <A>(found: Either.Either<A, unknown>): A => {
  if (Either.isLeft(found)) throw new Error(JSON.stringify(found.left))
  return found.right
}

const text = (said: string): Part => ({ type: "text", text: said })

const turn = (role: Turn["role"], at: number, ...parts: ReadonlyArray<Part | string>): Turn => ({
  role,
  at,
  parts: parts.map((part) => (typeof part === "string" ? text(part) : part))
})

const call = (id: string | undefined, name: string, given = "{}"): Part => ({
  type: "toolCall",
  id,
  name,
  kind: "function",
  arguments: given
})

const result = (id: string | undefined, said: string, name?: string): Part => ({
  type: "toolResult",
  id,
  name,
  kind: "function",
  isBare: true,
  content: [text(said)]
})

/** A conversation that came in chat's dialect. */
const chat = (turns: ReadonlyArray<Turn>, settings: Settings = {}, more: Partial<Conversation> = {}): Conversation => ({
  origin: "chat",
  model: "claude-sonnet-4-5",
  stream: false,
  turns,
  tools: [],
  settings,
  extra: {},
  ...more
})

const hello = [turn("user", 0, "hi")]
const weather = { type: "function", name: "weather", parameters: { type: "object", properties: {} } } as const

const documented: Readonly<Record<string, JsonObject>> = {
  "a bare text": { messages: [{ role: "user", content: "Hello" }] },
  "every setting": {
    system: "Be short.",
    messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    stop_sequences: ["END"],
    stream: true,
    metadata: { user_id: "u-1" },
    service_tier: "standard_only",
    thinking: { type: "enabled", budget_tokens: 2048 },
    output_config: { effort: "high", format: { type: "json_schema", schema: { type: "object" } } }
  },
  "what only Anthropic has": {
    messages: [{ role: "user", content: "Hello" }],
    thinking: { type: "adaptive", display: "summarized" },
    output_config: { effort: "xhigh", task_budget: { type: "tokens", total: 64000 } },
    container: { id: "container_1", skills: [{ type: "anthropic", skill_id: "pptx", version: "latest" }] },
    mcp_servers: [{ type: "url", name: "wiki", url: "https://mcp.example.com" }],
    context_management: { edits: [{ type: "clear_tool_uses_20250919" }] },
    metadata: { user_id: "u-1", other: 1 },
    service_tier: "auto",
    inference_geo: "us",
    cache_control: { type: "ephemeral", ttl: "1h" }
  },
  "thinking switched off": { messages: [{ role: "user", content: "Hello" }], thinking: { type: "disabled" } },
  "marks of the cache on the system, on tools and on parts": {
    system: [{ type: "text", text: "Long.", cache_control: { type: "ephemeral" } }],
    messages: [
      { role: "user", content: [{ type: "text", text: "Hello", cache_control: { type: "ephemeral", ttl: "1h" } }] },
      { role: "user", content: [{ type: "text", text: "All", cache_control: { type: "ephemeral", scope: "global" } }] }
    ],
    tools: [{ name: "f", description: "F.", input_schema: { type: "object" }, cache_control: { type: "ephemeral" } }]
  },
  "tools of all kinds, of which one call at a time is allowed": {
    messages: [{ role: "user", content: "Hello" }],
    tools: [
      { name: "f", input_schema: { type: "object" }, strict: true, defer_loading: true },
      { type: "custom", name: "g", description: "G.", input_schema: { type: "object" }, input_examples: [{ a: 1 }] },
      { type: "web_search_20250305", name: "web_search", max_uses: 3 },
      { type: "mcp_toolset", mcp_server_name: "wiki" }
    ],
    tool_choice: { type: "any", disable_parallel_tool_use: true }
  },
  "a server tool that is forced": {
    messages: [{ role: "user", content: "Hello" }],
    tools: [{ type: "web_search_20250305", name: "web_search" }],
    tool_choice: { type: "tool", name: "web_search" }
  },
  "images, documents and files": {
    messages: [
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
          { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
          { type: "image", source: { type: "file", file_id: "file_1" } },
          { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }, title: "A" },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "abc" }, context: "C" },
          {
            type: "document",
            source: { type: "content", content: [{ type: "text", text: "abc" }] },
            citations: { enabled: true }
          },
          { type: "search_result", source: "https://e.com", title: "T", content: [{ type: "text", text: "abc" }] },
          { type: "container_upload", file_id: "file_2" },
          { type: "something_new", of: [1, 2.5, null] }
        ]
      }
    ]
  },
  "a loop of tools with thoughts, and instructions in the middle": {
    messages: [
      { role: "user", content: "Weather?" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm.", signature: "EqQBCg==" },
          { type: "redacted_thinking", data: "EmwKAhgB" },
          {
            type: "text",
            text: "One moment.",
            citations: [{ type: "char_location", cited_text: "a", document_index: 0 }]
          },
          { type: "tool_use", id: "toolu_1", name: "f", input: { a: 1 }, caller: { type: "direct" } },
          { type: "tool_use", id: "toolu_2", name: "f", input: {} }
        ]
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "toolu_1", content: "12", is_error: false },
          { type: "tool_result", tool_use_id: "toolu_2", content: [{ type: "text", text: "13" }], is_error: true },
          { type: "tool_result", tool_use_id: "toolu_3" },
          { type: "text", text: "And now?" }
        ]
      },
      { role: "system", content: "Be brief." },
      {
        role: "assistant",
        content: [
          { type: "compaction", content: "They talked." },
          { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } },
          { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] }
        ]
      }
    ],
    thinking: { type: "enabled", budget_tokens: 1024 }
  }
}

describe("requests of Anthropic's dialect", () => {
  test.each(Object.entries(documented))("%s is written as it was read", (_, given) => {
    const body = { model: "claude-sonnet-4-5", max_tokens: 2000, ...given }
    const { body: written, dropped } = write(read(body))
    expect(written).toEqual(body)
    expect(dropped).toEqual([])
  })

  test("parts that other dialects know are read as such", () => {
    const { turns } = read({ model: "m", ...documented["images, documents and files"] })
    expect(turns[0]?.parts.map((part) => part.type)).toEqual([
      "image",
      "image",
      "image",
      "file",
      "file",
      "file",
      "file",
      "file",
      "opaque"
    ])
  })

  test("the beta's spelling of a form is written as it is now", () => {
    const format = { type: "json_schema", schema: { type: "object" } }
    const body = { model: "m", max_tokens: 1, messages: [{ role: "user", content: "a" }], output_format: format }
    expect(write(read(body)).body.output_config).toEqual({ format })
  })

  test.each<[string, JsonObject, string]>([
    ["no messages", { model: "m" }, "messages"],
    ["messages that are none", { model: "m", messages: "a" }, "messages"],
    ["a message that is no object", { model: "m", messages: [null] }, "messages[0]"],
    ["a role that is none", { model: "m", messages: [{ role: "tool", content: "a" }] }, "messages[0].role"],
    ["content that is none", { model: "m", messages: [{ role: "user", content: 1 }] }, "messages[0].content"],
    ["a block that is none", { model: "m", messages: [{ role: "user", content: [7] }] }, "messages[0].content[0]"],
    [
      "a text that is none",
      { model: "m", messages: [{ role: "user", content: [{ type: "text" }] }] },
      "messages[0].content[0].text"
    ],
    [
      "a result without a call's id",
      { model: "m", messages: [{ role: "user", content: [{ type: "tool_result", content: "a" }] }] },
      "messages[0].content[0].tool_use_id"
    ],
    ["no model", { messages: [] }, "model"],
    ["a bound in words", { model: "m", messages: [], max_tokens: "many" }, "max_tokens"],
    ["stop sequences that are none", { model: "m", messages: [], stop_sequences: [1] }, "stop_sequences"],
    ["thinking that is none", { model: "m", messages: [], thinking: true }, "thinking"],
    ["a choice of tool that is none", { model: "m", messages: [], tool_choice: "auto" }, "tool_choice"],
    ["a tool without a name", { model: "m", messages: [], tools: [{}] }, "tools[0].name"],
    ["tools that are none", { model: "m", messages: [], tools: {} }, "tools"]
  ])("%s is refused by name", (_, body, path) => {
    expect(problemsOf(body)).toEqual([path])
  })

  test("all problems are named at once, but not millions of them", () => {
    expect(problemsOf({ messages: Array.from({ length: 100 }, () => 1), tools: 1 })).toHaveLength(8)
  })

  test("a count is asked for without what a counter refuses", () => {
    const counted = countRequest({ model: "m", max_tokens: 1, stream: true, temperature: 1, messages: [], system: "a" })
    expect(counted).toEqual({ model: "m", messages: [], system: "a" })
  })
})

describe("conversations of other dialects, for Anthropic", () => {
  test("instructions at the beginning are the system's, later ones are marked turns of the user", () => {
    const { body } = write(
      chat([
        turn("system", 0, "One."),
        turn("developer", 1, "Two."),
        turn("user", 2, "a"),
        turn("assistant", 3, "b"),
        turn("system", 4, "Three."),
        turn("user", 5, "c")
      ])
    )
    expect(body.system).toEqual([
      { type: "text", text: "One." },
      { type: "text", text: "Two." }
    ])
    expect(body.messages).toEqual([
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      {
        role: "user",
        content: [
          { type: "text", text: "<system>\nThree.\n</system>" },
          { type: "text", text: "c" }
        ]
      }
    ])
  })

  test("results stand in one turn of the user, in call order, before text", () => {
    const { body } = write(
      chat([
        turn("user", 0, "a"),
        turn("assistant", 1, "", call("call_1", "f", '{"x":1}'), call("call.2", "g")),
        turn("tool", 2, result("call.2", "two")),
        turn("user", 3, "and"),
        turn("tool", 4, result("call_1", "one")),
        turn("assistant", 5, "done"),
        turn("user", 6, "b")
      ])
    )
    const turns = body.messages as ReadonlyArray<{ readonly content: ReadonlyArray<JsonObject> }>
    const [first, second] = turns[1]?.content ?? []
    expect(first).toEqual({ type: "tool_use", id: "call_1", name: "f", input: { x: 1 } })
    expect(second?.id).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
    expect(turns[2]?.content).toEqual([
      { type: "tool_result", tool_use_id: "call_1", content: "one" },
      { type: "tool_result", tool_use_id: second?.id, content: "two" },
      { type: "text", text: "and" }
    ])
  })

  test("calls and results without ids get the same from their place", () => {
    const { body } = write(
      chat([
        turn("user", 0, "a"),
        turn("assistant", 1, call(undefined, "f")),
        turn("tool", 2, result(undefined, "1", "f"))
      ])
    )
    const turns = body.messages as ReadonlyArray<{ readonly content: ReadonlyArray<JsonObject> }>
    expect(turns[1]?.content[0]?.id).toBe(turns[2]?.content[0]?.tool_use_id)
  })

  test.each<[string, ReadonlyArray<Turn>, RegExp]>([
    [
      "a call without a result",
      [turn("user", 0, "a"), turn("assistant", 1, call("c1", "f")), turn("user", 2, "b")],
      /result is missing for call c1/
    ],
    ["a result without a call", [turn("user", 0, "a"), turn("tool", 1, result("c1", "b"))], /none for c1/]
  ])("%s is refused", (_, turns, expected) => {
    const written = messages.writeRequest(chat(turns), { model: "claude" })
    expect(Either.isLeft(written) && written.left[0]?.expected).toMatch(expected)
  })

  test("arguments that are no JSON object are wrapped as Anthropic advises", () => {
    const { body } = write(chat([turn("user", 0, "a"), turn("assistant", 1, call("c", "f", '{"cut'))]))
    expect(JSON.stringify(body.messages)).toContain('{"INVALID_JSON":"{\\"cut"}')
  })

  test("a conversation without a user begins with one", () => {
    expect(write(chat([turn("system", 0, "Go.")])).body).toMatchObject({ messages: [{ role: "user", content: "Go." }] })
    expect(write(chat([turn("assistant", 0, "a "), turn("user", 1, "b")])).body.messages).toEqual([
      { role: "user", content: "Continue." },
      { role: "assistant", content: "a " },
      { role: "user", content: "b" }
    ])
    const prefill = write(chat([turn("user", 0, "a"), turn("assistant", 1, "b \n")])).body.messages
    expect(prefill).toEqual([
      { role: "user", content: "a" },
      { role: "assistant", content: "b" }
    ])
  })

  test("without a bound it is the model's own, else 4,096; a larger one than the model's is the model's", () => {
    expect(write(chat(hello)).body.max_tokens).toBe(4096)
    expect(write(chat(hello), { maxOutput: 64000 }).body.max_tokens).toBe(64000)
    expect(write(chat(hello, { maxOutput: 100 }), { maxOutput: 64000 }).body.max_tokens).toBe(100)
    expect(write(chat(hello, { maxOutput: 100000 }), { maxOutput: 64000 }).body.max_tokens).toBe(64000)
  })

  test.each<[string, Settings, JsonObject, ReadonlyArray<string>]>([
    [
      "claude-sonnet-4-5",
      { reasoning: { effort: "low" }, maxOutput: 8000 },
      { thinking: { type: "enabled", budget_tokens: 2048 } },
      []
    ],
    [
      "claude-sonnet-4-5",
      { reasoning: { effort: "high" }, maxOutput: 4096 },
      { thinking: { type: "enabled", budget_tokens: 3072 } },
      []
    ],
    ["claude-sonnet-4-5", { reasoning: { effort: "high" }, maxOutput: 500 }, {}, ["thinking"]],
    ["claude-sonnet-4-5", { reasoning: { effort: "none" } }, {}, []],
    ["claude-3-5-sonnet-20241022", { reasoning: { effort: "low" } }, {}, ["thinking"]],
    [
      "anthropic.claude-opus-4-6-v1:0",
      { reasoning: { effort: "xhigh" } },
      { thinking: { type: "adaptive" }, output_config: { effort: "high" } },
      []
    ],
    [
      "claude-opus-4-7",
      { reasoning: { budget: 2000 }, temperature: 0.2, topP: 1 },
      { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "low" } },
      ["temperature"]
    ],
    ["claude-sonnet-4-5", { temperature: 1.5, topP: 0.9 }, { temperature: 1 }, ["temperature", "top_p"]],
    ["claude-3-7-sonnet-20250219", { temperature: 0.5, topP: 0.9 }, { temperature: 0.5, top_p: 0.9 }, []],
    ["claude-sonnet-4@20250514", { temperature: 0.5, topP: 0.9 }, { temperature: 0.5, top_p: 0.9 }, []],
    ["claude-opus-4-7", { temperature: 0.5, topK: 3 }, {}, ["temperature", "top_k"]],
    ["claude-sonnet-4-5", { stop: ["END"], user: "u" }, { stop_sequences: ["END"], metadata: { user_id: "u" } }, []],
    ["claude-sonnet-4-5", { serviceTier: "flex" }, {}, ["service_tier"]],
    ["claude-sonnet-4-5", { serviceTier: "priority" }, { service_tier: "auto" }, []],
    [
      "claude-sonnet-4-5",
      { format: { type: "schema", schema: { type: "object", properties: { a: { type: "number", minimum: 1 } } } } },
      {
        output_config: {
          format: {
            type: "json_schema",
            schema: {
              type: "object",
              properties: { a: { type: "number", description: "(minimum: 1)" } },
              additionalProperties: false
            }
          }
        }
      },
      []
    ],
    [
      "claude-sonnet-4-5",
      { format: { type: "json" } },
      { system: "Answer with one JSON object, and with nothing before or after it." },
      ["output_config.format"]
    ]
  ])("%s takes %j as %j", (model, settings, expected, dropped) => {
    const { body, dropped: told } = write(chat(hello, settings), { model })
    const { max_tokens: _, messages: __, model: ___, ...rest } = body
    expect(rest).toEqual(expected)
    expect(told.map(({ path }) => path)).toEqual(dropped)
  })

  test("tools and the choice among them", () => {
    const free = { type: "custom", name: "patch", description: "P." } as const
    const bare = { type: "function", name: "now", strict: true } as const
    const given = chat(hello, { parallelTools: false }, { tools: [weather, free, bare] })
    const { body } = write({ ...given, toolChoice: { type: "required" } })
    expect(body.tool_choice).toEqual({ type: "any", disable_parallel_tool_use: true })
    expect(body.tools).toEqual([
      { name: "weather", input_schema: { type: "object", properties: {} } },
      {
        name: "patch",
        description: "P.",
        input_schema: {
          type: "object",
          properties: { input: { type: "string", description: "The whole input of the tool, as it is" } },
          required: ["input"],
          additionalProperties: false
        }
      },
      { name: "now", input_schema: { type: "object", properties: {} }, strict: true }
    ])
    const allowed = write({ ...given, toolChoice: { type: "allowed", names: ["now"], isRequired: true } }).body
    expect(allowed.tools).toHaveLength(1)
    expect(allowed.tool_choice).toEqual({ type: "any", disable_parallel_tool_use: true })
    const none = write({ ...given, settings: {}, toolChoice: { type: "none" } }).body
    expect(none.tool_choice).toEqual({ type: "none" })
    expect(write(chat(hello, { parallelTools: false })).body.tool_choice).toBeUndefined()
  })

  test("sounds and films are refused by the caller's name of them, or left out where that is allowed", () => {
    const sound: Part = { type: "audio", source: { kind: "bytes", mime: "audio/wav", data: "AA==" } }
    const given = chat([turn("user", 3, "a", sound)])
    const refused = messages.writeRequest(given, { model: "m", pathOf: (at, part) => `input[${at}].${part}` })
    expect(Either.isLeft(refused) && refused.left.map(({ path }) => path)).toEqual(["input[3].1"])
    const { body, dropped } = write(given, { dropsMeaning: true })
    expect(body.messages).toEqual([{ role: "user", content: "a" }])
    expect(dropped).toEqual([{ path: "messages[3].content[1]", reason: "meaning" }])
  })
})

describe("thoughts and their signatures", () => {
  const thought = (value: string, dialect: "messages" | "gemini"): Part => ({
    type: "reasoning",
    text: "Hm.",
    signature: { dialect, value }
  })
  const loop = (...parts: ReadonlyArray<Part>): ReadonlyArray<Turn> => [
    turn("user", 0, "a"),
    turn("assistant", 1, ...parts, call("c1", "f")),
    turn("tool", 2, result("c1", "1"))
  ]
  const thinking = { reasoning: { effort: "low" }, maxOutput: 8000 }

  test("of another dialect are left out of a loop, and thinking with them", () => {
    const { body, dropped } = write(chat(loop(thought("x", "gemini")), thinking))
    expect(body.thinking).toBeUndefined()
    expect(JSON.stringify(body.messages)).not.toContain("Hm.")
    expect(dropped).toEqual([
      { path: "messages[1].content[0]", reason: "state" },
      { path: "thinking", reason: "state" }
    ])
  })

  test("of Anthropic's own go on", () => {
    const { body, dropped } = write(chat(loop(thought("x", "messages")), thinking))
    expect(body.thinking).toEqual({ type: "enabled", budget_tokens: 2048 })
    expect(dropped).toEqual([])
  })

  test("of another account are left out of Anthropic's own requests, with edits that need thinking", () => {
    const body = {
      model: "claude-sonnet-4-5",
      max_tokens: 4000,
      messages: [
        { role: "user", content: "a" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "Hm.", signature: "x" },
            { type: "tool_use", id: "t", name: "f", input: {} }
          ]
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "1" }] }
      ],
      thinking: { type: "enabled", budget_tokens: 2000 },
      context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] }
    }
    const { body: written } = write(read(body), { knowsSignatures: false })
    expect(written.thinking).toBeUndefined()
    expect(written.context_management).toBeUndefined()
    expect(written.messages).toEqual([
      body.messages[0],
      { role: "assistant", content: [{ type: "tool_use", id: "t", name: "f", input: {} }] },
      body.messages[2]
    ])
  })

  test("thinking is off where a tool is forced, or the answer's beginning is given", () => {
    const forced = chat(hello, thinking, { tools: [weather], toolChoice: { type: "required" } })
    expect(write(forced).body.thinking).toBeUndefined()
    expect(write(forced).dropped).toEqual([{ path: "thinking", reason: "advisory" }])
    expect(write(chat([...hello, turn("assistant", 1, "b")], thinking)).body.thinking).toBeUndefined()
  })

  test("another dialect's signature comes back out of the id of a call and out of a thought", () => {
    const answer = messages.writeAnswer(
      {
        choices: [
          {
            parts: [
              { type: "reasoning", text: "", id: "rs_1", signature: { dialect: "responses", value: "gAAA+/=" } },
              { ...(call("c1", "f") as object), signature: { dialect: "gemini", value: "abc" } } as Part
            ],
            finish: "toolCalls"
          }
        ]
      },
      { conversation: chat([]), id: "1", created: 0 }
    )
    const { turns } = read({ model: "m", messages: [{ role: "assistant", content: answer.content }] })
    expect(turns[0]?.parts).toMatchObject([
      { type: "reasoning", id: "rs_1", signature: { dialect: "responses", value: "gAAA+/=" } },
      { type: "toolCall", id: "c1", signature: { dialect: "gemini", value: "abc" } }
    ])
  })
})

describe("what asks for nothing", () => {
  test("is left out in silence: a bias without tokens, penalties of zero, a single choice", () => {
    const asked = (more: JsonObject) =>
      Pair.write(
        right(chatDialect.readRequest({ model: "m", messages: [{ role: "user", content: "a" }], ...more })),
        chatDialect,
        messages,
        { model: "claude" }
      )
    const idle = { logit_bias: {}, presence_penalty: 0, frequency_penalty: 0, n: 1, logprobs: false, top_logprobs: 0 }
    expect(right(asked(idle)).dropped).toEqual([])
    const biased = asked({ logit_bias: { "5": 1 } })
    expect(Either.isLeft(biased) && biased.left.map(({ path }) => path)).toEqual(["logit_bias"])
  })
})

describe("what is Anthropic's own business", () => {
  const note = { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.117; cc_entrypoint=cli; cch=71fea;" }
  const asked = right(
    messages.readRequest({
      model: "claude",
      max_tokens: 10,
      system: [note, { type: "text", text: "Be brief." }],
      messages: [{ role: "user", content: "a" }]
    })
  )

  test("the billing note that Claude Code changes in each request goes to no other, whose cache it would spoil", () => {
    const { body, dropped } = right(Pair.write(asked, messages, chatDialect, { model: "m" }))
    expect(body.messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "a" }
    ])
    expect(dropped).toEqual([{ path: "system[0]", reason: "advisory" }])
    expect(right(messages.writeRequest(asked, { model: "claude" })).body.system).toEqual([
      note,
      { type: "text", text: "Be brief." }
    ])
  })

  test("words about it are words", () => {
    const system = [{ type: "text", text: "x-anthropic-billing-header: is a header.\nSay what it is for." }]
    const read = right(
      messages.readRequest({ model: "m", max_tokens: 1, system, messages: [{ role: "user", content: "a" }] })
    )
    expect(read.turns[0]?.parts).toMatchObject([{ type: "text" }])
  })

  test("the form of the answer in the beta's own spelling is a form for others, too", () => {
    const schema = { type: "object", properties: {}, additionalProperties: false }
    const request = (output_format: JsonObject) =>
      right(
        messages.readRequest({ model: "m", max_tokens: 1, output_format, messages: [{ role: "user", content: "a" }] })
      )
    const said = Pair.write(request({ type: "json_schema", schema }), messages, chatDialect, { model: "m" })
    expect(right(said).body.response_format).toMatchObject({ json_schema: { schema } })
    const odd = Pair.write(request({ type: "poem" }), messages, chatDialect, { model: "m" })
    expect(Either.isLeft(odd) && odd.left.map(({ path }) => path)).toEqual(["output_format"])
  })
})

describe("the same dialect in and out", () => {
  test("all stays but for the model, the stream, and defaults below", () => {
    const body = {
      model: "group",
      thinking: { type: "adaptive" },
      messages: [{ role: "user", content: "a" }],
      odd: 1.5
    }
    const edited = messages.edit(body, {
      model: "claude-x",
      stream: true,
      defaults: messages.defaults({ max_completion_tokens: 5, stop: "x", seed: 1, odd: 2, top_k: 3 })
    })
    expect(edited).toEqual({ ...body, model: "claude-x", stream: true, max_tokens: 5, stop_sequences: ["x"], top_k: 3 })
    expect(Object.keys(edited).slice(0, 4)).toEqual(["model", "thinking", "messages", "odd"])
  })

  test("an effort that is set for a deployment is said as its model takes it", () => {
    const defaults = messages.defaults({ reasoning_effort: "high" })
    const edited = (model: string) => messages.edit({ messages: [] }, { model, stream: false, defaults })
    expect(edited("claude-opus-4-7")).toMatchObject({
      thinking: { type: "adaptive" },
      output_config: { effort: "high" }
    })
    expect(edited("claude-opus-4-1")).toMatchObject({ thinking: { type: "enabled", budget_tokens: 24576 } })
  })

  test("an effort that is set for a deployment stands beside the form of the answer, its own or the caller's", () => {
    const schema = { type: "object" }
    const given = { reasoning_effort: "max", response_format: { type: "json_schema", json_schema: { schema } } }
    const edits = { model: "claude-opus-4-7", stream: false, defaults: messages.defaults(given) }
    const format = { type: "json_schema", schema }
    expect(messages.edit({ messages: [] }, edits).output_config).toEqual({ effort: "max", format })
    const own = { format: { type: "json_schema", schema: { type: "array" } } }
    expect(messages.edit({ messages: [], output_config: own }, edits).output_config).toEqual({ effort: "max", ...own })
    const low = { effort: "low" }
    expect(messages.edit({ messages: [], output_config: low }, edits).output_config).toEqual({ ...low, format })
  })
})
