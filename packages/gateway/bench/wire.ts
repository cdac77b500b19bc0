/**
 * The least of HTTP/1.1 that a load generator and a canned upstream need, on plain sockets: what `node:http` costs on either
 * side would be taken from the proxy between them, since all share the machine.
 */
import type { Socket } from "node:net"

const endOfHead = Buffer.from("\r\n\r\n")
const lastChunk = Buffer.from("0\r\n\r\n")

/** One message after the other as it comes from a socket: gives each of them whole, head included. */
export const readMessages = (socket: Socket, onMessage: (message: Buffer) => void, onFirst = (): void => {}): void => {
  let held: Buffer | undefined
  const lengthOf = (bytes: Buffer): number | undefined => {
    const head = bytes.indexOf(endOfHead)
    if (head === -1) return undefined
    const words = bytes.toString("latin1", 0, head).toLowerCase()
    const length = /\r\ncontent-length: *(\d+)/.exec(words)?.[1]
    if (length !== undefined) return head + 4 + Number(length)
    if (!words.includes("\r\ntransfer-encoding: chunked")) return head + 4
    const isLast = bytes.length >= head + 9 && bytes.subarray(-5).equals(lastChunk)
    return isLast ? bytes.length : undefined
  }
  const take = (piece: Buffer): void => {
    if (held === undefined) onFirst()
    held = held === undefined ? piece : Buffer.concat([held, piece])
    const length = lengthOf(held)
    if (length === undefined || held.length < length) return
    const message = held.subarray(0, length)
    const rest = held.subarray(length)
    held = undefined
    onMessage(message)
    if (rest.length > 0) take(rest)
  }
  socket.on("data", take)
}
