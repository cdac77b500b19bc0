/**
 * A provider that costs as little as possible: canned answers, chat or a stream of 100 chunks, each of which goes out in a turn
 * of its own, so that they arrive one by one as a model sends them as far as whoever reads them keeps up.
 */
import { type AddressInfo, createServer, type Socket } from "node:net"
import { readMessages } from "./wire.js"

const answer = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o",
  choices: [
    { index: 0, message: { role: "assistant", content: "Hello there, how can I help?" }, finish_reason: "stop" }
  ],
  usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 }
})

const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt-4o",
    choices: [{ index: 0, delta, finish_reason: finish }]
  })}\n\n`

const usage =
  'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":98,"total_tokens":107}}\n\n'

const framed = (text: string): Buffer => Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)

const chunks = [
  chunk({ role: "assistant", content: "" }, null),
  ...Array.from({ length: 98 }, (_, index) => chunk({ content: ` word${index}` }, null)),
  chunk({}, "stop"),
  `${usage}data: [DONE]\n\n`
].map(framed)

const type = (name: string): string => `HTTP/1.1 200 OK\r\ncontent-type: ${name}\r\nconnection: keep-alive\r\n`
const whole = Buffer.from(`${type("application/json")}content-length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`)
const head = Buffer.from(`${type("text/event-stream")}transfer-encoding: chunked\r\n\r\n`)
const end = Buffer.from("0\r\n\r\n")

const stream = (socket: Socket): void => {
  socket.write(head)
  let index = 0
  const next = (): void => {
    const bytes = chunks[index++]
    if (socket.destroyed) return
    if (bytes === undefined) return void socket.write(end)
    if (socket.write(bytes)) setImmediate(next)
    else socket.once("drain", next)
  }
  next()
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy())
  readMessages(socket, (message) => {
    if (message.includes('"stream":true')) stream(socket)
    else socket.write(whole)
  })
})

server.listen(0, "127.0.0.1", 1024, () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once("disconnect", () => process.exit(0))
