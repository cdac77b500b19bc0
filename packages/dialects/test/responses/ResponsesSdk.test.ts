/**
 * OpenAI's own SDK reads what the writer of events writes.
 */
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import OpenAI from "openai"
import { describe, expect, test } from "vitest"
import { eventsOf, optionsFor } from "./fixtures.js"

const place = (part: number) => ({ choice: 0, part })

const clientOf = (steps: ReadonlyArray<AnswerEvent>): OpenAI => {
  const options = optionsFor({ tools: [{ type: "custom", name: "patch" }] })
  const body = eventsOf(steps, options)
    .map(({ event, json }) => `event: ${event}\ndata: ${JSON.stringify(json)}\n\n`)
    .join("")
  const headers = { "content-type": "text/event-stream" }
  const fetch = (): Promise<Response> => Promise.resolve(new Response(body, { headers }))
  return new OpenAI({ apiKey: "k", baseURL: "http://localhost/v1", fetch, maxRetries: 0 })
}

describe("OpenAI's SDK", () => {
  test("reads thoughts, words with their sources, and calls", async () => {
    const citation = { dialect: "messages" as const, url: "https://example.org", title: "t", value: {} }
    const client = clientOf([
      { type: "start", id: "msg_1", model: "claude" },
      { type: "reasoning", text: "hm", ...place(0) },
      { type: "signature", signature: { dialect: "messages", value: "sig" }, ...place(0) },
      { type: "text", text: "Hel", ...place(1) },
      { type: "text", text: "lo", ...place(1) },
      { type: "citation", citation, ...place(1) },
      { type: "text", text: " you", ...place(2) },
      { type: "toolCall", id: "c1", name: "read", kind: "function", ...place(3) },
      { type: "arguments", text: '{"a":', ...place(3) },
      { type: "arguments", text: "1}", ...place(3) },
      { type: "toolCall", id: "c2", name: "patch", kind: "function", ...place(4) },
      { type: "arguments", text: '{"input":"x"}', ...place(4) },
      { type: "finish", choice: 0, finish: "toolCalls" },
      { type: "usage", usage: { uncached: 1, cacheRead: 2, cacheWrite: 0, text: 3, reasoning: 4 } },
      { type: "end" }
    ])
    const stream = client.responses.stream({ model: "m", input: "hi" })
    const deltas: Array<string> = []
    stream.on("response.output_text.delta", ({ delta }) => void deltas.push(delta))
    const final = await stream.finalResponse()
    expect(deltas.join("")).toBe("Hello you")
    expect(final.output_text).toBe("Hello you")
    expect(final.status).toBe("completed")
    expect(final.usage?.total_tokens).toBe(10)
    expect(final.output).toMatchObject([
      { type: "reasoning", summary: [{ text: "hm" }] },
      {
        type: "message",
        content: [{ annotations: [{ type: "url_citation", url: "https://example.org" }] }, { text: " you" }]
      },
      { type: "function_call", call_id: "c1", arguments: '{"a":1}' },
      { type: "custom_tool_call", call_id: "c2", input: "x" }
    ])
  })

  test("is told of an answer that was cut, and of one that failed", async () => {
    const cut = clientOf([
      { type: "text", text: "so", ...place(0) },
      { type: "finish", choice: 0, finish: "length" }
    ])
    const final = await cut.responses.stream({ model: "m", input: "hi" }).finalResponse()
    expect(final.incomplete_details?.reason).toBe("max_output_tokens")
    const failed = clientOf([
      { type: "text", text: "so", ...place(0) },
      { type: "error", error: { message: "overloaded", status: 529 } }
    ])
    const answer = failed.responses.stream({ model: "m", input: "hi" }).finalResponse()
    await expect(answer).rejects.toThrow(/overloaded/)
  })
})
