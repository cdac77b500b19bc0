/** What an upstream says to one request; every field is optional, and the empty one is a short text. */
export interface SpokenReply {
  /** Default `Hello from NAME`, or none when there are tool calls. */
  readonly text?: string
  /** What it thought; signed, so that it can be sent back. */
  readonly reasoning?: string
  readonly toolCalls?: ReadonlyArray<{ readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }>
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** An error in the provider's own words, by its status. */
  readonly status?: number
  readonly message?: string
  /** Destroys the socket of a stream after so many events. */
  readonly cutAfterEvents?: number
}

/** The dialects that a fake speaks. */
export type Spoken = "messages" | "gemini" | "responses"

type Json = Readonly<Record<string, unknown>>

/** How one dialect's answers, events, errors and refusals look. */
export interface SpokenWire {
  readonly isStream: (path: string, body: Json) => boolean
  readonly whole: (reply: SpokenReply, body: Json) => Json
  /** As they go over the wire. */
  readonly events: (reply: SpokenReply, body: Json) => ReadonlyArray<string>
  readonly error: (status: number, message?: string) => Json
  /** Why a request is refused; undefined where nothing is wrong with it. */
  readonly refusal: (body: Json) => SpokenReply | undefined
}

/** Every value under a name, however deep. */
const valuesOf = (root: unknown, name: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const left: Array<unknown> = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value !== "object" || value === null) continue
    for (const [key, inner] of Object.entries(value)) {
      if (key === name && typeof inner === "string") found.push(inner)
      left.push(inner)
    }
  }
  return found
}

const half = (text: string): ReadonlyArray<string> => {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)].filter((part) => part !== "")
}

const textOf = (reply: SpokenReply, name: string): string =>
  reply.text ?? (reply.toolCalls === undefined ? `Hello from ${name}` : "")

const sse = (json: Json, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(json)}\n\n`

const input = (reply: SpokenReply): number => reply.inputTokens ?? 12
const output = (reply: SpokenReply): number => reply.outputTokens ?? 7

const messageTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error"
}

const messages = (name: string): SpokenWire => {
  const signature = `sig-${name}`
  const blocks = (reply: SpokenReply): ReadonlyArray<Json> => {
    const text = textOf(reply, name)
    return [
      ...(reply.reasoning === undefined ? [] : [{ type: "thinking", thinking: reply.reasoning, signature }]),
      ...(text === "" ? [] : [{ type: "text", text }]),
      ...(reply.toolCalls ?? []).map((call, index) => ({
        type: "tool_use",
        id: `toolu_${name}_${index}`,
        name: call.name,
        input: call.arguments
      }))
    ]
  }
  const reason = (reply: SpokenReply): string => (reply.toolCalls === undefined ? "end_turn" : "tool_use")
  const message = (reply: SpokenReply, body: Json, content: ReadonlyArray<Json>): Json => ({
    id: `msg_${name}`,
    type: "message",
    role: "assistant",
    model: body.model ?? name,
    content,
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: input(reply),
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: output(reply)
    }
  })
  const deltas = (block: Json): ReadonlyArray<Json> => {
    switch (block.type) {
      case "thinking":
        return [
          ...half(String(block.thinking)).map((thinking) => ({ type: "thinking_delta", thinking })),
          { type: "signature_delta", signature }
        ]
      case "text":
        return half(String(block.text)).map((text) => ({ type: "text_delta", text }))
      default:
        return half(JSON.stringify(block.input)).map((partial_json) => ({ type: "input_json_delta", partial_json }))
    }
  }
  const opened = (block: Json): Json =>
    block.type === "thinking"
      ? { type: "thinking", thinking: "", signature: "" }
      : block.type === "text"
        ? { type: "text", text: "" }
        : { ...block, input: {} }
  return {
    isStream: (path, body) => body.stream === true || path.includes("stream"),
    whole: (reply, body) => ({ ...message(reply, body, blocks(reply)), stop_reason: reason(reply) }),
    events: (reply, body) => {
      const all: Array<Json> = [{ type: "message_start", message: message(reply, body, []) }, { type: "ping" }]
      blocks(reply).forEach((block, index) => {
        all.push({ type: "content_block_start", index, content_block: opened(block) })
        for (const delta of deltas(block)) all.push({ type: "content_block_delta", index, delta })
        all.push({ type: "content_block_stop", index })
      })
      all.push({
        type: "message_delta",
        delta: { stop_reason: reason(reply), stop_sequence: null },
        usage: { output_tokens: output(reply) }
      })
      all.push({ type: "message_stop" })
      return all.map((json) => sse(json, String(json.type)))
    },
    error: (status, text = "Something is wrong") => ({
      type: "error",
      error: { type: messageTypes[status] ?? "api_error", message: text },
      request_id: `req_${name}`
    }),
    refusal: (body) =>
      valuesOf(body.messages, "signature").every((value) => value === signature)
        ? undefined
        : { status: 400, message: "messages.1.content.0: Invalid `signature` in `thinking` block" }
  }
}

const geminiStatus: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  503: "UNAVAILABLE"
}

/** What Google documents for calls of other models. */
const placeholders: ReadonlySet<string> = new Set([
  "skip_thought_signature_validator",
  "context_engineering_is_the_way_to_go"
])

const gemini = (name: string): SpokenWire => {
  const signature = Buffer.from(`sig-${name}`).toString("base64")
  const parts = (reply: SpokenReply): ReadonlyArray<Json> => {
    const text = textOf(reply, name)
    return [
      ...(reply.reasoning === undefined ? [] : [{ text: reply.reasoning, thought: true }]),
      ...(text === "" ? [] : [{ text }]),
      ...(reply.toolCalls ?? []).map((call, index) => ({
        functionCall: { name: call.name, args: call.arguments },
        ...(index === 0 ? { thoughtSignature: signature } : {})
      }))
    ]
  }
  const chunk = (reply: SpokenReply, said: ReadonlyArray<Json>, isLast: boolean): Json => ({
    candidates: [{ content: { role: "model", parts: said }, index: 0, ...(isLast ? { finishReason: "STOP" } : {}) }],
    usageMetadata: {
      promptTokenCount: input(reply),
      candidatesTokenCount: output(reply),
      totalTokenCount: input(reply) + output(reply)
    },
    modelVersion: name,
    responseId: `resp-${name}`
  })
  return {
    isStream: (path) => path.includes(":streamGenerateContent"),
    whole: (reply) => chunk(reply, parts(reply), true),
    events: (reply) => {
      const pieces = parts(reply).flatMap((part) =>
        typeof part.text === "string" ? half(part.text).map((text) => ({ ...part, text })) : [part]
      )
      return pieces.map((part, index) => sse(chunk(reply, [part], index === pieces.length - 1)))
    },
    error: (status, text = "Something is wrong") => ({
      error: { code: status, message: text, status: geminiStatus[status] ?? "INTERNAL" }
    }),
    refusal: (body) => {
      const given = valuesOf(body.contents, "thoughtSignature")
      return given.every((value) => value === signature || placeholders.has(value))
        ? undefined
        : { status: 400, message: "Thought signature is not valid" }
    }
  }
}

const responses = (name: string): SpokenWire => {
  const encrypted = `gAAAA-${name}`
  const items = (reply: SpokenReply): ReadonlyArray<Json> => {
    const text = textOf(reply, name)
    return [
      ...(reply.reasoning === undefined
        ? []
        : [
            {
              type: "reasoning",
              id: `rs_${name}`,
              summary: [{ type: "summary_text", text: reply.reasoning }],
              encrypted_content: encrypted
            }
          ]),
      ...(text === ""
        ? []
        : [
            {
              type: "message",
              id: `msg_${name}`,
              status: "completed",
              role: "assistant",
              content: [{ type: "output_text", text, annotations: [] }]
            }
          ]),
      ...(reply.toolCalls ?? []).map((call, index) => ({
        type: "function_call",
        id: `fc_${name}_${index}`,
        call_id: `call_${name}_${index}`,
        name: call.name,
        arguments: JSON.stringify(call.arguments),
        status: "completed"
      }))
    ]
  }
  const whole = (reply: SpokenReply, body: Json, status: string): Json => ({
    id: `resp_${name}`,
    object: "response",
    created_at: 1_700_000_000,
    status,
    error: null,
    incomplete_details: null,
    model: body.model ?? name,
    output: status === "completed" ? items(reply) : [],
    usage:
      status === "completed"
        ? {
            input_tokens: input(reply),
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: output(reply),
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: input(reply) + output(reply)
          }
        : null
  })
  const steps = (item: Json, output_index: number): ReadonlyArray<Json> => {
    const item_id = item.id
    switch (item.type) {
      case "message": {
        const [part] = item.content as ReadonlyArray<{ readonly text: string }>
        const { text = "" } = part ?? {}
        const at = { item_id, output_index, content_index: 0 }
        return [
          { type: "response.content_part.added", ...at, part: { type: "output_text", text: "", annotations: [] } },
          ...half(text).map((delta) => ({ type: "response.output_text.delta", ...at, delta })),
          { type: "response.output_text.done", ...at, text },
          { type: "response.content_part.done", ...at, part: { type: "output_text", text, annotations: [] } }
        ]
      }
      case "function_call":
        return [
          ...half(String(item.arguments)).map((delta) => ({
            type: "response.function_call_arguments.delta",
            item_id,
            output_index,
            delta
          })),
          { type: "response.function_call_arguments.done", item_id, output_index, arguments: item.arguments }
        ]
      default:
        return []
    }
  }
  const opened = (item: Json): Json =>
    item.type === "message"
      ? { ...item, status: "in_progress", content: [] }
      : item.type === "function_call"
        ? { ...item, status: "in_progress", arguments: "" }
        : item
  return {
    isStream: (_, body) => body.stream === true,
    whole: (reply, body) => whole(reply, body, "completed"),
    events: (reply, body) => {
      const all: Array<Json> = [
        { type: "response.created", response: whole(reply, body, "in_progress") },
        { type: "response.in_progress", response: whole(reply, body, "in_progress") }
      ]
      items(reply).forEach((item, output_index) => {
        all.push({ type: "response.output_item.added", output_index, item: opened(item) })
        all.push(...steps(item, output_index), { type: "response.output_item.done", output_index, item })
      })
      all.push({ type: "response.completed", response: whole(reply, body, "completed") })
      return all.map((json, sequence_number) => sse({ ...json, sequence_number }, String(json.type)))
    },
    error: (status, text = "Something is wrong") => ({
      error: {
        message: text,
        type: status === 429 ? "rate_limit_error" : "invalid_request_error",
        param: null,
        code: text.startsWith("The encrypted content") ? "invalid_encrypted_content" : null
      }
    }),
    refusal: (body) => {
      const foreign = valuesOf(body.input, "encrypted_content").find((value) => value !== encrypted)
      return foreign === undefined
        ? undefined
        : {
            status: 400,
            message: `The encrypted content ${foreign.slice(0, 8)}... could not be verified. Reason: Encrypted content could not be decrypted or parsed.`
          }
    }
  }
}

/** What a dialect looks like on the wire. */
export const spokenWire = (dialect: Spoken, name: string): SpokenWire => {
  switch (dialect) {
    case "messages":
      return messages(name)
    case "gemini":
      return gemini(name)
    case "responses":
      return responses(name)
  }
}
