/** The programs of a bench: each a process of its own, started, measured by Linux's /proc, and stopped. */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Load, Outcome } from "./driver.js"

/** A program that serves. */
export interface Program {
  readonly name: string
  readonly child: ChildProcess
  readonly port: number
  /** Ms from its start until it listened. */
  readonly startedIn: number
  readonly stop: () => void
  /** Asks it to end, as an operator does; done when it has. */
  readonly end: () => Promise<void>
}

/** What is to be undone when a bench ends, however it ends: no program outlives it, and no folder. */
const cleanups = new Set<() => void>()
process.once("exit", () => {
  for (const cleanup of cleanups) cleanup()
})

const started = (name: string, child: ChildProcess, port: number, from: number, also = (): void => {}): Program => {
  const onExit = (code: number | null): void => {
    console.error(`${name} ended with ${code}`)
    process.exit(1)
  }
  child.once("exit", onExit)
  const cleanup = (): void => {
    cleanups.delete(cleanup)
    child.kill("SIGKILL")
    also()
  }
  cleanups.add(cleanup)
  return {
    name,
    child,
    port,
    startedIn: performance.now() - from,
    stop: () => {
      child.off("exit", onExit)
      cleanup()
    },
    end: () => {
      child.off("exit", onExit)
      const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      child.kill("SIGTERM")
      return gone.then(cleanup)
    }
  }
}

/** Starts a script of this folder, which tells its port, the way this one was started, with more options of Node or another Node where some are given. */
export const startScript = async (
  file: string,
  args: ReadonlyArray<string> = [],
  nodeOptions: ReadonlyArray<string> = [],
  node = process.execPath
): Promise<Program> => {
  const from = performance.now()
  const execArgv = [...process.execArgv, ...nodeOptions]
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv, execPath: node })
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message: { readonly port: number }) => resolve(message.port))
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)))
  })
  return started(file, child, port, from)
}

/** Starts a command that prints its address, and reads all that it prints from then on. */
export const startCommand = async (
  name: string,
  command: string,
  args: ReadonlyArray<string>,
  {
    env = {},
    port: known,
    isReady = () => true,
    also
  }: { env?: NodeJS.ProcessEnv; port?: number; isReady?: (printed: string) => boolean; also?: () => void } = {}
): Promise<Program> => {
  const from = performance.now()
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } })
  let printed = ""
  const port = await new Promise<number>((resolve, reject) => {
    const look = (text: Buffer): void => {
      if (printed.length < 10_000) printed += text.toString()
      const found = known ?? /(?:https?:\/\/|localhost|127\.0\.0\.1|0\.0\.0\.0)[^\s:]*:(\d+)/.exec(printed)?.[1]
      if (found !== undefined && printed.includes("\n") && isReady(printed)) resolve(Number(found))
    }
    child.stdout.on("data", look)
    child.stderr.on("data", look)
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}: ${printed}`)))
  })
  return started(name, child, port, from, also)
}

/** A configuration as users have it: a key, two deployments, all else as it comes. */
export const usual = (upstream: number): Record<string, unknown> => ({
  masterKey: "sk-bench",
  deployments: ["a", "b"].map((id) => ({
    id,
    group: "smart",
    model: "gpt-4o",
    baseUrl: `http://127.0.0.1:${upstream}/v1`,
    apiKey: "sk-upstream"
  }))
})

/** What else a gateway of a bench is started with. */
export interface Variant {
  /** The configuration's top-level fields that differ from the usual ones; undefined leaves one out. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Source of a module that makes another stack. */
  readonly stack?: string
  readonly node?: string
  /** The command of another checkout. */
  readonly bin?: string
  readonly nodeOptions?: ReadonlyArray<string>
  readonly env?: NodeJS.ProcessEnv
  /** Processes that serve. Default 1. */
  readonly workers?: number
}

/** Starts the command as it is installed: it has to be built. Its log goes to a pipe that is read. */
export const startGateway = async (upstream: number, name: string, variant: Variant = {}): Promise<Program> => {
  const { env = {}, node = process.execPath, nodeOptions = [], settings = {}, stack, workers = 1 } = variant
  const folder = mkdtempSync(join(tmpdir(), "switchyard-bench-"))
  const also = (): void => rmSync(folder, { recursive: true, force: true })
  const file = join(folder, "config.json")
  if (stack !== undefined) writeFileSync(join(folder, "stack.mjs"), stack)
  const own = stack === undefined ? {} : { stack: "./stack.mjs" }
  writeFileSync(file, JSON.stringify({ ...usual(upstream), ...settings, ...own }))
  const bin = variant.bin ?? fileURLToPath(new URL("../../cli/bin/switchyard.js", import.meta.url))
  const serve = ["serve", "--config", file, "--data", join(folder, "data"), "--port", "0", "--workers", `${workers}`]
  const isReady = (printed: string): boolean =>
    workers === 1 || new Set(printed.match(/"worker_ready","worker":\d+/g)).size === workers
  return await startCommand(name, node, [...nodeOptions, bin, ...serve], { env, isReady, also })
}

/** µs of CPU that a program's main thread has used. */
export const cpuOfMain = ({ child }: Program): number =>
  Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/schedstat`, "utf8").split(" ")[0]) / 1000

/** µs of CPU that all threads of a process have used. */
export const cpuOfProcess = (pid: number | undefined): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]))
    .reduce((sum, nanos) => sum + nanos, 0) / 1000

/** µs of CPU that a program's first process has used. */
export const cpuOf = ({ child }: Program): number => cpuOfProcess(child.pid)

/** The processes of a program: its first, and those that this one has started. */
export const processesOf = ({ child }: Program): ReadonlyArray<number> => [
  child.pid ?? 0,
  ...readdirSync("/proc").flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8")
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === child.pid ? [Number(name)] : []
    } catch {
      return []
    }
  })
]

/** MiB that a process has resident. */
export const memoryOf = ({ child }: Program): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024

/** Sends a load and gives what came of it; throws where an answer was not whole. */
export const drive = (driver: Program, load: Load): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    driver.child.once("message", (outcome: Outcome) => {
      if (outcome.failure === undefined) resolve(outcome)
      else reject(new Error(`port ${load.port}: ${outcome.failure}`))
    })
    driver.child.send(load)
  })

/** The middle of some figures. */
export const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
