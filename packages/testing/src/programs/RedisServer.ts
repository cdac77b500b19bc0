/**
 * Real Redis servers for tests: one, or a cluster of three, on free ports of the loopback with nothing kept on disk.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

/** A server that runs. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** What it says to a command, by `redis-cli`. */
  readonly ask: (...command: ReadonlyArray<string>) => Promise<string>
  /** Stops it from answering, and lets it go on: SIGSTOP and SIGCONT. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Begins it again on the same port, empty. */
  readonly restart: () => Promise<void>
  /** Ends it, and removes its folder. */
  readonly stop: () => Promise<void>
}

/** What to install where `missing` says so. */
const hint = "apt-get install -y --no-install-recommends redis-server"

const program = (): string | undefined =>
  ["redis-server", "valkey-server"].find((name) => spawnSync(name, ["--version"]).status === 0)

/** Why there is none here, in a line for people; undefined where there is one. With `CI` set it is thrown. */
export const missing = (): string | undefined => {
  if (program() !== undefined) return undefined
  const line = `SKIPPED: these tests need a real Redis: ${hint}`
  if ((process.env["CI"] ?? "") !== "") throw new Error(line)
  return line
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

/** A process that listens; undefined where it ended, because another program has its port. */
const run = async (port: number, folder: string, flags: ReadonlyArray<string>): Promise<ChildProcess | undefined> => {
  const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder]
  const isSentinel = flags[0]?.endsWith(".conf") === true
  const [first, ...rest] = flags
  const args = isSentinel
    ? [first ?? "", "--sentinel", ...place, ...rest]
    : [...place, "--save", "", "--appendonly", "no", ...flags]
  const child = spawn(program() ?? "redis-server", args, { stdio: ["ignore", "pipe", "inherit"] })
  const isUp = await new Promise<boolean>((resolve) => {
    child.stdout?.on(
      "data",
      (data: Buffer) => /Ready to accept connections|Sentinel ID is/.test(`${data}`) && resolve(true)
    )
    child.once("exit", () => resolve(false))
  })
  return isUp ? child : undefined
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

/** Starts a server on a port of its own. */
export const start = async (flags: ReadonlyArray<string> = []): Promise<RedisServer> => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-redis-"))
  for (let tries = 0; tries < 5; tries++) {
    const port = await freePort()
    const first = await run(port, folder, flags)
    if (first === undefined) continue
    let child = first
    const kill = () => end(child)
    return {
      port,
      url: `redis://127.0.0.1:${port}`,
      ask: async (...command) =>
        (await promisify(execFile)("redis-cli", ["-p", String(port), "--raw", ...command])).stdout.trim(),
      freeze: () => void child.kill("SIGSTOP"),
      thaw: () => void child.kill("SIGCONT"),
      kill,
      restart: async () => {
        const next = await run(port, folder, flags)
        if (next === undefined) throw new Error("redis-server does not start again")
        child = next
      },
      stop: async () => {
        await kill()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  }
  throw new Error("redis-server does not start")
}

/** Three masters that share the slots. */
export const startCluster = async (): Promise<ReadonlyArray<RedisServer>> => {
  const flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"]
  const servers = await Promise.all([start(flags), start(flags), start(flags)])
  const nodes = servers.map(({ port }) => `127.0.0.1:${port}`)
  const made = spawnSync("redis-cli", ["--cluster", "create", ...nodes, "--cluster-yes"], { encoding: "utf8" })
  if (made.status !== 0) throw new Error(`no cluster: ${made.stdout}${made.stderr}`)
  return servers
}

/** A master, its replica, and a sentinel that puts the one in the other's place within a second or two. */
export interface Sentinelled {
  readonly name: string
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinel: RedisServer
  readonly stop: () => Promise<void>
}

/** Starts them, the replica behind its master. */
export const startSentinel = async (): Promise<Sentinelled> => {
  const master = await start()
  const replica = await start(["--replicaof", "127.0.0.1", String(master.port)])
  const name = "switchyard"
  const folder = mkdtempSync(join(tmpdir(), "switchyard-sentinel-"))
  const file = join(folder, "sentinel.conf")
  const lines = [
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 2000`
  ]
  // It writes down what it learns.
  writeFileSync(file, `${lines.join("\n")}\n`)
  const sentinel = await start([file])
  const stop = async () => {
    await Promise.all([sentinel.stop(), master.stop(), replica.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
  return { name, master, replica, sentinel, stop }
}
