/**
 * What a scripted model says in a turn, in the words of each provider's API, whole and as events, written from their
 * documentation.
 */
export type Api = "chat" | "responses" | "messages" | "gemini"

export type Json = { readonly [name: string]: unknown }

/** A turn of the model: it calls a tool, or it says a text. */
export interface Said {
  readonly text?: string
  readonly call?: { readonly name: string; readonly arguments: Json; readonly isFree?: boolean } | undefined
  readonly model: string
  /** Counts up with each answer. */
  readonly number: number
}

/** Something on the wire: a name, where events have one, and JSON. */
export type Frame = readonly [event: string | undefined, json: Json | "[DONE]"]

const tokens = { input: 21, output: 8 }
const halves = (text: string): ReadonlyArray<string> => {
  const middle = Math.ceil(text.length / 2)
  return text.length < 2 ? [text] : [text.slice(0, middle), text.slice(middle)]
}

const chatUsage = { prompt_tokens: tokens.input, completion_tokens: tokens.output, total_tokens: 29 }

const chatWhole = ({ call, model, number, text }: Said): Json => ({
  id: `chatcmpl-${number}`,
  object: "chat.completion",
  created: 1_760_000_000,
  model,
  choices: [
    {
      index: 0,
      message:
        call === undefined
          ? { role: "assistant", content: text ?? "" }
          : {
              role: "assistant",
              content: null,
              tool_calls: [
                {
                  id: `call_${number}`,
                  type: "function",
                  function: { name: call.name, arguments: JSON.stringify(call.arguments) }
                }
              ]
            },
      finish_reason: call === undefined ? "stop" : "tool_calls"
    }
  ],
  usage: chatUsage
})

const chatFrames = ({ call, model, number, text = "" }: Said): ReadonlyArray<Frame> => {
  const chunk = (delta: Json, finish: string | null = null): Frame => [
    undefined,
    {
      id: `chatcmpl-${number}`,
      object: "chat.completion.chunk",
      created: 1_760_000_000,
      model,
      choices: [{ index: 0, delta, finish_reason: finish }]
    }
  ]
  const begun = chunk({ role: "assistant", content: call === undefined ? "" : null })
  const rest =
    call === undefined
      ? halves(text).map((content) => chunk({ content }))
      : [
          chunk({
            tool_calls: [
              { index: 0, id: `call_${number}`, type: "function", function: { name: call.name, arguments: "" } }
            ]
          }),
          ...halves(JSON.stringify(call.arguments)).map((part) =>
            chunk({ tool_calls: [{ index: 0, function: { arguments: part } }] })
          )
        ]
  return [
    begun,
    ...rest,
    chunk({}, call === undefined ? "stop" : "tool_calls"),
    [
      undefined,
      {
        id: `chatcmpl-${number}`,
        object: "chat.completion.chunk",
        created: 1_760_000_000,
        model,
        choices: [],
        usage: chatUsage
      }
    ],
    [undefined, "[DONE]"]
  ]
}

const itemOf = ({ call, number, text = "" }: Said): Json =>
  call === undefined
    ? {
        id: `msg_${number}`,
        type: "message",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text, annotations: [], logprobs: [] }]
      }
    : call.isFree === true
      ? {
          id: `ctc_${number}`,
          type: "custom_tool_call",
          status: "completed",
          call_id: `call_${number}`,
          name: call.name,
          input: String(call.arguments.input)
        }
      : {
          id: `fc_${number}`,
          type: "function_call",
          status: "completed",
          call_id: `call_${number}`,
          name: call.name,
          arguments: JSON.stringify(call.arguments)
        }

const responseOf = ({ model, number }: Said, status: string, output: ReadonlyArray<Json>, usage: boolean): Json => ({
  id: `resp_${number}`,
  object: "response",
  created_at: 1_760_000_000,
  status,
  background: false,
  error: null,
  incomplete_details: null,
  instructions: null,
  max_output_tokens: null,
  model,
  output,
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  store: true,
  temperature: 1,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  truncation: "disabled",
  usage: usage
    ? {
        input_tokens: tokens.input,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: tokens.output,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 29
      }
    : null,
  user: null,
  metadata: {}
})

const responsesFrames = (said: Said): ReadonlyArray<Frame> => {
  const item = itemOf(said)
  const { id } = item
  const at = { output_index: 0, item_id: id }
  const frames: Array<readonly [string, Json]> = [
    ["response.created", { response: responseOf(said, "in_progress", [], false) }],
    ["response.in_progress", { response: responseOf(said, "in_progress", [], false) }]
  ]
  if (said.call === undefined) {
    const text = said.text ?? ""
    const part = { type: "output_text", text: "", annotations: [], logprobs: [] }
    frames.push(
      ["response.output_item.added", { output_index: 0, item: { ...item, status: "in_progress", content: [] } }],
      ["response.content_part.added", { ...at, content_index: 0, part }],
      ...halves(text).map(
        (delta) => ["response.output_text.delta", { ...at, content_index: 0, delta, logprobs: [] }] as const
      ),
      ["response.output_text.done", { ...at, content_index: 0, text, logprobs: [] }],
      ["response.content_part.done", { ...at, content_index: 0, part: { ...part, text } }]
    )
  } else if (said.call.isFree === true) {
    frames.push(
      ["response.output_item.added", { output_index: 0, item: { ...item, status: "in_progress", input: "" } }],
      ["response.custom_tool_call_input.delta", { ...at, delta: item.input }],
      ["response.custom_tool_call_input.done", { ...at, input: item.input }]
    )
  } else {
    frames.push(
      ["response.output_item.added", { output_index: 0, item: { ...item, status: "in_progress", arguments: "" } }],
      ...halves(String(item.arguments)).map(
        (delta) => ["response.function_call_arguments.delta", { ...at, delta }] as const
      ),
      ["response.function_call_arguments.done", { ...at, arguments: item.arguments }]
    )
  }
  frames.push(
    ["response.output_item.done", { output_index: 0, item }],
    ["response.completed", { response: responseOf(said, "completed", [item], true) }]
  )
  return frames.map(([type, json], number) => [type, { type, sequence_number: number, ...json }] as const)
}

const blockOf = ({ call, number, text = "" }: Said): Json =>
  call === undefined
    ? { type: "text", text }
    : { type: "tool_use", id: `toolu_${number}`, name: call.name, input: call.arguments }

const messageOf = (said: Said, content: ReadonlyArray<Json>, reason: string | null, output: number): Json => ({
  id: `msg_${said.number}`,
  type: "message",
  role: "assistant",
  model: said.model,
  content,
  stop_reason: reason,
  stop_sequence: null,
  usage: {
    input_tokens: tokens.input,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: output
  }
})

const reasonOf = ({ call }: Said): string => (call === undefined ? "end_turn" : "tool_use")

const messagesFrames = (said: Said): ReadonlyArray<Frame> => {
  const { call, text = "" } = said
  const block = blockOf(said)
  const frames: ReadonlyArray<readonly [string, Json]> = [
    ["message_start", { message: messageOf(said, [], null, 1) }],
    [
      "content_block_start",
      { index: 0, content_block: call === undefined ? { ...block, text: "" } : { ...block, input: {} } }
    ],
    ["ping", {}],
    ...(call === undefined
      ? halves(text).map((part) => ({ type: "text_delta", text: part }))
      : halves(JSON.stringify(call.arguments)).map((part) => ({ type: "input_json_delta", partial_json: part }))
    ).map((delta) => ["content_block_delta", { index: 0, delta }] as const),
    ["content_block_stop", { index: 0 }],
    [
      "message_delta",
      { delta: { stop_reason: reasonOf(said), stop_sequence: null }, usage: { output_tokens: tokens.output } }
    ],
    ["message_stop", {}]
  ]
  return frames.map(([type, json]) => [type, { type, ...json }] as const)
}

const geminiOf = ({ model, number }: Said, parts: ReadonlyArray<Json>, isLast: boolean): Json => ({
  candidates: [{ content: { role: "model", parts }, ...(isLast ? { finishReason: "STOP" } : {}), index: 0 }],
  usageMetadata: { promptTokenCount: tokens.input, candidatesTokenCount: tokens.output, totalTokenCount: 29 },
  modelVersion: model,
  responseId: `resp${number}`
})

const geminiParts = ({ call, text = "" }: Said): ReadonlyArray<Json> =>
  call === undefined
    ? halves(text).map((part) => ({ text: part }))
    : [
        {
          functionCall: { name: call.name, args: call.arguments },
          thoughtSignature: Buffer.from("a signature").toString("base64")
        }
      ]

const geminiFrames = (said: Said): ReadonlyArray<Frame> => {
  const parts = geminiParts(said)
  return parts.map((part, at) => [undefined, geminiOf(said, [part], at === parts.length - 1)] as const)
}

/** A turn as one body. */
export const whole = (api: Api, said: Said): Json => {
  switch (api) {
    case "chat":
      return chatWhole(said)
    case "responses":
      return responseOf(said, "completed", [itemOf(said)], true)
    case "messages":
      return messageOf(said, [blockOf(said)], reasonOf(said), tokens.output)
    case "gemini":
      return geminiOf(said, said.call === undefined ? [{ text: said.text ?? "" }] : geminiParts(said), true)
  }
}

/** A turn as events. */
export const frames = (api: Api, said: Said): ReadonlyArray<Frame> => {
  switch (api) {
    case "chat":
      return chatFrames(said)
    case "responses":
      return responsesFrames(said)
    case "messages":
      return messagesFrames(said)
    case "gemini":
      return geminiFrames(said)
  }
}

/** An error of an API, as its documentation has it. */
export const failure = (api: Api, status: number, message: string): Json => {
  if (api === "messages") {
    const types: Readonly<Record<number, string>> = { 400: "invalid_request_error", 429: "rate_limit_error" }
    return { type: "error", error: { type: types[status] ?? "api_error", message }, request_id: "req_1" }
  }
  if (api === "gemini") {
    const states: Readonly<Record<number, string>> = { 400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED" }
    return { error: { code: status, message, status: states[status] ?? "UNAVAILABLE" } }
  }
  return {
    error: { message, type: status === 400 ? "invalid_request_error" : "server_error", param: null, code: null }
  }
}
