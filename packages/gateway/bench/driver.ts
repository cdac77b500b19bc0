/** The load: a process of its own, so that what it costs is no other's. It is told by messages what to send, and says how that went. */
import { connect, type Socket } from "node:net"
import { readMessages } from "./wire.js"

/** What to send. */
export interface Load {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly requests: number
  readonly connections: number
  /** What every whole answer holds. */
  readonly expects: string
  /** Requests a second over all connections, each of which begins one in its turn; absent: the next as soon as one is answered. */
  readonly perSecond?: number
}

/** How it went; times in ms from a request's first byte to its answer's last, and to its first. */
export interface Outcome {
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  readonly firstP50: number
  readonly failure: string | undefined
}

const at = (sorted: Float64Array, share: number): number =>
  sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN

const drive = (load: Load): Promise<Outcome> =>
  new Promise((resolve) => {
    const { body, connections, expects, headers, path, perSecond, port, requests } = load
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const bytes = Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n${lines.join("")}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    )
    const took = new Float64Array(requests)
    const first = new Float64Array(requests)
    const sockets: Array<Socket> = []
    let sent = 0
    let done = 0
    const began = performance.now()
    const end = (failure: string | undefined): void => {
      for (const socket of sockets) socket.destroy()
      took.sort()
      first.sort()
      const seconds = (performance.now() - began) / 1000
      resolve({ seconds, p50: at(took, 0.5), p99: at(took, 0.99), firstP50: at(first, 0.5), failure })
    }
    for (let index = 0; index < Math.min(connections, requests); index++) {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true })
      sockets.push(socket)
      let from = 0
      let firstAt = 0
      let due = began + (perSecond === undefined ? 0 : (index * 1000) / perSecond)
      const send = (): void => {
        if (sent >= requests) return
        sent++
        from = performance.now()
        socket.write(bytes)
      }
      const sendInTurn = (): void => {
        if (perSecond === undefined) return send()
        const wait = due - performance.now()
        due += (connections * 1000) / perSecond
        if (wait < 1) send()
        else setTimeout(send, wait)
      }
      socket.on("error", (error) => end(error.message))
      readMessages(
        socket,
        (message) => {
          if (!message.subarray(0, 12).equals(ok) || !message.includes(expects)) {
            return end(message.toString().slice(0, 600))
          }
          took[done] = performance.now() - from
          first[done++] = firstAt - from
          if (done === requests) end(undefined)
          else sendInTurn()
        },
        () => {
          firstAt = performance.now()
        }
      )
      socket.once("connect", sendInTurn)
    }
  })

const ok = Buffer.from("HTTP/1.1 200")

process.on("message", (load: Load) => void drive(load).then((outcome) => process.send?.(outcome)))
process.once("disconnect", () => process.exit(0))
process.send?.({ port: 0 })
