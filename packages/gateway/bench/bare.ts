/**
 * The least that a proxy on Node can be: `node:http` in, undici out, every byte passed on as it comes. With a second argument that
 * many processes do it, which `node:cluster` hands connections.
 */
import cluster from "node:cluster"
import { createServer } from "node:http"
import { Agent, request } from "undici"

const upstream = process.argv[2] ?? ""
const workers = Number(process.argv[3] ?? 1)
const dispatcher = new Agent({ connections: 256, pipelining: 1 })

const server = createServer((incoming, outgoing) => {
  const parts: Array<Buffer> = []
  incoming.on("data", (part: Buffer) => parts.push(part))
  incoming.on("end", () => {
    request(`${upstream}${incoming.url}`, {
      method: "POST",
      dispatcher,
      headers: { "content-type": "application/json" },
      body: Buffer.concat(parts)
    }).then(
      ({ body, headers, statusCode }) => {
        outgoing.writeHead(statusCode, { "content-type": String(headers["content-type"]) })
        body.on("data", (part: Buffer) => outgoing.write(part))
        body.on("end", () => outgoing.end())
      },
      () => outgoing.writeHead(502).end()
    )
  })
})

// So that Node writes a profile that was asked for.
process.once("SIGTERM", () => process.exit(0))

if (workers > 1 && cluster.isPrimary) {
  let listening = 0
  for (let index = 0; index < workers; index++) cluster.fork()
  // A worker ends with its primary, which `SIGKILL` ends.
  cluster.on("listening", (_, { port }) => ++listening === workers && process.send?.({ port }))
} else {
  server.listen(0, "127.0.0.1", () => {
    if (cluster.isPrimary) process.send?.({ port: (server.address() as { port: number }).port })
  })
}
