/** Answers that are no sound HTTP, or have no end: written on the bare socket. */
import type { Socket } from "node:net"
import { gzipSync } from "node:zlib"
import { type Ask, replyTo, vectorsFor } from "./ask.js"

/** Takes a socket over after its request was read. */
export type TakeOver = (socket: Socket) => void

const head = (status: string, headers: Readonly<Record<string, string | number>>): string =>
  `HTTP/1.1 ${status}\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`

const usage = { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 }

const envelope = (ask: Ask) => ({
  id: `raw-${ask.id}`,
  object: ask.kind === "stream" ? "chat.completion.chunk" : "chat.completion",
  created: 1,
  model: "fake-model"
})

/** A right answer as one JSON text; `more` goes into it as it stands. */
const whole = (ask: Ask, more = ""): string =>
  ask.kind === "embedding"
    ? `{"object":"list"${more},"model":"fake-model","data":${JSON.stringify(
        vectorsFor(ask).map((embedding, index) => ({ object: "embedding", index, embedding }))
      )},"usage":${JSON.stringify(usage)}}`
    : `${JSON.stringify({
        ...envelope(ask),
        choices: [{ index: 0, message: { role: "assistant", content: replyTo(ask) }, finish_reason: "stop" }],
        usage
      }).slice(0, -1)}${more}}`

const event = (ask: Ask, delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ ...envelope(ask), choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const right = (ask: Ask): string =>
  ask.kind === "stream"
    ? `${event(ask, { role: "assistant", content: "" })}${event(ask, { content: replyTo(ask) })}${event(ask, {}, "stop")}data: [DONE]\n\n`
    : whole(ask)

const typeOf = ({ kind }: Ask): string => (kind === "stream" ? "text/event-stream" : "application/json")

const answer = (ask: Ask, body: string | Buffer, more: Readonly<Record<string, string>> = {}): Buffer =>
  Buffer.concat([
    Buffer.from(
      head("200 OK", {
        "content-type": typeOf(ask),
        "content-length": Buffer.byteLength(body),
        connection: "close",
        ...more
      })
    ),
    Buffer.from(body)
  ])

/** Ms between two pieces, bytes of a piece, and bytes after which it is silent: a flood that leaves others some CPU. */
const flood = { every: 4, piece: 64 * 1024, most: 48 * 1024 * 1024 }

const pour =
  (opening: string, text: string): TakeOver =>
  (socket) => {
    const piece = Buffer.from(text.repeat(Math.ceil(flood.piece / text.length)))
    let left = flood.most
    socket.on("error", () => {})
    socket.write(opening)
    const timer = setInterval(() => {
      if (socket.writableNeedDrain) return
      left -= piece.length
      if (left > 0) socket.write(piece)
      else clearInterval(timer)
    }, flood.every)
    socket.once("close", () => clearInterval(timer))
  }

const say =
  (...parts: ReadonlyArray<string | Buffer>): TakeOver =>
  (socket) => {
    socket.on("error", () => {})
    parts.forEach((part, index) => {
      setTimeout(() => void (socket.destroyed || socket.write(part)), index * 100)
    })
  }

/** Byte by byte, so that every bound between characters, lines and events is met. */
const dribble =
  (bytes: Buffer): TakeOver =>
  (socket) => {
    socket.on("error", () => {})
    socket.setNoDelay(true)
    let at = 0
    const timer = setInterval(() => {
      if (at >= bytes.length || socket.destroyed) return clearInterval(timer)
      socket.write(bytes.subarray(at, at + 7))
      at += 7
    }, 1)
    socket.once("close", () => clearInterval(timer))
  }

const streamHead = head("200 OK", { "content-type": "text/event-stream" })
const nested = (levels: number): string => `${'{"a":['.repeat(levels)}1${"]}".repeat(levels)}`

export const endlessHeaders = (): TakeOver => pour("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n")

export const endlessBody = (ask: Ask): TakeOver =>
  pour(
    head("200 OK", { "content-type": typeOf(ask), connection: "close" }),
    ask.kind === "stream" ? "data: {" : '{"a":['
  )

export const manyComments = (): TakeOver => pour(streamHead, ": still here\n\n")

export const emptyDeltas = (ask: Ask): TakeOver => pour(streamHead, event(ask, { content: "" }))

/** Deeper than a parser that recurses can write. */
export const deepJson = (ask: Ask): TakeOver => say(answer(ask, whole(ask, `,"deep":${nested(50_000)}`)))

/** A word, and then an event whose usage has to be taken out. */
export const deepEvent = (ask: Ask): TakeOver =>
  say(
    streamHead + event(ask, { role: "assistant", content: replyTo(ask).slice(0, 8) }),
    `data: {"id":"deep","choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1},"deep":${nested(3_000)}}\n\n`
  )

export const packed = (ask: Ask): TakeOver => {
  const bytes = gzipSync(right(ask))
  return say(answer(ask, bytes, { "content-encoding": "gzip" }))
}

export const continued = (ask: Ask): TakeOver => say("HTTP/1.1 100 Continue\r\n\r\n", answer(ask, right(ask)))

export const dribbled = (ask: Ask): TakeOver => dribble(answer(ask, right(ask)))

export const noHttp = (): TakeOver => say("SSH-2.0-OpenSSH_9.6\r\n")

/** The right answer, and bytes after it that nobody asked for. */
export const trailing = (ask: Ask): TakeOver =>
  say(Buffer.concat([answer(ask, right(ask)), Buffer.from("HTTP/1.1 200 OK\r\n\r\n")]))

/** Fewer bytes announced than there are. */
export const shortLength = (ask: Ask): TakeOver => {
  const body = Buffer.from(right(ask))
  return say(
    Buffer.concat([
      Buffer.from(
        head("200 OK", { "content-type": typeOf(ask), "content-length": body.length >> 1, connection: "close" })
      ),
      body
    ])
  )
}

/** A reset in place of an orderly end, after half of a right answer. */
export const resetMidway = (ask: Ask): TakeOver => {
  const bytes = answer(ask, right(ask))
  return (socket) => {
    socket.on("error", () => {})
    socket.write(bytes.subarray(0, bytes.length >> 1), () => setTimeout(() => socket.resetAndDestroy(), 20))
  }
}
