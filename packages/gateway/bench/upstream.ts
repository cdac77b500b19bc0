/** A provider that costs as little as possible: canned answers, chat or a stream of 100 chunks. */
import { createServer } from "node:http"

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

const chunks = [
  chunk({ role: "assistant", content: "" }, null),
  ...Array.from({ length: 98 }, (_, index) => chunk({ content: ` word${index}` }, null)),
  chunk({}, "stop")
]

const usage = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":98,"total_tokens":107}}\n\ndata: [DONE]\n\n`

const server = createServer((request, response) => {
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    if (!Buffer.concat(parts).includes('"stream":true')) {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) })
      response.end(answer)
      return
    }
    response.writeHead(200, { "content-type": "text/event-stream" })
    let index = 0
    // Paced, so that chunks arrive one by one as a model sends them; else the kernel hands them over in bundles.
    const next = (): void => {
      const text = chunks[index++]
      if (text === undefined) return void response.end(usage)
      response.write(text)
      setTimeout(next, 1)
    }
    next()
  })
})

server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as { port: number }).port }))
