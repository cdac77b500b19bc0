/**
 * The same answers in every provider's dialect, whole and as the events of a stream, written from the providers' documentation.
 */
import type { JsonObject } from "@switchyard/core/Json"

/** An answer, whole and streamed. `event` names an event where the dialect does. */
export interface Said {
  readonly whole: JsonObject
  readonly events: ReadonlyArray<{ readonly event?: string; readonly json: JsonObject }>
}

/** The providers' dialects. */
export type Provider = "chat" | "messages" | "responses" | "gemini" | "converse" | "cohere" | "ollama"

/** What is said: a text, two calls side by side, or a text with thoughts before it. */
export type Saying = "text" | "calls" | "thoughts"

const plain = (...list: ReadonlyArray<JsonObject>) => list.map((json) => ({ json }))
const named = (...list: ReadonlyArray<JsonObject & { readonly type: string }>) =>
  list.map((json) => ({ event: json.type, json }))
const wrapped = (...list: ReadonlyArray<JsonObject>) =>
  list.map((json) => ({ event: Object.keys(json)[0] as string, json }))

const head = { id: "chatcmpl-1", created: 1_700_000_000, model: "m-1" }
const chatUsage = {
  prompt_tokens: 20,
  completion_tokens: 7,
  total_tokens: 27,
  prompt_tokens_details: { cached_tokens: 5 },
  completion_tokens_details: { reasoning_tokens: 0 }
}
const chatWhole = (message: JsonObject, finish_reason: string): JsonObject => ({
  ...head,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
  usage: chatUsage
})
const chatEvents = (finish_reason: string, ...deltas: ReadonlyArray<JsonObject>) =>
  plain(
    ...deltas.map((delta) => ({
      ...head,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason: null }]
    })),
    { ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta: {}, finish_reason }] },
    { ...head, object: "chat.completion.chunk", choices: [], usage: chatUsage }
  )
const chatCall = (index: number, id: string, city: string) => ({
  index,
  id,
  type: "function",
  function: { name: "weather", arguments: JSON.stringify({ city }) }
})

const claudeUsage = { input_tokens: 15, cache_read_input_tokens: 5, cache_creation_input_tokens: 0, output_tokens: 7 }
const claude = (content: ReadonlyArray<JsonObject>, stop_reason: string): JsonObject => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m-1",
  content,
  stop_reason,
  stop_sequence: null,
  usage: claudeUsage
})
const claudeEvents = (stop_reason: string, ...blocks: ReadonlyArray<readonly [JsonObject, ...Array<JsonObject>]>) =>
  named(
    {
      type: "message_start",
      message: { ...claude([], ""), stop_reason: null, usage: { ...claudeUsage, output_tokens: 1 } }
    },
    ...blocks.flatMap(([content_block, ...deltas], index) => [
      { type: "content_block_start", index, content_block },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index }
    ]),
    { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 7 } },
    { type: "message_stop" }
  )
const claudeCall = (id: string, city: string) => ({ type: "tool_use", id, name: "weather", input: { city } })

const openAiUsage = {
  input_tokens: 20,
  input_tokens_details: { cached_tokens: 5 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 27
}
const response = (output: ReadonlyArray<JsonObject>): JsonObject => ({
  id: "resp_1",
  object: "response",
  created_at: 1_700_000_000,
  status: "completed",
  model: "m-1",
  output,
  usage: openAiUsage
})
const responseText = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: "Hello there", annotations: [] }]
}
const responseCall = (id: string, call_id: string, city: string) => ({
  id,
  type: "function_call",
  call_id,
  name: "weather",
  arguments: JSON.stringify({ city }),
  status: "completed"
})
const numbered = (list: ReadonlyArray<JsonObject & { readonly type: string }>) =>
  named(...list.map((json, sequence_number) => ({ ...json, sequence_number })))
const responseEvents = (
  whole: JsonObject,
  ...items: ReadonlyArray<ReadonlyArray<JsonObject & { readonly type: string }>>
) =>
  numbered([
    { type: "response.created", response: { ...whole, status: "in_progress", output: [], usage: null } },
    { type: "response.in_progress", response: { ...whole, status: "in_progress", output: [], usage: null } },
    ...items.flat(),
    { type: "response.completed", response: whole }
  ])
const textItem = (output_index: number): ReadonlyArray<JsonObject & { readonly type: string }> => {
  const at = { item_id: "msg_1", output_index, content_index: 0 }
  const part = { type: "output_text", text: "", annotations: [] }
  return [
    {
      type: "response.output_item.added",
      output_index,
      item: { ...responseText, status: "in_progress", content: [] }
    },
    { type: "response.content_part.added", ...at, part },
    { type: "response.output_text.delta", ...at, delta: "Hello " },
    { type: "response.output_text.delta", ...at, delta: "there" },
    { type: "response.output_text.done", ...at, text: "Hello there" },
    { type: "response.content_part.done", ...at, part: { ...part, text: "Hello there" } },
    { type: "response.output_item.done", output_index, item: responseText }
  ]
}
const callItem = (output_index: number, id: string, call_id: string, city: string) => {
  const item = responseCall(id, call_id, city)
  return [
    { type: "response.output_item.added", output_index, item: { ...item, arguments: "", status: "in_progress" } },
    { type: "response.function_call_arguments.delta", item_id: id, output_index, delta: item.arguments },
    { type: "response.function_call_arguments.done", item_id: id, output_index, arguments: item.arguments },
    { type: "response.output_item.done", output_index, item }
  ]
}
const thought = { id: "rs_1", type: "reasoning", summary: [{ type: "summary_text", text: "Let me see." }] }
const thoughtItem = [
  { type: "response.output_item.added", output_index: 0, item: { ...thought, summary: [] } },
  {
    type: "response.reasoning_summary_part.added",
    item_id: "rs_1",
    output_index: 0,
    summary_index: 0,
    part: { type: "summary_text", text: "" }
  },
  {
    type: "response.reasoning_summary_text.delta",
    item_id: "rs_1",
    output_index: 0,
    summary_index: 0,
    delta: "Let me see."
  },
  {
    type: "response.reasoning_summary_text.done",
    item_id: "rs_1",
    output_index: 0,
    summary_index: 0,
    text: "Let me see."
  },
  {
    type: "response.reasoning_summary_part.done",
    item_id: "rs_1",
    output_index: 0,
    summary_index: 0,
    part: { type: "summary_text", text: "Let me see." }
  },
  { type: "response.output_item.done", output_index: 0, item: thought }
]

const googleUsage = {
  promptTokenCount: 20,
  cachedContentTokenCount: 5,
  candidatesTokenCount: 7,
  totalTokenCount: 27
}
const google = (parts: ReadonlyArray<JsonObject>, last = true): JsonObject => ({
  candidates: [{ index: 0, content: { role: "model", parts }, ...(last ? { finishReason: "STOP" } : {}) }],
  usageMetadata: googleUsage,
  modelVersion: "m-1",
  responseId: "resp-1"
})
const googleCall = (id: string, city: string) => ({ functionCall: { id, name: "weather", args: { city } } })

const bedrockUsage = { inputTokens: 15, outputTokens: 7, totalTokens: 27, cacheReadInputTokens: 5 }
const bedrock = (content: ReadonlyArray<JsonObject>, stopReason: string): JsonObject => ({
  output: { message: { role: "assistant", content } },
  stopReason,
  usage: bedrockUsage,
  metrics: { latencyMs: 5 }
})
const bedrockEvents = (
  stopReason: string,
  ...blocks: ReadonlyArray<readonly [start: JsonObject | undefined, delta: JsonObject, ...more: Array<JsonObject>]>
) =>
  wrapped(
    { messageStart: { role: "assistant" } },
    ...blocks.flatMap(([start, ...deltas], contentBlockIndex) => [
      ...(start === undefined ? [] : [{ contentBlockStart: { contentBlockIndex, start } }]),
      ...deltas.map((delta) => ({ contentBlockDelta: { contentBlockIndex, delta } })),
      { contentBlockStop: { contentBlockIndex } }
    ]),
    { messageStop: { stopReason } },
    { metadata: { usage: bedrockUsage, metrics: { latencyMs: 5 } } }
  )
const bedrockCall = (toolUseId: string, city: string) => ({ toolUse: { toolUseId, name: "weather", input: { city } } })

const cohereUsage = {
  billed_units: { input_tokens: 20, output_tokens: 7 },
  tokens: { input_tokens: 20, output_tokens: 7 }
}
const cohere = (message: JsonObject, finish_reason: string): JsonObject => ({
  id: "co-1",
  message: { role: "assistant", ...message },
  finish_reason,
  usage: cohereUsage
})
const cohereEnd = (finish_reason: string) => ({ type: "message-end", delta: { finish_reason, usage: cohereUsage } })
const cohereCall = (id: string, city: string) => ({
  id,
  type: "function",
  function: { name: "weather", arguments: JSON.stringify({ city }) }
})
const cohereCallEvents = (index: number, id: string, city: string) => [
  {
    type: "tool-call-start",
    index,
    delta: { message: { tool_calls: { id, type: "function", function: { name: "weather", arguments: "" } } } }
  },
  {
    type: "tool-call-delta",
    index,
    delta: { message: { tool_calls: { function: { arguments: JSON.stringify({ city }) } } } }
  },
  { type: "tool-call-end", index }
]
const cohereText = (index: number, type: "text" | "thinking", ...texts: ReadonlyArray<string>) => [
  { type: "content-start", index, delta: { message: { content: { type, [type]: "" } } } },
  ...texts.map((text) => ({ type: "content-delta", index, delta: { message: { content: { [type]: text } } } })),
  { type: "content-end", index }
]
const cohereStart = { type: "message-start", id: "co-1", delta: { message: { role: "assistant" } } }

const ollamaEnd = {
  model: "m-1",
  created_at: "2026-01-01T00:00:00Z",
  done: true,
  done_reason: "stop",
  prompt_eval_count: 20,
  eval_count: 7
}
const ollama = (message: JsonObject): JsonObject => ({
  ...ollamaEnd,
  message: { role: "assistant", content: "", ...message }
})
const ollamaChunk = (message: JsonObject): JsonObject => ({
  model: "m-1",
  created_at: "2026-01-01T00:00:00Z",
  message: { role: "assistant", content: "", ...message },
  done: false
})
const ollamaCall = (city: string) => ({ function: { name: "weather", arguments: { city } } })
const ollamaLast = { ...ollamaEnd, message: { role: "assistant", content: "" } }

/** All answers. */
export const answers: Readonly<Record<Provider, Readonly<Record<Saying, Said>>>> = {
  chat: {
    text: {
      whole: chatWhole({ content: "Hello there" }, "stop"),
      events: chatEvents("stop", { role: "assistant", content: "" }, { content: "Hello " }, { content: "there" })
    },
    calls: {
      whole: chatWhole(
        { content: null, tool_calls: [chatCall(0, "c1", "Oslo"), chatCall(1, "c2", "Rome")] },
        "tool_calls"
      ),
      events: chatEvents(
        "tool_calls",
        { role: "assistant", content: null },
        { tool_calls: [chatCall(0, "c1", "Oslo")] },
        { tool_calls: [chatCall(1, "c2", "Rome")] }
      )
    },
    thoughts: {
      whole: chatWhole({ reasoning_content: "Let me see.", content: "Hello there" }, "stop"),
      events: chatEvents(
        "stop",
        { role: "assistant", content: "" },
        { reasoning_content: "Let me " },
        { reasoning_content: "see." },
        { content: "Hello there" }
      )
    }
  },
  messages: {
    text: {
      whole: claude([{ type: "text", text: "Hello there" }], "end_turn"),
      events: claudeEvents("end_turn", [
        { type: "text", text: "" },
        { type: "text_delta", text: "Hello " },
        { type: "text_delta", text: "there" }
      ])
    },
    calls: {
      whole: claude([claudeCall("c1", "Oslo"), claudeCall("c2", "Rome")], "tool_use"),
      events: claudeEvents(
        "tool_use",
        [
          { ...claudeCall("c1", ""), input: {} },
          { type: "input_json_delta", partial_json: '{"city":' },
          { type: "input_json_delta", partial_json: '"Oslo"}' }
        ],
        [
          { ...claudeCall("c2", ""), input: {} },
          { type: "input_json_delta", partial_json: '{"city":"Rome"}' }
        ]
      )
    },
    thoughts: {
      whole: claude(
        [
          { type: "thinking", thinking: "Let me see.", signature: "sig" },
          { type: "text", text: "Hello there" }
        ],
        "end_turn"
      ),
      events: claudeEvents(
        "end_turn",
        [
          { type: "thinking", thinking: "", signature: "" },
          { type: "thinking_delta", thinking: "Let me see." },
          { type: "signature_delta", signature: "sig" }
        ],
        [
          { type: "text", text: "" },
          { type: "text_delta", text: "Hello there" }
        ]
      )
    }
  },
  responses: {
    text: { whole: response([responseText]), events: responseEvents(response([responseText]), textItem(0)) },
    calls: {
      whole: response([responseCall("fc_1", "c1", "Oslo"), responseCall("fc_2", "c2", "Rome")]),
      events: responseEvents(
        response([responseCall("fc_1", "c1", "Oslo"), responseCall("fc_2", "c2", "Rome")]),
        callItem(0, "fc_1", "c1", "Oslo"),
        callItem(1, "fc_2", "c2", "Rome")
      )
    },
    thoughts: {
      whole: response([thought, responseText]),
      events: responseEvents(response([thought, responseText]), thoughtItem, textItem(1))
    }
  },
  gemini: {
    text: {
      whole: google([{ text: "Hello there" }]),
      events: plain(google([{ text: "Hello " }], false), google([{ text: "there" }]))
    },
    calls: {
      whole: google([googleCall("c1", "Oslo"), googleCall("c2", "Rome")]),
      events: plain(google([googleCall("c1", "Oslo")], false), google([googleCall("c2", "Rome")]))
    },
    thoughts: {
      whole: google([{ text: "Let me see.", thought: true }, { text: "Hello there" }]),
      events: plain(google([{ text: "Let me see.", thought: true }], false), google([{ text: "Hello there" }]))
    }
  },
  converse: {
    text: {
      whole: bedrock([{ text: "Hello there" }], "end_turn"),
      events: bedrockEvents("end_turn", [undefined, { text: "Hello " }, { text: "there" }])
    },
    calls: {
      whole: bedrock([bedrockCall("c1", "Oslo"), bedrockCall("c2", "Rome")], "tool_use"),
      events: bedrockEvents(
        "tool_use",
        [{ toolUse: { toolUseId: "c1", name: "weather" } }, { toolUse: { input: '{"city":"Oslo"}' } }],
        [{ toolUse: { toolUseId: "c2", name: "weather" } }, { toolUse: { input: '{"city":"Rome"}' } }]
      )
    },
    thoughts: {
      whole: bedrock(
        [{ reasoningContent: { reasoningText: { text: "Let me see.", signature: "sig" } } }, { text: "Hello there" }],
        "end_turn"
      ),
      events: bedrockEvents(
        "end_turn",
        [undefined, { reasoningContent: { text: "Let me see." } }, { reasoningContent: { signature: "sig" } }],
        [undefined, { text: "Hello there" }]
      )
    }
  },
  cohere: {
    text: {
      whole: cohere({ content: [{ type: "text", text: "Hello there" }] }, "COMPLETE"),
      events: named(cohereStart, ...cohereText(0, "text", "Hello ", "there"), cohereEnd("COMPLETE"))
    },
    calls: {
      whole: cohere({ tool_calls: [cohereCall("c1", "Oslo"), cohereCall("c2", "Rome")] }, "TOOL_CALL"),
      events: named(
        cohereStart,
        ...cohereCallEvents(0, "c1", "Oslo"),
        ...cohereCallEvents(1, "c2", "Rome"),
        cohereEnd("TOOL_CALL")
      )
    },
    thoughts: {
      whole: cohere(
        {
          content: [
            { type: "thinking", thinking: "Let me see." },
            { type: "text", text: "Hello there" }
          ]
        },
        "COMPLETE"
      ),
      events: named(
        cohereStart,
        ...cohereText(0, "thinking", "Let me see."),
        ...cohereText(1, "text", "Hello there"),
        cohereEnd("COMPLETE")
      )
    }
  },
  ollama: {
    text: {
      whole: ollama({ content: "Hello there" }),
      events: plain(ollamaChunk({ content: "Hello " }), ollamaChunk({ content: "there" }), ollamaLast)
    },
    calls: {
      whole: ollama({ tool_calls: [ollamaCall("Oslo"), ollamaCall("Rome")] }),
      events: plain(
        ollamaChunk({ tool_calls: [ollamaCall("Oslo")] }),
        ollamaChunk({ tool_calls: [ollamaCall("Rome")] }),
        ollamaLast
      )
    },
    thoughts: {
      whole: ollama({ thinking: "Let me see.", content: "Hello there" }),
      events: plain(ollamaChunk({ thinking: "Let me see." }), ollamaChunk({ content: "Hello there" }), ollamaLast)
    }
  }
}

/** Errors as each provider says them, with what every caller should be able to tell. */
export const errors: Readonly<Record<Provider, JsonObject>> = {
  chat: { error: { message: "Slow down", type: "rate_limit_error", code: "rate_limit_exceeded", param: null } },
  messages: { type: "error", error: { type: "rate_limit_error", message: "Slow down" }, request_id: "req_1" },
  responses: { error: { message: "Slow down", type: "rate_limit_error", code: "rate_limit_exceeded", param: null } },
  gemini: { error: { code: 429, message: "Slow down", status: "RESOURCE_EXHAUSTED" } },
  converse: { __type: "ThrottlingException", message: "Slow down" },
  cohere: { id: "e", message: "Slow down" },
  ollama: { error: "Slow down" }
}
