/** One gateway: the installed command with a small heap, its log in a pipe, watched from within and from outside. */
import type { ChildProcess } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Children, ended } from "./children.js"
import type { Journal, Probe, Seen } from "./journal.js"
import { LogPipe } from "./logPipe.js"

/** MiB of heap that it may have. */
export const heapLimit = 256

const command = fileURLToPath(new URL("../bin/switchyard.js", import.meta.url))
const probe = new URL("probe.mjs", import.meta.url).href
const listens = /switchyard listens on (http:\/\/\S+)/

/** Exit code of a gateway whose calls outlasted `drainTimeout`. */
const cutCalls = 3

/** Ms that a gateway has to start, or to end after SIGTERM, on a busy machine. */
const patience = 60_000

export class Gateway {
  url: string | undefined
  /** As a load balancer sees it, which asks from time to time. */
  isReady = false
  /** It has been told to end, or has ended. */
  isLeaving = true
  log: LogPipe | undefined
  probe: Probe | undefined
  private child: ChildProcess | undefined
  private starting: Promise<void> = Promise.resolve()
  private isStarting = false
  private starts = 0

  constructor(
    readonly name: string,
    private readonly surroundings: {
      readonly children: Children
      readonly folder: string
      readonly config: string
      readonly journal: Journal
    }
  ) {}

  get pid(): number | undefined {
    return this.child?.pid
  }

  /** Resolves when it listens. It is started until it does, as by a supervisor: it may find a file that cannot be used. */
  start(): Promise<void> {
    if (this.child === undefined && !this.isStarting) this.starting = this.persist()
    return this.starting
  }

  private async persist(): Promise<void> {
    const until = performance.now() + patience
    this.isStarting = true
    let why = await this.begin()
    while (why !== undefined && performance.now() < until) why = await this.begin()
    this.isStarting = false
    if (why !== undefined) throw new Error(why)
  }

  /** Undefined when it listens, else what it said. */
  private async begin(): Promise<string | undefined> {
    const { children, config, folder, journal } = this.surroundings
    children.check()
    this.starts++
    const log = new LogPipe(folder, `${this.name}${this.starts}`, journal)
    const child = children.start(
      [
        ...[`--max-old-space-size=${heapLimit}`, "--import", probe, command, "serve", "--config", config],
        ...["--data", join(folder, `${this.name} data`), "--port", "0"]
      ],
      ["ignore", "pipe", log.writeEnd, "ipc"]
    )
    log.handedOver()
    this.child = child
    this.log = log
    this.isLeaving = false
    child.on("message", (said: Probe) => {
      this.probe = said
      journal.loop(`${this.name}${this.starts}`, said)
    })
    child.once("exit", (code, signal) => {
      if (this.child !== child) return
      const hasLeft = this.isLeaving || this.url === undefined
      this.gone()
      if (!hasLeft) void this.died(signal ?? `code ${code}`, log)
    })
    let printed = ""
    const url = await new Promise<string | undefined>((resolve) => {
      child.once("exit", () => resolve(undefined))
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        printed += text
        const found = listens.exec(printed)?.[1]
        if (found !== undefined) resolve(found)
      })
    })
    if (url === undefined) {
      await log.ended
      return `gateway ${this.name} does not start: ${log.tail.join("\n")}`
    }
    this.url = url
    child.send("listens")
    return undefined
  }

  /** SIGTERM, and the wait for its end. */
  async stop(): Promise<void> {
    await this.starting.catch(() => {})
    const { child } = this
    if (child === undefined) return
    const { journal } = this.surroundings
    this.isLeaving = true
    child.kill("SIGTERM")
    const timer = setTimeout(() => {
      journal.problem(`gateway ${this.name} has not ended ${patience / 1000} s after SIGTERM`)
      child.kill("SIGKILL")
    }, patience)
    await ended(child)
    clearTimeout(timer)
    if (child.exitCode !== 0 && child.exitCode !== cutCalls) {
      await this.log?.ended
      const how = child.signalCode ?? `code ${child.exitCode}`
      journal.problem(`gateway ${this.name} ended with ${how} after SIGTERM:\n${this.log?.tail.join("\n")}`)
    }
    this.gone()
  }

  /** Reads its file again; once it listens, since a signal in the first moments of any Node program ends that. */
  hangUp(): void {
    if (this.url !== undefined) this.child?.kill("SIGHUP")
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.child?.kill(signal)
  }

  /** Closes the pipe into which it said where it listens. */
  leaveStdout(): void {
    if (this.url !== undefined) this.child?.stdout?.destroy()
  }

  /** Undefined while it does not run. */
  look(): Seen | undefined {
    const { pid, probe } = this
    if (pid === undefined || probe === undefined) return undefined
    try {
      const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024
      // One that has just ended has no memory.
      if (Number.isNaN(rss)) return undefined
      return { ...probe, rss, fds: readdirSync(`/proc/${pid}/fd`).length }
    } catch {
      return undefined
    }
  }

  private async died(how: string, log: LogPipe): Promise<void> {
    const { journal } = this.surroundings
    await log.ended
    journal.problem(`gateway ${this.name} ended by itself (${how}); its last words:\n${log.tail.join("\n")}`)
    await this.start().catch((error: unknown) => journal.problem(String(error)))
  }

  private gone(): void {
    this.child = undefined
    this.url = undefined
    this.probe = undefined
    this.isReady = false
    this.isLeaving = true
    this.log?.goOnReading()
  }
}
