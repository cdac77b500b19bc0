/**
 * Small upstreams for a first try without any key: real loopback servers that speak OpenAI's protocol and answer with a
 * fixed text. One is fast, one slow, and one fails now and then, so that the router has something to do.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Background from "@switchyard/core/Background"
import { Clock, Effect, Runtime, type Scope } from "effect"

/** How an upstream behaves. Times in ms. */
export interface Character {
  readonly name: string
  /** Wait before the first word. */
  readonly firstWord: number
  /** Wait between two words of a stream. */
  readonly gap: number
  /** Every so many-th request fails, with 503 and 429 in turn. Unset: none. */
  readonly failsEvery?: number
}

/** An upstream that listens. */
export interface DemoUpstream extends Character {
  /** Base URL, with `/v1`. */
  readonly url: string
}

/** The three upstreams of the demo. */
export const characters: ReadonlyArray<Character> = [
  { name: "fast", firstWord: 20, gap: 15 },
  { name: "slow", firstWord: 300, gap: 60 },
  { name: "flaky", firstWord: 20, gap: 15, failsEvery: 3 }
]

const maxBody = 4 * 1024 * 1024

interface Payload {
  readonly model?: unknown
  readonly messages?: unknown
  readonly prompt?: unknown
  readonly input?: unknown
  readonly stream?: unknown
  readonly stream_options?: unknown
  readonly dimensions?: unknown
}

/** What came, as an object; undefined where it is none, or too long. */
const read = (request: IncomingMessage): Effect.Effect<Payload | undefined> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBody) chunks.push(chunk)
    })
    request.on("end", () => {
      let body: unknown
      try {
        body = size > maxBody ? undefined : JSON.parse(Buffer.concat(chunks).toString("utf8"))
      } catch {
        body = undefined
      }
      resume(Effect.succeed(typeof body === "object" && body !== null ? body : undefined))
    })
  })

const sendJson = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) =>
  Effect.sync(() => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify(body))
  })

const sendError = (response: ServerResponse, status: number, message: string, headers?: Record<string, string>) =>
  sendJson(response, status, { error: { message, type: "demo_error", param: null, code: null } }, headers)

/** The text of a message or prompt; of several, the last one's. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (Array.isArray(value)) return textOf(value[value.length - 1])
  if (typeof value !== "object" || value === null) return ""
  const { content, text } = value as { readonly content?: unknown; readonly text?: unknown }
  return textOf(content ?? text)
}

const replyOf = (name: string, prompt: string): string => {
  const said = prompt.length > 80 ? `${prompt.slice(0, 79)}…` : prompt
  return (
    `This is the demo upstream "${name}", and no model wrote this. You said: "${said}". ` +
    "For real answers, run: switchyard serve --config FILE"
  )
}

const tokens = (text: string): number => Math.ceil(text.length / 4)

const usageOf = (prompt: string, reply: string) => ({
  prompt_tokens: tokens(prompt),
  completion_tokens: tokens(reply),
  total_tokens: tokens(prompt) + tokens(reply)
})

const asksForUsage = ({ stream_options: options }: Payload): boolean =>
  typeof options === "object" && options !== null && "include_usage" in options && options.include_usage === true

/** Numbers that depend on the text only, of length 1 as real embeddings are. */
const embedding = (text: string, dimensions: number): ReadonlyArray<number> => {
  let state = 0x811c9dc5
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193) >>> 0
  const raw = Array.from({ length: dimensions }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 0x80000000 - 1
  })
  const norm = Math.hypot(...raw) || 1
  return raw.map((value) => value / norm)
}

const embeddings = (response: ServerResponse, payload: Payload, model: string) => {
  const inputs = Array.isArray(payload.input) && typeof payload.input[0] !== "number" ? payload.input : [payload.input]
  const asked = payload.dimensions
  const dimensions = typeof asked === "number" && asked >= 1 && asked <= 4096 ? Math.floor(asked) : 16
  const total = inputs.reduce((sum: number, input) => sum + tokens(JSON.stringify(input) ?? ""), 0)
  return sendJson(response, 200, {
    object: "list",
    data: inputs.map((input, index) => ({
      object: "embedding",
      index,
      embedding: embedding(JSON.stringify(input) ?? "", dimensions)
    })),
    model,
    usage: { prompt_tokens: total, total_tokens: total }
  })
}

interface Answer {
  readonly character: Character
  readonly response: ServerResponse
  readonly payload: Payload
  readonly model: string
  readonly isChat: boolean
  readonly seq: number
}

const generate = ({ character, isChat, model, payload, response, seq }: Answer) =>
  Effect.gen(function* () {
    const prompt = textOf(isChat ? payload.messages : payload.prompt)
    const reply = replyOf(character.name, prompt)
    const created = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const id = `${isChat ? "chatcmpl" : "cmpl"}-demo-${character.name}-${seq}`
    const head = { id, created, model }
    yield* Effect.sleep(character.firstWord)
    if (payload.stream !== true) {
      const content = isChat ? { message: { role: "assistant", content: reply } } : { text: reply, logprobs: null }
      return yield* sendJson(response, 200, {
        ...head,
        object: isChat ? "chat.completion" : "text_completion",
        choices: [{ index: 0, ...content, finish_reason: "stop" }],
        usage: usageOf(prompt, reply)
      })
    }
    const object = isChat ? "chat.completion.chunk" : "text_completion"
    const send = (chunk: object) =>
      Effect.sync(() => void response.write(`data: ${JSON.stringify({ ...head, object, ...chunk })}\n\n`))
    const choice = (text: string | undefined, finish: "stop" | null) => {
      const content = isChat ? { delta: text === undefined ? {} : { content: text } } : { text: text ?? "" }
      return { choices: [{ index: 0, ...content, finish_reason: finish }] }
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
    for (const word of reply.match(/\S+\s*/g) ?? []) {
      yield* send(choice(word, null))
      yield* Effect.sleep(character.gap)
    }
    yield* send(choice(undefined, "stop"))
    if (asksForUsage(payload)) yield* send({ choices: [], usage: usageOf(prompt, reply) })
    response.end("data: [DONE]\n\n")
  })

const handle = (character: Character, request: IncomingMessage, response: ServerResponse, next: () => number) =>
  Effect.gen(function* () {
    const path = (request.url ?? "/").split("?")[0]
    if (path === "/v1/models" && request.method === "GET") {
      const data = ["demo", "demo-embedding"].map((id) => ({ id, object: "model", created: 0, owned_by: "switchyard" }))
      return yield* sendJson(response, 200, { object: "list", data })
    }
    const isChat = path === "/v1/chat/completions"
    if (request.method !== "POST" || !(isChat || path === "/v1/completions" || path === "/v1/embeddings")) {
      return yield* sendError(response, 404, "the demo has chat/completions, completions, embeddings and models")
    }
    const payload = yield* read(request)
    if (payload === undefined) return yield* sendError(response, 400, "the body must be a JSON object of at most 4 MiB")
    const model = typeof payload.model === "string" ? payload.model : "demo"
    if (path === "/v1/embeddings") return yield* embeddings(response, payload, model)
    const seq = next()
    const { failsEvery } = character
    if (failsEvery !== undefined && seq % failsEvery === 0) {
      return (seq / failsEvery) % 2 === 1
        ? yield* sendError(response, 503, `the demo upstream "${character.name}" is down for a moment`)
        : yield* sendError(response, 429, `the demo upstream "${character.name}" has too much to do`, {
            "retry-after": "1"
          })
    }
    yield* generate({ character, response, payload, model, isChat, seq })
  })

/** Starts one upstream on a free loopback port; the end of the scope closes it. */
export const make = (character: Character): Effect.Effect<DemoUpstream, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = Runtime.runFork(yield* Background.runtime<never>())
    let seq = 0
    const server = createServer((request, response) => {
      const fiber = fork(handle(character, request, response, () => ++seq))
      response.on("close", () => fiber.unsafeInterruptAsFork(fiber.id()))
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.once("error", (error) => resume(Effect.die(error)))
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as AddressInfo
    return { ...character, url: `http://127.0.0.1:${port}/v1` }
  })

/** Starts all three. */
export const makeAll: Effect.Effect<ReadonlyArray<DemoUpstream>, never, Scope.Scope> = Effect.forEach(characters, make)

/** The settings of a gateway over them: the group `demo` of all, and `demo-embedding` on the first. */
export const settings = (upstreams: ReadonlyArray<DemoUpstream>): object => ({
  deployments: [
    ...upstreams.map(({ name, url }) => ({ id: `demo-${name}`, group: "demo", model: "demo", baseUrl: url })),
    ...upstreams.slice(0, 1).map(({ url }) => ({
      id: "demo-embedding",
      group: "demo-embedding",
      model: "demo-embedding",
      baseUrl: url
    }))
  ]
})
