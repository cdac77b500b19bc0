/**
 * A fake upstream that answers as Anthropic, Gemini or OpenAI's Responses do: over real HTTP, whole and streamed, with their
 * errors. It issues signatures of its own, and refuses those of others as the real ones do.
 *
 * @since 0.1.0
 */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"
import { type Spoken, type SpokenReply, spokenWire } from "./spokenWire.js"

export type { Spoken, SpokenReply } from "./spokenWire.js"

/** A request as it came. */
export interface SpokenRequest {
  /** Path and query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
}

/** A running upstream. */
export interface SpokenProvider {
  readonly origin: string
  /** All requests, the oldest first. */
  readonly requests: () => ReadonlyArray<SpokenRequest>
  /** What is said from now on. */
  readonly behave: (reply: SpokenReply) => void
  /** What is said next, before that. */
  readonly next: (...replies: ReadonlyArray<SpokenReply>) => void
}

/** What an upstream is made from. */
export interface SpokenOptions {
  readonly name: string
  readonly dialect: Spoken
  readonly reply?: SpokenReply
}

const parsed = (text: string): Readonly<Record<string, unknown>> => {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch {
    return {}
  }
}

const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })

/** Starts an upstream; it ends with the scope. */
export const make = (options: SpokenOptions): Effect.Effect<SpokenProvider, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const wire = spokenWire(options.dialect, options.name)
        const requests: Array<SpokenRequest> = []
        const queue: Array<SpokenReply> = []
        let standing = options.reply ?? {}
        const server = createServer((request, response) => {
          let text = ""
          request.on("data", (chunk: Buffer) => {
            text += chunk.toString()
          })
          request.on("end", () => {
            const path = request.url ?? "/"
            const body = parsed(text)
            requests.push({ path, headers: request.headers, body })
            const refusal = wire.refusal(body)
            const reply = refusal ?? queue.shift() ?? standing
            if (reply.status !== undefined && reply.status >= 300) {
              response.writeHead(reply.status, { "content-type": "application/json" })
              response.end(JSON.stringify(wire.error(reply.status, reply.message)))
              return
            }
            if (!wire.isStream(path, body)) {
              response.writeHead(200, { "content-type": "application/json" })
              response.end(JSON.stringify(wire.whole(reply, body)))
              return
            }
            response.writeHead(200, { "content-type": "text/event-stream" })
            const events = wire.events(reply, body)
            const sent = reply.cutAfterEvents === undefined ? events : events.slice(0, reply.cutAfterEvents)
            response.write(sent.join(""))
            if (sent.length < events.length) setImmediate(() => request.socket.destroySoon())
            else response.end()
          })
        })
        const origin = await listening(server)
        const provider: SpokenProvider = {
          origin,
          requests: () => requests,
          behave: (reply) => {
            standing = reply
          },
          next: (...replies) => void queue.push(...replies)
        }
        return { provider, server }
      }),
      ({ server }) =>
        Effect.promise(
          () =>
            new Promise<void>((done) => {
              server.close(() => done())
              server.closeAllConnections()
            })
        )
    ),
    ({ provider }) => provider
  )
