/**
 * Passes on what a process prints, in whole lines: those of several processes stand one below the other, and none in another.
 */
import type { Readable, Writable } from "node:stream"

/** Bytes of a line that is passed on as one. */
const longest = 1024 * 1024

const newline = 10

/**
 * Passes on until the source ends. A target that stands still makes the source wait, which then has its own bound for what it
 * keeps.
 */
export const passOn = (source: Readable, target: Writable): void => {
  let rest: Buffer = Buffer.alloc(0)
  const write = (bytes: Buffer): void => {
    if (bytes.length === 0 || target.write(bytes)) return
    source.pause()
    target.once("drain", () => source.resume())
  }
  source.on("data", (bytes: Buffer) => {
    const end = bytes.lastIndexOf(newline) + 1
    if (end > 0) {
      write(rest.length === 0 ? bytes.subarray(0, end) : Buffer.concat([rest, bytes.subarray(0, end)]))
      rest = bytes.subarray(end)
    } else rest = Buffer.concat([rest, bytes])
    if (rest.length < longest) return
    write(Buffer.concat([rest, Buffer.from("\n")]))
    rest = Buffer.alloc(0)
  })
  source.on("end", () => {
    if (rest.length > 0) write(Buffer.concat([rest, Buffer.from("\n")]))
  })
  source.on("error", () => {})
}
