/**
 * A provider of any of the big APIs on loopback: a scripted model that calls a tool when it is offered one and has no result
 * yet, and else says a text. It checks what the real ones check of a tool's round trip, so that a translation that breaks it
 * is found out.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { Effect, type Scope } from "effect"
import { type Api, failure, frames, type Json, type Said, whole } from "./fakeTurns.js"

export type { Api }

/** A request that came. */
export interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Json
}

/** A tool as it was offered. */
interface Offered {
  readonly name: string
  readonly schema: Json
  readonly isFree: boolean
}

/** What the model does. */
export interface Script {
  readonly text: string
  /** Chooses the call of a turn; `results` are what tools have answered so far. Default: none is called. */
  readonly call?: (offered: ReadonlyArray<Offered>, results: ReadonlyArray<string>) => Said["call"]
}

/** A provider that runs. */
export interface FakeApi {
  readonly api: Api
  readonly url: string
  readonly journal: () => ReadonlyArray<Asked>
  /** The next requests fail so, one each. */
  readonly fail: (...statuses: ReadonlyArray<number>) => void
  /** From now on it is as if it were gone. */
  readonly isDown: (down: boolean) => void
}

const textOf = (content: unknown): string => (typeof content === "string" ? content : JSON.stringify(content ?? null))

const turnsOf = (api: Api, body: Json): ReadonlyArray<Json> => {
  const list = api === "gemini" ? body.contents : api === "responses" ? body.input : body.messages
  return arrayOf(list).filter(isJsonObject)
}

/** Calls and results in a request, by what binds them to each other. */
const exchanges = (api: Api, body: Json) => {
  const calls: Array<string> = []
  const results: Array<readonly [id: string, text: string]> = []
  for (const turn of turnsOf(api, body)) {
    if (api === "chat") {
      for (const call of arrayOf(turn.tool_calls)) if (isJsonObject(call)) calls.push(String(call.id))
      if (turn.role === "tool") results.push([String(turn.tool_call_id), textOf(turn.content)])
    } else if (api === "responses") {
      if (turn.type === "function_call" || turn.type === "custom_tool_call") calls.push(String(turn.call_id))
      if (turn.type === "function_call_output" || turn.type === "custom_tool_call_output") {
        results.push([String(turn.call_id), textOf(turn.output)])
      }
    } else {
      for (const part of arrayOf(api === "messages" ? turn.content : turn.parts)) {
        if (!isJsonObject(part)) continue
        if (part.type === "tool_use") calls.push(String(part.id))
        if (part.type === "tool_result") results.push([String(part.tool_use_id), textOf(part.content)])
        if (isJsonObject(part.functionCall)) calls.push(String(part.functionCall.name))
        if (isJsonObject(part.functionResponse)) {
          results.push([String(part.functionResponse.name), textOf(part.functionResponse.response)])
        }
      }
    }
  }
  return { calls, results }
}

const offeredIn = (api: Api, body: Json): ReadonlyArray<Offered> => {
  const tools = arrayOf(body.tools).filter(isJsonObject)
  const offer = (name: unknown, schema: unknown, isFree = false): ReadonlyArray<Offered> =>
    typeof name === "string" ? [{ name, schema: isJsonObject(schema) ? schema : {}, isFree }] : []
  const read: Readonly<Record<Api, (tool: Json) => ReadonlyArray<Offered>>> = {
    chat: (tool) => (isJsonObject(tool.function) ? offer(tool.function.name, tool.function.parameters) : []),
    responses: ({ name, parameters, type }) =>
      type === "function" || type === "custom" ? offer(name, parameters, type === "custom") : [],
    messages: (tool) => (tool.input_schema === undefined ? [] : offer(tool.name, tool.input_schema)),
    gemini: (tool) =>
      arrayOf(tool.functionDeclarations)
        .filter(isJsonObject)
        .flatMap(({ name, parameters, parametersJsonSchema }) => offer(name, parametersJsonSchema ?? parameters))
  }
  return tools.flatMap(read[api])
}

/** What the real API would refuse; undefined when nothing. */
const wrongIn = (api: Api, body: Json): string | undefined => {
  const { calls, results } = exchanges(api, body)
  const stray = results.find(([id]) => !calls.includes(id))
  if (stray !== undefined) return `the result ${stray[0]} belongs to no call`
  const open = calls.find((id) => !results.some(([known]) => known === id))
  if (open !== undefined) return `the call ${open} has no result`
  if (api === "messages" && typeof body.max_tokens !== "number") return "max_tokens: Field required"
  if (api === "messages") {
    const ids = [...calls, ...results.map(([id]) => id)]
    const bad = ids.find((id) => !/^[a-zA-Z0-9_-]{1,64}$/.test(id))
    if (bad !== undefined) return `tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`
  }
  return undefined
}

const endings: Readonly<Record<Api, RegExp>> = {
  chat: /\/chat\/completions$/,
  responses: /\/responses$/,
  messages: /\/messages$/,
  gemini: /\/models\/([^/:]+):(?:generateContent|streamGenerateContent)$/
}

const countings: Readonly<Record<Api, RegExp | undefined>> = {
  chat: undefined,
  responses: /\/responses\/input_tokens$/,
  messages: /\/messages\/count_tokens$/,
  gemini: /:countTokens$/
}

const counted: Readonly<Record<Api, Json>> = {
  chat: {},
  responses: { object: "response.input_tokens", input_tokens: 77 },
  messages: { input_tokens: 77 },
  gemini: { totalTokens: 77, promptTokensDetails: [{ modality: "TEXT", tokenCount: 77 }] }
}

/** A vector of three numbers for each text: its length is the first. */
const embeddingsOf = (api: Api, path: string, body: Json): Json | undefined => {
  if (api === "gemini" && path.endsWith(":batchEmbedContents")) {
    const texts = arrayOf(body.requests).map((one) => JSON.stringify(isJsonObject(one) ? one.content : undefined))
    return { embeddings: texts.map(() => ({ values: [0.5, 0.25, 0.125] })) }
  }
  if (api !== "chat" || !path.endsWith("/embeddings")) return undefined
  const inputs = typeof body.input === "string" ? [body.input] : arrayOf(body.input)
  return {
    object: "list",
    model: body.model,
    data: inputs.map((_, index) => ({ object: "embedding", index, embedding: [0.5, 0.25, 0.125] })),
    usage: { prompt_tokens: 3, total_tokens: 3 }
  }
}

const read = async (request: IncomingMessage): Promise<Json> => {
  const parts: Array<Buffer> = []
  for await (const part of request) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString("utf8")
  return text === "" ? {} : (JSON.parse(text) as Json)
}

/** Starts a provider, until the scope closes. */
export const make = (api: Api, script: Script): Effect.Effect<FakeApi, never, Scope.Scope> =>
  Effect.gen(function* () {
    const journal: Array<Asked> = []
    const failures: Array<number> = []
    let down = false
    let number = 0
    const kept = new Map<string, Json>()
    const sendJson = (response: ServerResponse, status: number, json: Json): void => {
      response.writeHead(status, { "content-type": "application/json", "x-request-id": `up-${number}` })
      response.end(JSON.stringify(json))
    }
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const url = new URL(request.url ?? "/", "http://fake")
      const body = await read(request)
      journal.push({ path: request.url ?? "/", headers: request.headers, body })
      if (down) return void response.destroy()
      const status = failures.shift()
      if (status !== undefined) return sendJson(response, status, failure(api, status, "scripted failure"))
      const keptId = /\/responses\/(resp_\d+)(\/input_items|\/cancel)?$/.exec(url.pathname)
      if (keptId !== null && api === "responses") {
        const known = kept.get(String(keptId[1]))
        if (known === undefined) return sendJson(response, 404, failure(api, 404, "not found"))
        if (request.method === "DELETE") kept.delete(String(keptId[1]))
        return sendJson(
          response,
          200,
          keptId[2] === "/input_items"
            ? { object: "list", data: [], has_more: false }
            : request.method === "DELETE"
              ? { id: keptId[1], object: "response", deleted: true }
              : known
        )
      }
      if (countings[api]?.test(url.pathname) === true) return sendJson(response, 200, counted[api])
      if (api === "responses" && url.pathname.endsWith("/responses/compact")) {
        const output = [{ id: "cmp_1", type: "compaction", encrypted_content: "shorter" }]
        const usage = { input_tokens: 21, output_tokens: 8, total_tokens: 29 }
        return sendJson(response, 200, { id: "resp_c1", object: "response.compaction", created_at: 1, output, usage })
      }
      const embedded = embeddingsOf(api, url.pathname, body)
      if (embedded !== undefined) return sendJson(response, 200, embedded)
      const [path, inPath] = endings[api].exec(url.pathname) ?? []
      if (path === undefined) return sendJson(response, 404, failure(api, 404, `no such path: ${url.pathname}`))
      const wrong = wrongIn(api, body)
      if (wrong !== undefined) return sendJson(response, 400, failure(api, 400, wrong))
      const { results } = exchanges(api, body)
      const call = script.call?.(
        offeredIn(api, body),
        results.map(([, text]) => text)
      )
      const said: Said = { text: script.text, call, model: String(inPath ?? body.model), number: ++number }
      const answered = whole(api, said)
      kept.set(`resp_${number}`, answered)
      const isStream = api === "gemini" ? url.pathname.includes(":stream") : body.stream === true
      if (!isStream) return sendJson(response, 200, answered)
      response.writeHead(200, { "content-type": "text/event-stream" })
      for (const [event, json] of frames(api, said)) {
        const data = json === "[DONE]" ? json : JSON.stringify(json)
        response.write(`${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`)
      }
      response.end()
    }
    const server = createServer((request, response) => {
      answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) sendJson(response, 500, failure(api, 500, String(error)))
        else response.destroy()
      })
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as AddressInfo
    return {
      api,
      url: `http://127.0.0.1:${port}`,
      journal: () => journal,
      fail: (...statuses) => void failures.push(...statuses),
      isDown: (is) => {
        down = is
      }
    }
  })
