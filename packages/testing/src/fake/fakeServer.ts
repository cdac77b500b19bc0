/**
 * The loopback HTTP server under a fake upstream: it takes requests, plays answers with real timers, minds
 * backpressure, and enters in the journal how each exchange ended.
 *
 * @since 0.1.0
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { Answer, Step } from "./fakeAnswer.js"
import { answerOf } from "./fakeAnswer.js"
import type { Behaviour, Decision, FakeRequest, Gate } from "./fakeBehaviour.js"
import type { End, Journal, Row } from "./fakeJournal.js"
import { mediaAt, readMedia } from "./fakeMedia.js"
import { mediaAnswer } from "./fakeMediaAnswer.js"
import { parse, parseJson } from "./fakeRequest.js"

/** What the server asks of its surroundings. */
export interface ServerOptions {
  readonly name: string
  readonly models: ReadonlyArray<string>
  readonly journal: Journal
  readonly decide: (request: FakeRequest, now: number) => Decision
}

/** One request on its way to its end. */
interface Exchange {
  readonly row: Row
  readonly request: IncomingMessage
  readonly response: ServerResponse
  timer: NodeJS.Timeout | undefined
  /** What the journal says once the answer is out; `undefined` until its last byte was handed to the socket. */
  ending: End | undefined
  /** Silent on purpose, as opposed to being in the middle of an answer. */
  silent: boolean
}

/** Reads what came: what the journal keeps of it, and what it asks. */
const readAny = (method: string, path: string, headers: IncomingHttpHeaders, raw: Buffer) => {
  const media = mediaAt(method, path)
  if (media !== undefined) return readMedia(media, headers, raw)
  const text = raw.toString("utf8")
  const body = parseJson(text)
  return { body, parsed: parse(method, path, body, text) }
}

/** Makes the server; it does not listen yet. */
export const makeServer = ({ decide, journal, models, name }: ServerOptions) => {
  const started = performance.now()
  const now = () => performance.now() - started
  const sockets = new Set<Socket>()
  const takenOver = new WeakSet<Socket>()
  const live = new Set<Exchange>()
  let seq = 0

  const settle = (x: Exchange, end: End): void => {
    if (!live.delete(x)) return
    clearTimeout(x.timer)
    journal.end(x.row, end, now())
  }
  const later = (x: Exchange, ms: number, run: () => void): void => {
    if (ms <= 0) run()
    else x.timer = setTimeout(run, ms)
  }
  const behind = (x: Exchange, gate: Gate | undefined, run: () => void): void => {
    if (gate === undefined) run()
    else gate.whenOpen(() => live.has(x) && run())
  }
  const silence = (x: Exchange): void => {
    x.silent = true
    journal.changed(x.row)
  }
  /** Lets out what was written, then destroys the socket. */
  const cut = (x: Exchange): void => {
    settle(x, "cut")
    // A response of Node 24 keeps its chunks until the turn is over.
    setImmediate(() => x.request.socket.destroySoon())
  }
  const wrote = (x: Exchange, text: string | Buffer, chunks: number): void => {
    x.row.bytesSent += Buffer.byteLength(text)
    x.row.chunksSent += chunks
    if (chunks > 0) journal.changed(x.row)
  }

  const pump = (x: Exchange, steps: ReadonlyArray<Step>, from: number, waited: boolean, ends: End): void => {
    for (let i = from; i < steps.length; i++) {
      const step = steps[i] as Step
      if (step.waitMs > 0 && !(waited && i === from)) {
        later(x, step.waitMs, () => pump(x, steps, i, true, ends))
        return
      }
      if (step.gate !== undefined) {
        if (step.gate.isOpen()) continue
        behind(x, step.gate, () => pump(x, steps, i + 1, false, ends))
        return
      }
      if (step.fault !== undefined) {
        if (step.fault === "cut") cut(x)
        else silence(x)
        return
      }
      const flowing = x.response.write(step.bytes ?? step.text)
      wrote(x, step.bytes ?? step.text, step.chunks)
      if (!flowing) {
        x.row.paused = true
        journal.changed(x.row)
        x.response.once("drain", () => {
          x.row.paused = false
          if (live.has(x)) pump(x, steps, i + 1, false, ends)
        })
        return
      }
    }
    x.ending = ends
    x.response.end()
  }

  const headersOf = (x: Exchange, b: Behaviour, d: Decision, fixed: Record<string, string>): Record<string, string> => {
    fixed["x-request-id"] = `req_${name}_${x.row.seq}`
    if (d.headers !== undefined) Object.assign(fixed, d.headers)
    if (b.headers !== undefined) {
      for (const [key, value] of Object.entries(b.headers)) fixed[key.toLowerCase()] = value
    }
    return fixed
  }

  const play = (x: Exchange, answer: Answer, decision: Decision): void => {
    const { behaviour } = decision
    const { response, row } = x
    row.status = answer.status
    const sendHeaders = (fixed: Record<string, string>): boolean => {
      response.writeHead(answer.status, headersOf(x, behaviour, decision, fixed))
      if (behaviour.cutAfterHeaders !== true && behaviour.stallAfterHeaders !== true) return true
      response.flushHeaders()
      if (behaviour.cutAfterHeaders === true) cut(x)
      else silence(x)
      return false
    }
    if (answer._tag === "Body") {
      const length = Buffer.byteLength(answer.body)
      const lying = behaviour.wrongContentLength === true && answer.ends === "answered"
      const fixed = { "content-type": answer.contentType, "content-length": String(lying ? length + 64 : length) }
      if (!sendHeaders(fixed)) return
      row.bytesSent = length
      if (lying) {
        response.write(answer.body)
        cut(x)
        return
      }
      x.ending = answer.ends
      response.end(answer.body)
      return
    }
    const type = answer.contentType ?? "text/event-stream; charset=utf-8"
    if (!sendHeaders({ "content-type": type, "cache-control": "no-cache" })) return
    if (!answer.instant) {
      response.flushHeaders()
      pump(x, answer.steps, 0, false, answer.ends)
      return
    }
    let text = ""
    let chunks = 0
    for (const step of answer.steps) {
      text += step.text
      chunks += step.chunks
    }
    // A large instant stream goes out step by step after all: a slow reader must be able to hold it up.
    if (text.length > 16_384) {
      pump(x, answer.steps, 0, false, answer.ends)
      return
    }
    wrote(x, text, chunks)
    x.ending = answer.ends
    response.end(text)
  }

  const decided = (request: FakeRequest): Decision => {
    try {
      return decide(request, now())
    } catch (error) {
      const message = `the script of fake provider "${name}" threw: ${String(error)}`
      return { behaviour: { status: 500, error: { message } }, delayMs: 0, headers: undefined }
    }
  }

  const begin = (request: IncomingMessage, response: ServerResponse, raw: Buffer, whole: boolean): void => {
    const method = request.method ?? "GET"
    const url = request.url ?? "/"
    const query = url.indexOf("?")
    const path = query < 0 ? url : url.slice(0, query)
    const { body, parsed } = readAny(method, path, request.headers, raw)
    const early = "_tag" in parsed
    const row: Row = {
      seq: ++seq,
      method,
      path,
      rawHeaders: request.rawHeaders,
      body,
      bodyBytes: raw.length,
      stream: !early && parsed.stream,
      receivedAt: now(),
      chunksSent: 0,
      bytesSent: 0,
      paused: false,
      status: undefined,
      end: undefined,
      endedAt: 0
    }
    const x: Exchange = { row, request, response, timer: undefined, ending: undefined, silent: false }
    live.add(x)
    journal.add(row)
    if (!whole) {
      settle(x, "clientAborted")
      return
    }
    response.on("error", () => {})
    response.on("close", () => settle(x, response.writableFinished ? (x.ending ?? "clientAborted") : "clientAborted"))
    if (early) {
      play(x, parsed, { behaviour: {}, delayMs: 0, headers: undefined })
      return
    }
    const decision = decided({
      seq: row.seq,
      method,
      path,
      headers: request.headers,
      body,
      model: parsed.model,
      stream: parsed.stream
    })
    const { behaviour } = decision
    if (behaviour.refuse === true) {
      settle(x, "refused")
      request.socket.destroy()
      return
    }
    if (behaviour.takeOver !== undefined) {
      const { socket } = request
      silence(x)
      takenOver.add(socket)
      response.detachSocket(socket)
      socket.once("close", () => settle(x, "cut"))
      behaviour.takeOver(socket)
      return
    }
    if (behaviour.hang === true) {
      silence(x)
      return
    }
    const { media } = parsed
    const upstream = { name, models, seq: row.seq }
    const answer =
      media === undefined ? answerOf(behaviour, parsed, upstream) : mediaAnswer(behaviour, parsed, media, upstream)
    const delayMs = answer._tag === "Steps" ? (behaviour.headersMs ?? 0) : decision.delayMs
    behind(x, behaviour.gateAfterChunks === undefined ? behaviour.gate : undefined, () =>
      later(x, delayMs, () => play(x, answer, decision))
    )
  }

  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 65_000 }, (request, response) => {
    // Nobody speaks HTTP there any more.
    if (takenOver.has(request.socket)) return void request.socket.destroy()
    const parts: Array<Buffer> = []
    let begun = false
    const once = (whole: boolean): void => {
      if (begun) return
      begun = true
      const only = parts.length === 1 ? parts[0] : undefined
      begin(request, response, only ?? Buffer.concat(parts), whole)
    }
    request.on("data", (part: Buffer) => void parts.push(part))
    request.on("end", () => once(true))
    request.on("error", () => once(false))
    request.on("close", () => once(request.complete))
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    journal.connected()
    socket.on("close", () => void sockets.delete(socket))
  })

  /** Ends every exchange in flight by destroying its socket. */
  const breakOff = (): void => {
    for (const x of [...live]) {
      settle(x, x.silent ? "hung" : "cut")
      x.request.socket.destroy()
    }
  }
  const listenOnce = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen(port, "127.0.0.1", () => {
        server.removeListener("error", reject)
        resolve((server.address() as AddressInfo).port)
      })
    })
  return {
    /** Listens on the port (0: any). A port just given back may be taken for a moment, so that it tries for 2 s. */
    listen: async (port: number): Promise<number> => {
      for (let tries = 0; ; tries++) {
        try {
          return await listenOnce(port)
        } catch (error) {
          if (port === 0 || tries >= 100 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    },
    /** Closes the listener and destroys every socket; resolves when all are gone. */
    shut: async (): Promise<void> => {
      const gone = [...sockets].map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())))
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      breakOff()
      for (const socket of sockets) socket.destroy()
      await Promise.all([closed, ...gone])
    },
    breakOff,
    listening: (): boolean => server.listening,
    openSockets: (): number => sockets.size,
    resetSeq: (): void => {
      seq = 0
    }
  }
}
