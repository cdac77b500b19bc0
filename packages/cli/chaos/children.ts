/** The processes of a run. None outlives it: not its end, not Ctrl-C, and not a `kill -9` of the run itself. */
import { type ChildProcess, fork, type StdioOptions, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"

const alive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null

/** Resolves when a process has ended. */
export const ended = (child: ChildProcess): Promise<void> =>
  alive(child) ? new Promise((resolve) => child.once("exit", () => resolve())) : Promise.resolve()

export class Children {
  private readonly children = new Set<ChildProcess>()
  private readonly warden = fork(fileURLToPath(new URL("warden.ts", import.meta.url)), {
    detached: true
  })

  private isOver = false

  /** Throws once the run is over: nothing is started any more. */
  check(): void {
    if (this.isOver) throw new Error("the run is over")
  }

  /** Starts Node with these arguments. */
  start(args: ReadonlyArray<string>, stdio: StdioOptions, env: NodeJS.ProcessEnv = process.env): ChildProcess {
    this.check()
    // A group of its own, so that Ctrl-C in a terminal reaches the run alone.
    const child = spawn(process.execPath, [...args], { stdio, env, detached: true })
    const { pid } = child
    this.children.add(child)
    if (pid !== undefined) this.warden.send({ add: pid })
    child.on("error", () => {})
    child.once("exit", () => {
      this.children.delete(child)
      if (this.warden.connected && pid !== undefined) this.warden.send({ drop: pid })
    })
    return child
  }

  /** Kills all that still run; a frozen process too. */
  async end(): Promise<void> {
    this.isOver = true
    const left = [...this.children]
    for (const child of left) child.kill("SIGKILL")
    await Promise.all(left.map(ended))
    this.warden.disconnect()
    await ended(this.warden)
  }
}

/** Processes that end with the scope. */
export const make: Effect.Effect<Children, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => new Children()),
  (children) => Effect.promise(() => children.end())
)
