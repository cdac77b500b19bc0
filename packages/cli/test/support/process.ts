/**
 * The command as its users run it: a process of its own.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { threadId } from "node:worker_threads"
import { Effect, type Scope } from "effect"
import { bundled } from "../../../../scripts/bundled.js"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

/** A process that has ended. */
export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that runs. */
export interface Running {
  readonly child: ChildProcess
  /** Its data folder, unless the environment that was given names one. */
  readonly data: string
  readonly stdout: () => string
  /** What it prints, on stdout or stderr, once it matches. Dies when the process ends without it. */
  readonly until: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly finished: Effect.Effect<Finished>
}

let started = 0

/** Starts the command, with a data folder of its own; the end of the scope kills what still runs. */
export const start = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(
      Effect.promise(() => bundled("packages/cli/src/main.ts")),
      (program) => {
        const { SWITCHYARD_MASTER_KEY: _, ...inherited } = process.env
        const data = join(tmpdir(), `switchyard-data-${process.pid}-${threadId}-${++started}`)
        const child = spawn(process.execPath, [program, ...args], {
          cwd: root,
          env: { ...inherited, SWITCHYARD_DATA: data, ...env }
        })
        let stdout = ""
        let stderr = ""
        const listeners = new Set<() => void>()
        const tell = () => {
          for (const listener of listeners) listener()
        }
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          stdout += text
          tell()
        })
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          stderr += text
          tell()
        })
        let ended: Finished | undefined
        child.on("close", (code, signal) => {
          ended = { code, signal, stdout, stderr }
          tell()
        })
        const when = <A>(found: () => Effect.Effect<A> | undefined): Effect.Effect<A> =>
          Effect.async((resume) => {
            const look = () => {
              const result = found()
              if (result === undefined) return
              listeners.delete(look)
              resume(result)
            }
            listeners.add(look)
            look()
            return Effect.sync(() => listeners.delete(look))
          })
        return {
          child,
          data,
          stdout: () => stdout,
          until: (pattern: RegExp) =>
            when(() => {
              const match = pattern.exec(stdout) ?? pattern.exec(stderr)
              if (match !== null) return Effect.succeed(match)
              return ended === undefined
                ? undefined
                : Effect.dieMessage(`it ended without ${pattern}:\n${stdout}\n${stderr}`)
            }),
          finished: when(() => (ended === undefined ? undefined : Effect.succeed(ended)))
        }
      }
    ),
    ({ child, data }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await rm(data, { recursive: true, force: true })
      })
  )

/** Runs the command to its end. */
export const run = (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>): Effect.Effect<Finished> =>
  Effect.scoped(Effect.flatMap(start(args, env), ({ finished }) => finished))

/** A file that lives as long as the scope. */
export const file = (name: string, content: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = await mkdtemp(join(tmpdir(), "switchyard-cli-"))
      const path = join(folder, name)
      await writeFile(path, content)
      return { folder, path }
    }),
    ({ folder }) => Effect.promise(() => rm(folder, { recursive: true }))
  ).pipe(Effect.map(({ path }) => path))
