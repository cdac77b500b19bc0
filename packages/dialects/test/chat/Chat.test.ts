import { ChunkFold } from "@switchyard/core/ChunkFold"
import type { JsonObject } from "@switchyard/core/Json"
import { Dice } from "@switchyard/testing/Dice"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { chat } from "../../src/chat/Chat.js"
import type { AnswerEvent } from "../../src/conversation/Answer.js"
import type { Conversation, Part, Turn } from "../../src/conversation/Conversation.js"
import { withSignature } from "../../src/parts/toolIds.js"
import type { WireEvent } from "../../src/Translator.js"
import { AnswerFold } from "../../src/words/AnswerFold.js"

const right = <A>(either: Either.Either<A, unknown>): A => {
  if (Either.isLeft(either)) throw new Error(JSON.stringify(either.left))
  return either.right
}
const left = <E>(either: Either.Either<unknown, E>): E => {
  if (Either.isRight(either)) throw new Error("it was accepted")
  return either.left
}
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const user = { role: "user", content: "hi" }
const get = { type: "function", function: { name: "get", description: "d", parameters: { type: "object" } } }
const call = { id: "call_1", type: "function", function: { name: "get", arguments: '{"a":1}' } }

const requests: Readonly<Record<string, JsonObject>> = {
  "plain words": { messages: [user] },
  "every setting": {
    messages: [user],
    stream: true,
    max_completion_tokens: 5,
    temperature: 0.5,
    top_p: 1,
    top_k: 3,
    seed: 1,
    stop: ["a", "b"],
    n: 2,
    presence_penalty: 0.1,
    frequency_penalty: 0.2,
    logprobs: true,
    top_logprobs: 3,
    parallel_tool_calls: false,
    reasoning_effort: "low",
    verbosity: "high",
    modalities: ["text", "audio"],
    audio: { voice: "alloy", format: "wav" },
    user: "u",
    prompt_cache_key: "k",
    service_tier: "flex",
    metadata: { a: "b" },
    store: true,
    stream_options: { include_usage: true },
    logit_bias: { "5": 1 },
    safety_identifier: "s",
    prediction: { type: "content", content: "x" },
    web_search_options: {}
  },
  "settings in other spellings": {
    messages: [user],
    stream: false,
    max_tokens: 5,
    stop: "a",
    temperature: null,
    logprobs: false,
    reasoning: { effort: "high", exclude: true },
    thinking: { type: "enabled", budget_tokens: 2000 },
    tool_choice: "any"
  },
  "both bounds": { messages: [user], max_tokens: 5, max_completion_tokens: 7 },
  "a form of the answer": {
    messages: [user],
    response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "object" }, strict: true } }
  },
  "any JSON": { messages: [user], response_format: { type: "json_object" } },
  "all kinds of parts": {
    messages: [
      { role: "system", content: [{ type: "text", text: "s", cache_control: { type: "ephemeral", ttl: "1h" } }] },
      { role: "developer", content: "d", name: "dev" },
      {
        role: "user",
        content: [
          "bare",
          { type: "text", text: "t" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
          { type: "image_url", image_url: "https://a.example/b.png" },
          { type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } },
          { type: "video_url", video_url: { url: "https://a.example/b.mp4" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" } },
          { type: "file", file: { file_id: "file-1" } },
          { type: "document_url", document_url: "https://a.example/b.pdf" },
          { type: "unheard_of", x: 1 }
        ]
      }
    ]
  },
  "calls and results": {
    messages: [
      user,
      { role: "assistant", content: null, tool_calls: [call, { ...call, id: "call_2", index: 1 }] },
      { role: "tool", tool_call_id: "call_1", content: "one" },
      { role: "tool", tool_call_id: "call_2", content: [{ type: "text", text: "two" }] },
      { role: "assistant", tool_calls: [{ id: "c", type: "custom", custom: { name: "patch", input: "*** x" } }] },
      { role: "tool", tool_call_id: "c", content: "ok" },
      { role: "assistant", content: "Par", prefix: true }
    ],
    tools: [
      get,
      { type: "custom", custom: { name: "patch", format: { type: "text" } } },
      { function: { name: "bare" } }
    ],
    tool_choice: { type: "function", function: { name: "get" } }
  },
  "tools of the provider, and some of them only": {
    messages: [user],
    tools: [{ type: "openrouter:web_search", parameters: {} }, get],
    tool_choice: {
      type: "allowed_tools",
      allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "get" } }] }
    }
  },
  "functions, as they were once": {
    messages: [
      user,
      { role: "assistant", content: null, function_call: { name: "get", arguments: "{}" } },
      { role: "function", name: "get", content: "r" }
    ],
    functions: [{ name: "get", parameters: { type: "object" } }],
    function_call: { name: "get" }
  },
  "thoughts in every spelling": {
    messages: [
      { role: "assistant", content: "a", reasoning_content: "t" },
      { role: "assistant", content: "a", reasoning: "t" },
      {
        role: "assistant",
        content: "a",
        reasoning: "t",
        reasoning_details: [
          { type: "reasoning.summary", summary: "t", format: "openai-responses-v1", index: 0 },
          { type: "reasoning.encrypted", data: "gAAA", id: "rs_1", format: "openai-responses-v1", index: 0 }
        ]
      },
      {
        role: "assistant",
        content: "a",
        reasoning_content: "t",
        thinking_blocks: [{ type: "thinking", thinking: "t", signature: "sig" }]
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "t" }] },
          { type: "text", text: "a" }
        ]
      }
    ]
  },
  "an answer that is sent back as it came": {
    messages: [
      {
        role: "assistant",
        content: "a",
        refusal: null,
        annotations: [],
        audio: null,
        tool_calls: null,
        function_call: null
      },
      { role: "assistant", content: null, refusal: "no" },
      { role: "assistant", content: null, audio: { id: "audio_1" } },
      { role: "assistant", content: "" },
      { role: "user", content: "", name: null }
    ]
  }
}

describe("chat requests", () => {
  it.each(Object.entries(requests))("are written as they were read: %s", (_, request) => {
    const body = { model: "m", ...request }
    const written = right(chat.writeRequest(right(chat.readRequest(body)), { model: "m" }))
    expect(plain(written.body)).toEqual(body)
    expect(written.dropped).toEqual([])
  })

  it("may have the mark of the cache beside a content that is a string: it is the last part's", () => {
    const mark = { cache_control: { type: "ephemeral" } }
    const { turns } = right(
      chat.readRequest({
        messages: [
          { role: "system", content: "s", ...mark },
          { role: "assistant", content: "t", tool_calls: [call], ...mark },
          { role: "tool", tool_call_id: "call_1", content: "r", ...mark },
          user
        ]
      })
    )
    expect(turns.map(({ parts }) => parts.map(({ cache }) => cache))).toEqual([
      [{}],
      [undefined, {}],
      [{}],
      [undefined]
    ])
  })

  it("are refused by the names of the fields that are wrong", () => {
    const problems = left(
      chat.readRequest({
        messages: [{ role: "wizard" }, 5, { role: "user", content: 5 }],
        temperature: "hot",
        tools: {},
        tool_choice: 5,
        response_format: { type: "json_schema" },
        stop: 5
      })
    )
    expect(problems.map(({ path }) => path).sort()).toEqual([
      "messages[0].role",
      "messages[1]",
      "messages[2].content",
      "response_format",
      "stop",
      "temperature",
      "tool_choice",
      "tools"
    ])
    expect(left(chat.readRequest({})).map(({ path }) => path)).toEqual(["messages"])
  })

  it("never throw, whatever is in them", () => {
    const dice = new Dice(7)
    const junk = [null, 5, "x", [], {}, [null], { type: "text" }, [[]], true, { function: null }] as const
    const spoil = (value: unknown): unknown => {
      if (dice.roll() < 0.06) return dice.pick(junk)
      if (Array.isArray(value)) return value.map(spoil)
      if (typeof value !== "object" || value === null) return value
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spoil(inner)]))
    }
    for (let round = 0; round < 150; round++) {
      for (const request of Object.values(requests)) {
        const body = spoil(request)
        const read = chat.readRequest(typeof body === "object" && body !== null ? (body as JsonObject) : {})
        if (Either.isRight(read))
          chat.writeRequest({ ...read.right, origin: round % 2 === 0 ? "chat" : "messages" }, { model: "m" })
      }
    }
  })

  it("read reasoning, bounds and choices in every spelling", () => {
    const read = (fields: JsonObject) => right(chat.readRequest({ messages: [user], ...fields }))
    expect(read({ max_tokens: 5, max_completion_tokens: 7 }).settings.maxOutput).toBe(7)
    expect(read({ reasoning: { effort: "high", max_tokens: 9 } }).settings.reasoning).toMatchObject({
      effort: "high",
      budget: 9
    })
    expect(read({ thinking: { type: "disabled" } }).settings.reasoning).toEqual({ mode: "off" })
    expect(read({ tool_choice: "any" }).toolChoice).toEqual({ type: "required" })
    expect(read({ function_call: { name: "f" } }).toolChoice).toEqual({ type: "tool", name: "f", kind: "function" })
    expect(read({ logprobs: true }).settings.logprobs).toBe(true)
    expect(right(chat.readRequest({ messages: [user] }, { model: "given", stream: true }))).toMatchObject({
      model: "given",
      stream: true
    })
  })
})

const foreign = (turns: ReadonlyArray<Turn>, more: Partial<Conversation> = {}): Conversation => ({
  origin: "messages",
  model: "m",
  stream: false,
  turns,
  tools: [],
  settings: {},
  extra: {},
  ...more
})
const words = (text: string): Part => ({ type: "text", text })

describe("another dialect's requests as chat", () => {
  it("have results in call order, pictures of tools behind them, and ids that fit", () => {
    const id = `toolu_${"x".repeat(60)}`
    const { body, dropped } = right(
      chat.writeRequest(
        foreign([
          { role: "system", parts: [words("s1"), words("s2")], at: -1 },
          {
            role: "assistant",
            at: 1,
            parts: [
              { type: "reasoning", text: "hm", signature: { dialect: "messages", value: "sig" } },
              words("I look."),
              { type: "toolCall", id, name: "look", kind: "function", arguments: "" },
              {
                type: "toolCall",
                id: "b",
                name: "mcp__files__read",
                namespace: "mcp__files",
                kind: "function",
                arguments: "{}"
              }
            ]
          },
          {
            role: "user",
            at: 2,
            parts: [
              words("and?"),
              { type: "toolResult", id: "b", kind: "function", content: [words("text")] },
              {
                type: "toolResult",
                id,
                kind: "function",
                content: [{ type: "image", source: { kind: "bytes", mime: "image/png", data: "AAAA" } }]
              }
            ]
          }
        ]),
        { model: "gpt" }
      )
    )
    const messages = body.messages as ReadonlyArray<JsonObject>
    const calls = messages[1]?.tool_calls as ReadonlyArray<JsonObject>
    expect(messages.map(({ role }) => role)).toEqual(["system", "assistant", "tool", "tool", "user", "user"])
    expect(messages[0]?.content).toBe("s1\ns2")
    expect(messages[1]).not.toHaveProperty("reasoning_content")
    expect(String(calls[0]?.id).length).toBeLessThanOrEqual(40)
    expect(calls.map((one) => one.function)).toEqual([
      { name: "look", arguments: "{}" },
      { name: "mcp__files__read", arguments: "{}" }
    ])
    expect(messages[2]?.tool_call_id).toBe(calls[0]?.id)
    expect(messages[3]).toEqual({ role: "tool", tool_call_id: "b", content: "text" })
    expect(JSON.stringify(messages[4])).toContain("data:image/png;base64,AAAA")
    expect(dropped).toEqual([{ path: "messages[1]", reason: "state" }])
  })

  it("keep thoughts for a provider that reads them", () => {
    const turns: ReadonlyArray<Turn> = [
      { role: "assistant", at: 0, parts: [{ type: "reasoning", text: "hm" }, words("a")] }
    ]
    const { body, dropped } = right(chat.writeRequest(foreign(turns), { model: "m", keepsReasoning: true }))
    expect(body.messages).toEqual([{ role: "assistant", content: "a", reasoning_content: "hm" }])
    expect(dropped).toEqual([])
  })

  it("are refused by name where chat has no word for it", () => {
    const parts: ReadonlyArray<Part> = [
      { type: "file", source: { kind: "url", url: "https://a.example/x.pdf" } },
      { type: "audio", source: { kind: "url", url: "https://a.example/x.mp3" } }
    ]
    const problems = left(chat.writeRequest(foreign([{ role: "user", parts, at: 0 }]), { model: "m" }))
    expect(problems.map(({ path }) => path)).toEqual(["messages[0].content[0]", "messages[0].content[1]"])
    const { dropped } = right(
      chat.writeRequest(foreign([{ role: "user", parts, at: 0 }]), { model: "m", dropsMeaning: true })
    )
    expect(dropped.map(({ reason }) => reason)).toEqual(["meaning", "meaning"])
  })

  it("keep marks of the cache for a provider that reads them in a content", () => {
    const marked: Part = { type: "text", text: "long", cache: { ttl: "1h" } }
    const asked = foreign([
      { role: "system", parts: [words("be"), marked], at: -1 },
      { role: "user", parts: [words("x")], at: 0 }
    ])
    const kept = right(chat.writeRequest(asked, { model: "m", keepsCacheMarks: true }))
    expect(kept.body.messages).toEqual([
      {
        role: "system",
        content: [
          { type: "text", text: "be" },
          { type: "text", text: "long", cache_control: { type: "ephemeral", ttl: "1h" } }
        ]
      },
      { role: "user", content: "x" }
    ])
    expect(kept.dropped).toEqual([])
    const plainly = right(chat.writeRequest(asked, { model: "m" }))
    expect(plainly.body.messages).toMatchObject([{ content: "be\nlong" }, { content: "x" }])
    expect(plainly.dropped).toHaveLength(1)
  })

  it("say settings in OpenAI's words, and leave out what it refuses", () => {
    const { body, dropped } = right(
      chat.writeRequest(
        foreign([{ role: "user", parts: [words("x")], at: 0 }], {
          stream: true,
          settings: {
            maxOutput: 5,
            reasoning: { effort: "max" },
            metadata: { a: 1 },
            user: "u".repeat(100),
            format: { type: "schema", schema: { type: "object" } }
          }
        }),
        { model: "m" }
      )
    )
    expect(body).toEqual({
      model: "m",
      messages: [{ role: "user", content: "x" }],
      max_tokens: 5,
      reasoning_effort: "high",
      response_format: { type: "json_schema", json_schema: { name: "answer", schema: { type: "object" } } },
      stream: true,
      stream_options: { include_usage: true }
    })
    expect(dropped.map(({ path }) => path)).toEqual(["user", "metadata"])
  })
})

const conversation = foreign([], { origin: "chat" })
const options = { conversation, id: "abc", created: 7, wantsUsage: true }
const usage = {
  prompt_tokens: 10,
  completion_tokens: 9,
  total_tokens: 19,
  prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
  completion_tokens_details: { reasoning_tokens: 3 }
}
const answerOf = (message: JsonObject, finish_reason: string): JsonObject => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: null, refusal: null, ...message },
      logprobs: null,
      finish_reason
    }
  ],
  usage,
  service_tier: "default",
  system_fingerprint: "fp"
})

const answers: Readonly<Record<string, JsonObject>> = {
  words: answerOf({ content: "Hello" }, "stop"),
  calls: answerOf({ tool_calls: [call, { ...call, id: "call_2" }] }, "tool_calls"),
  thoughts: answerOf({ content: "a", reasoning_content: "hm" }, "stop"),
  details: answerOf(
    {
      content: "a",
      reasoning: "t",
      reasoning_details: [{ type: "reasoning.text", text: "t", format: "anthropic-claude-v1", signature: "s" }]
    },
    "stop"
  ),
  refusal: answerOf({ refusal: "no" }, "stop"),
  sources: answerOf(
    {
      content: "a",
      annotations: [
        { type: "url_citation", url_citation: { url: "https://a.example", title: "t", start_index: 0, end_index: 1 } }
      ]
    },
    "stop"
  ),
  pictures: answerOf(
    { content: "a", images: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] },
    "stop"
  ),
  sound: answerOf({ audio: { id: "audio_1", data: "AAAA", expires_at: 5, transcript: "t" } }, "stop"),
  length: answerOf({ content: "Hel" }, "length")
}

const fold = (events: ReadonlyArray<JsonObject>) => {
  const reader = chat.eventReader()
  const answer = new AnswerFold()
  for (const json of events) reader.read(json, (event: AnswerEvent) => answer.add(event))
  return answer.answer()
}

const chunk = (delta: JsonObject, finish_reason: string | null = null, index = 0): JsonObject => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index, delta, logprobs: null, finish_reason }]
})
const piece = (index: number, text: string, more: JsonObject = {}) =>
  chunk({ tool_calls: [{ index, ...more, function: { arguments: text } }] })
const begin = (index: number, id: string, name: string) =>
  chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] })

const bridged = (events: ReadonlyArray<AnswerEvent>, asked = options): ReadonlyArray<JsonObject> => {
  const writer = chat.eventWriter(asked)
  const written: Array<JsonObject> = []
  const tell = ({ json }: WireEvent): void => void written.push(json)
  for (const event of events) writer.write(event, tell)
  writer.end(tell)
  writer.end(tell)
  return written
}

describe("chat answers", () => {
  it.each(Object.entries(answers))("are written as they were read: %s", (_, body) => {
    expect(plain(chat.writeAnswer(right(chat.readAnswer(body)), options))).toEqual(body)
  })

  it("call tools where they do, whatever their finish says", () => {
    const body = answerOf({ tool_calls: [call] }, "stop")
    expect(right(chat.readAnswer(body)).choices[0]).toMatchObject({ finish: "toolCalls", reason: "stop" })
    expect(fold([begin(0, "a", "f"), chunk({}, "stop")]).choices[0]).toMatchObject({
      finish: "toolCalls",
      reason: "stop"
    })
  })

  it("keep a choice whose index is too large for a number apart from the first", () => {
    const far = JSON.parse('{"index":1e999,"delta":{"content":"far"},"finish_reason":"stop"}') as JsonObject
    const events = [chunk({ content: "near" }), { ...chunk({}), choices: [far] }, chunk({}, "stop")]
    const texts = (choices: unknown) => JSON.stringify(choices).match(/near|far/g)
    expect(texts(fold(events).choices)).toEqual(["near", "far"])
    const whole = new ChunkFold()
    for (const event of events) whole.add(event)
    expect(texts(whole.answer().choices)).toEqual(["near", "far"])
    expect(whole.answer().choices?.map(({ index }) => index)).toEqual([0, Number.MAX_SAFE_INTEGER])
    const body = {
      choices: [
        { ...far, message: { content: "far" } },
        { index: 0, message: { content: "near" } }
      ]
    }
    expect(texts(right(chat.readAnswer(body)).choices)).toEqual(["near", "far"])
  })

  it("carry another dialect's signature in the id of its call, and give it back", () => {
    const signature = { dialect: "gemini", value: "c2ln" } as const
    const part = { type: "toolCall", id: "c1", name: "f", kind: "function", arguments: "{}", signature } as const
    const body = chat.writeAnswer({ choices: [{ parts: [part], finish: "toolCalls" }] }, options)
    const { message } = (body.choices as ReadonlyArray<{ readonly message: JsonObject }>)[0] ?? { message: {} }
    const [sent] = message.tool_calls as ReadonlyArray<JsonObject>
    expect(sent?.id).toBe(withSignature("c1", signature))
    const again = right(
      chat.readRequest({ messages: [message, { role: "tool", tool_call_id: sent?.id, content: "r" }] })
    )
    expect(again.turns[0]?.parts[0]).toMatchObject({ id: "c1", signature })
    expect(again.turns[1]?.parts[0]).toMatchObject({ id: "c1" })
    const edited = chat.edit(
      { messages: [message, { role: "tool", tool_call_id: sent?.id }] },
      { model: "m", stream: false, defaults: {} }
    )
    expect(JSON.stringify(edited)).not.toContain("__sig_")
    const streamed = bridged([
      { type: "toolCall", id: "c1", name: "f", kind: "function", signature, choice: 0, part: 0 }
    ])
    expect(JSON.stringify(streamed)).toContain(withSignature("c1", signature))
  })

  it("that are none are told so", () => {
    for (const body of [{}, { choices: null }, { choices: {} }])
      expect(left(chat.readAnswer(body))).toContain("choices")
    expect(right(chat.readAnswer({ choices: [null, 5, { message: null }] })).choices).toHaveLength(1)
  })

  it("count tokens without overlap, both ways", () => {
    const tokens = { uncached: 4, cacheRead: 4, cacheWrite: 2, text: 6, reasoning: 3 }
    expect(chat.readTokens(usage)).toEqual(tokens)
    expect(chat.writeTokens(tokens)).toEqual(usage)
  })
})

describe("chat streams", () => {
  it("whose calls interleave are told call by call", () => {
    const events = [
      chunk({ role: "assistant", content: "" }),
      chunk({ reasoning_content: "hm" }),
      chunk({ content: "I" }),
      begin(0, "a", "f"),
      begin(1, "b", "g"),
      piece(0, '{"x"'),
      piece(1, "{}"),
      piece(0, ":1}"),
      chunk({}, "tool_calls"),
      { ...chunk({}), choices: [], usage }
    ]
    const answer = fold(events)
    expect(answer.choices[0]?.parts).toMatchObject([
      { type: "reasoning", text: "hm" },
      { type: "text", text: "I" },
      { type: "toolCall", id: "a", name: "f", arguments: '{"x":1}' },
      { type: "toolCall", id: "b", name: "g", arguments: "{}" }
    ])
    expect(answer.usage).toEqual(chat.readTokens(usage))
    const heard: Array<AnswerEvent> = []
    const reader = chat.eventReader()
    for (const json of events) reader.read(json, (event) => heard.push(event))
    const chunks = new ChunkFold()
    for (const json of bridged(heard)) chunks.add(json)
    const { choices } = chunks.answer(true)
    expect(choices?.[0]?.message).toMatchObject({
      content: "I",
      reasoning_content: "hm",
      tool_calls: [
        { id: "a", function: { arguments: '{"x":1}' } },
        { id: "b", function: { arguments: "{}" } }
      ]
    })
  })

  it("that number every call 0, or none, keep them apart", () => {
    const same = fold([begin(0, "a", "f"), piece(0, "1"), begin(0, "b", "g"), piece(0, "2"), chunk({}, "tool_calls")])
    expect(same.choices[0]?.parts).toMatchObject([
      { id: "a", arguments: "1" },
      { id: "b", arguments: "2" }
    ])
    const bare = (id: string, text: string) => chunk({ tool_calls: [{ id, function: { name: "f", arguments: text } }] })
    expect(fold([bare("a", "1"), bare("b", "2")]).choices[0]?.parts).toMatchObject([{ id: "a" }, { id: "b" }])
    const repeated = fold([begin(0, "a", "f"), piece(0, "1", { id: "a" }), piece(0, "2", { id: "" })])
    expect(repeated.choices[0]?.parts).toMatchObject([{ id: "a", arguments: "12" }])
  })

  it("whose call gives its id and its name in pieces of their own tell it once both are known", () => {
    const bare = (more: JsonObject) => chunk({ tool_calls: [{ index: 0, ...more }] })
    const heard = (events: ReadonlyArray<JsonObject>): ReadonlyArray<AnswerEvent> => {
      const reader = chat.eventReader()
      const told: Array<AnswerEvent> = []
      for (const json of events) reader.read(json, (event) => told.push(event))
      return told.filter(({ type }) => type === "toolCall" || type === "arguments" || type === "finish")
    }
    const wanted = [
      { type: "toolCall", id: "a", name: "f" },
      { type: "arguments", text: '{"x":1}' },
      { type: "finish", finish: "toolCalls" }
    ]
    const end = chunk({}, "tool_calls")
    const id = bare({ id: "a", type: "function", function: {} })
    const name = bare({ function: { name: "f" } })
    expect(heard([id, name, piece(0, '{"x":1}'), end])).toMatchObject(wanted)
    expect(heard([name, id, piece(0, '{"x":1}'), end])).toMatchObject(wanted)
    expect(heard([id, piece(0, '{"x"'), bare({ function: { name: "f", arguments: ":1}" } }), end])).toMatchObject(
      wanted
    )
    const unnamed = heard([id, end])
    expect(unnamed).toMatchObject([{ type: "toolCall", id: "a", name: "" }, { type: "finish" }])
    const without = heard([name, end])
    expect(without).toMatchObject([{ type: "toolCall", id: undefined, name: "f" }, { type: "finish" }])
  })

  it("sign thoughts in a block of their own, once", () => {
    const events: ReadonlyArray<AnswerEvent> = [
      { type: "reasoning", text: "a", choice: 0, part: 0 },
      { type: "reasoning", text: "b", choice: 0, part: 0 },
      { type: "signature", signature: { dialect: "messages", value: "s" }, choice: 0, part: 0 },
      { type: "reasoning", text: "c", choice: 0, part: 1 },
      { type: "finish", choice: 0, finish: "stop" }
    ]
    const chunks = new ChunkFold()
    const written = bridged(events)
    for (const json of written) chunks.add(json)
    const message = chunks.answer(true).choices?.[0]?.message
    expect(message).toMatchObject({
      reasoning_content: "ab\n\nc",
      thinking_blocks: [{ type: "thinking", thinking: "ab", signature: "s" }]
    })
    expect(fold(written).choices[0]?.parts[0]).toMatchObject({ text: "ab", signature: { value: "s" } })
  })

  it("end with why each choice ends, and with usage for who asked", () => {
    const last = (events: ReadonlyArray<JsonObject>) => events[events.length - 1]
    const events: ReadonlyArray<AnswerEvent> = [
      { type: "start", id: "msg_1", model: "claude", created: 3 },
      { type: "text", text: "a", choice: 0, part: 0 },
      { type: "usage", usage: { uncached: 1, cacheRead: 0, cacheWrite: 0, text: 1, reasoning: 0 } }
    ]
    const written = bridged(events)
    expect(written[0]).toMatchObject({
      id: "chatcmpl-abc",
      created: 3,
      model: "claude",
      choices: [{ delta: { role: "assistant" } }]
    })
    expect(written[written.length - 2]).toMatchObject({ choices: [{ finish_reason: "stop" }] })
    expect(last(written)).toMatchObject({ choices: [], usage: { prompt_tokens: 1 } })
    expect(last(bridged(events, { ...options, wantsUsage: false }))).not.toHaveProperty("usage")
    const broken = bridged([...events, { type: "error", error: { message: "m", type: "t" } }])
    expect(last(broken)).toEqual({ error: { message: "m", type: "t", param: null, code: null } })
  })

  it("tell errors, and never throw, whatever comes", () => {
    const heard: Array<AnswerEvent> = []
    const reader = chat.eventReader()
    for (const json of [
      {},
      { choices: null },
      {
        choices: [
          null,
          5,
          {},
          { delta: 5 },
          { delta: { tool_calls: [null, {}, { function: 5 }], content: [5, null], audio: 5 } }
        ]
      },
      { error: { message: "over", code: 529 } }
    ])
      reader.read(json as JsonObject, (event) => heard.push(event))
    expect(heard[heard.length - 1]).toMatchObject({
      type: "error",
      error: { message: "over", status: 529, code: "529" }
    })
  })

  it("put sounds together, in the end", () => {
    const answer = fold([
      chunk({ audio: { id: "a1", transcript: "He" } }),
      chunk({ audio: { data: "AA", transcript: "y" } }),
      chunk({ audio: { data: "BB", expires_at: 3 } }),
      chunk({}, "stop")
    ])
    expect(answer.choices[0]?.parts).toMatchObject([
      { type: "audio", source: { data: "AABB" }, extra: { id: "a1", transcript: "Hey" } }
    ])
  })
})

describe("chat passed through", () => {
  it("is the same but for the model, the stream and defaults below it", () => {
    const body = { zeta: 1, model: "a", messages: [user], max_tokens: 5, weird: { x: null } }
    const edited = chat.edit(body, { model: "b", stream: false, defaults: {} })
    expect(JSON.stringify(edited)).toBe(
      '{"zeta":1,"model":"b","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"weird":{"x":null},"stream":false}'
    )
    expect(edited.messages).toBe(body.messages)
    const laid = chat.edit(body, { model: "b", stream: true, defaults: { temperature: 0, max_completion_tokens: 9 } })
    expect(laid).toMatchObject({ temperature: 0, max_tokens: 5, stream: true })
    expect(laid).not.toHaveProperty("max_completion_tokens")
  })
})
