/** The providers that the gateways ask: each a process that can be frozen, killed and started again at its old address. */
import type { ChildProcess } from "node:child_process"
import { createServer } from "node:net"
import { bundled } from "../../../scripts/bundled.js"
import { type Children, ended } from "./children.js"
import type { Journal } from "./journal.js"
import type { Calm, Told } from "./upstream.js"

const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/** A port that no program is given by chance while its owner is away: outside the range that the kernel hands out. */
const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    if (await portIsFree(port)) return port
  }
}

export class Upstream {
  private child: ChildProcess | undefined
  private frozen = false
  private calm = false

  private constructor(
    readonly name: string,
    readonly port: number,
    private readonly program: string,
    private readonly surroundings: { readonly children: Children; readonly journal: Journal; readonly seed: number }
  ) {}

  static async start(
    name: string,
    surroundings: { readonly children: Children; readonly journal: Journal; readonly seed: number }
  ): Promise<Upstream> {
    const program = await bundled("packages/cli/chaos/upstream.ts")
    const upstream = new Upstream(name, await freePort(), program, surroundings)
    await upstream.revive()
    return upstream
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`
  }

  /** Resolves when it listens. */
  async revive(): Promise<void> {
    if (this.child !== undefined) return
    const { children, journal, seed } = this.surroundings
    const child = children.start(
      [this.program, this.name, String(this.port), String(seed)],
      ["ignore", "inherit", "inherit", "ipc"]
    )
    this.child = child
    child.once("exit", () => {
      if (this.child === child) this.child = undefined
    })
    await new Promise<void>((resolve) => {
      child.once("exit", () => resolve())
      child.on("message", (told: Told) => {
        if ("listens" in told) resolve()
        else journal.reached(told.id, told.fault)
      })
    })
    if (this.calm) this.soothe()
  }

  /** Without a word to anybody, as a machine that goes away. */
  async kill(): Promise<void> {
    const { child } = this
    if (child === undefined) return
    child.kill("SIGKILL")
    await ended(child)
    this.child = undefined
    this.frozen = false
  }

  /** Its sockets stay open, and nothing reads or answers. */
  freeze(): void {
    this.frozen = this.child?.kill("SIGSTOP") ?? false
  }

  thaw(): void {
    if (this.frozen) this.child?.kill("SIGCONT")
    this.frozen = false
  }

  /** Answers everything well from now on. */
  soothe(): void {
    this.calm = true
    this.child?.send({ calm: true } satisfies Calm)
  }
}
