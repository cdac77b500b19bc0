/** Where a gateway's log goes: a real pipe of 64 KiB, whose reader can stop reading, or leave. */
import { execFileSync } from "node:child_process"
import { closeSync, constants, openSync, unlinkSync } from "node:fs"
import { Socket } from "node:net"
import { join } from "node:path"
import type { Journal } from "./journal.js"

/** Lines that are kept of those that matter to operators. */
const kept = 40

export class LogPipe {
  /** What the process gets as its stderr; to be closed here once it has it. */
  readonly writeEnd: number
  lines = 0
  /** Resolves when nothing more can come. */
  readonly ended: Promise<void>
  private readonly reader: Socket
  private rest = ""
  private readonly notable: Array<string> = []

  constructor(
    folder: string,
    private readonly name: string,
    private readonly journal: Journal
  ) {
    const path = join(folder, `${name}.pipe`)
    execFileSync("mkfifo", [path])
    const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.writeEnd = openSync(path, constants.O_WRONLY)
    unlinkSync(path)
    this.reader = new Socket({ fd: readEnd, readable: true, writable: false })
    this.reader.setEncoding("utf8").on("data", (text: string) => this.take(text))
    this.reader.on("error", () => {})
    this.ended = new Promise((resolve) => this.reader.once("close", () => resolve()))
  }

  /** Called once the process has its end. */
  handedOver(): void {
    closeSync(this.writeEnd)
  }

  stopReading(): void {
    this.reader.pause()
  }

  goOnReading(): void {
    this.reader.resume()
  }

  /** From now on writing fails with EPIPE. */
  leave(): void {
    this.reader.destroy()
  }

  /** The latest lines that are no news of requests, and those that are no log lines. */
  get tail(): ReadonlyArray<string> {
    return [...this.notable, ...(this.rest === "" ? [] : [this.rest])]
  }

  private take(text: string): void {
    const lines = (this.rest + text).split("\n")
    this.rest = lines.pop() ?? ""
    this.lines += lines.length
    for (const line of lines) {
      this.journal.logged(`${this.name}: ${line}`)
      if (/"level":"(debug|info)"/.test(line)) continue
      this.notable.push(line)
      if (this.notable.length > kept) this.notable.shift()
    }
  }
}
