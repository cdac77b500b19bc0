/**
 * Google's own SDK reads what is written here.
 */
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai"
import type { JsonObject } from "@switchyard/core/Json"
import type { Answer } from "@switchyard/dialects/Answer"
import { gemini } from "@switchyard/dialects/Gemini"
import * as GeminiEmbeddings from "@switchyard/dialects/GeminiEmbeddings"
import type { AnswerOptions } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { answerSteps } from "../../src/words/answerSteps.js"

const foreign: Answer = {
  id: "msg_1",
  model: "claude",
  choices: [
    {
      parts: [
        { type: "reasoning", text: "hm", signature: { dialect: "messages", value: "abc" } },
        { type: "text", text: "Let me look." },
        { type: "toolCall", id: "toolu_1", name: "weather", kind: "function", arguments: '{"city":"Paris"}' }
      ],
      finish: "toolCalls"
    }
  ],
  usage: { uncached: 10, cacheRead: 5, cacheWrite: 0, text: 20, reasoning: 3 }
}
const options: AnswerOptions = {
  id: "made",
  created: 1,
  conversation: { origin: "gemini", model: "m", stream: false, turns: [], tools: [], settings: {}, extra: {} }
}

const asJson = (response: ServerResponse, body: JsonObject, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

const asStream = (response: ServerResponse): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  const writer = gemini.eventWriter(options)
  const tell = ({ json }: { readonly json: JsonObject }): void => {
    response.write(`data: ${JSON.stringify(json)}\n\n`)
  }
  answerSteps(foreign, (step) => writer.write(step, tell))
  writer.end(tell)
  response.end()
}

const answered = (path: string, response: ServerResponse): void => {
  if (path.includes("/broken:")) return asJson(response, gemini.writeError({ message: "Slow down", status: 429 }), 429)
  if (path.includes(":streamGenerateContent")) return asStream(response)
  if (path.includes(":countTokens")) return asJson(response, { totalTokens: 7 })
  if (path.includes("mbed")) {
    const data = [{ object: "embedding", index: 0, embedding: [1, 2] }]
    return asJson(response, GeminiEmbeddings.writeAnswer({ data }, "batch"))
  }
  asJson(response, gemini.writeAnswer(foreign, options))
}

describe("Google's SDK", () => {
  const bodies: Array<JsonObject> = []
  let server: Server
  let sdk: GoogleGenAI

  beforeAll(async () => {
    server = createServer((request, response) => {
      let text = ""
      request.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8")
      })
      request.on("end", () => {
        bodies.push(JSON.parse(text) as JsonObject)
        answered(request.url ?? "", response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    sdk = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: `http://127.0.0.1:${port}` } })
  })

  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  const config = {
    tools: [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: { type: "object" } }] }],
    toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } },
    systemInstruction: "Be short.",
    maxOutputTokens: 10
  }

  it("reads a whole answer, and sends what is read", async () => {
    const said = await sdk.models.generateContent({ model: "m", contents: "Weather?", config })
    expect(said.text).toBe("Let me look.")
    expect(said.functionCalls).toEqual([{ id: "toolu_1", name: "weather", args: { city: "Paris" } }])
    expect(said.candidates?.[0]?.finishReason).toBe("STOP")
    expect(said.usageMetadata).toMatchObject({ promptTokenCount: 15, candidatesTokenCount: 20, thoughtsTokenCount: 3 })
    const asked = Either.getOrThrow(gemini.readRequest(bodies[bodies.length - 1] ?? {}, { model: "m" }))
    expect(asked).toMatchObject({
      turns: [{ role: "system" }, { role: "user", parts: [{ type: "text", text: "Weather?" }] }],
      tools: [{ name: "weather", parameters: { type: "object" } }],
      toolChoice: { type: "auto" },
      settings: { maxOutput: 10 }
    })
  })

  it("reads a stream, and gives a conversation back with its signatures", async () => {
    const chat = sdk.chats.create({ model: "m", config })
    let text = ""
    const calls: Array<unknown> = []
    for await (const chunk of await chat.sendMessageStream({ message: "Weather?" })) {
      text += chunk.text ?? ""
      calls.push(...(chunk.functionCalls ?? []))
    }
    expect(text).toBe("Let me look.")
    expect(calls).toMatchObject([{ name: "weather", args: { city: "Paris" } }])
    await chat.sendMessage({
      message: [{ functionResponse: { id: "toolu_1", name: "weather", response: { output: "sunny" } } }]
    })
    const { turns } = Either.getOrThrow(gemini.readRequest(bodies[bodies.length - 1] ?? {}, { model: "m" }))
    const parts = turns.flatMap((turn) => turn.parts)
    expect(parts).toContainEqual(
      expect.objectContaining({ type: "reasoning", signature: { dialect: "messages", value: "abc" } })
    )
    expect(parts).toContainEqual(expect.objectContaining({ type: "toolCall", id: "toolu_1" }))
    expect(parts).toContainEqual(
      expect.objectContaining({ type: "toolResult", id: "toolu_1", content: [{ type: "text", text: "sunny" }] })
    )
  })

  it("reads counts, embeddings and errors", async () => {
    expect((await sdk.models.countTokens({ model: "m", contents: "a" })).totalTokens).toBe(7)
    expect((await sdk.models.embedContent({ model: "m", contents: "a" })).embeddings).toEqual([{ values: [1, 2] }])
    await expect(sdk.models.generateContent({ model: "broken", contents: "a" })).rejects.toMatchObject({ status: 429 })
  })
})
