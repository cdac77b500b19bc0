/**
 * Real servers for the tests: one, and a cluster of three. Where `redis-server` is not installed the tests over it are
 * skipped, with one loud line; in CI its absence is a failure.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A server that runs. */
export interface Server {
  readonly port: number
  readonly child: ChildProcess
  readonly stop: () => Promise<void>
}

const program = ["redis-server", "valkey-server"].find((name) => spawnSync(name, ["--version"]).status === 0)

/** Whether tests over real servers can run. */
export const isInstalled = program !== undefined

if (!isInstalled) {
  const line = "redis-server is not installed: the tests over a real one are skipped (apt-get install redis-server)"
  if (process.env["CI"]) throw new Error(line)
  console.error(`\n!!! ${line}\n`)
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

const attempt = async (flags: ReadonlyArray<string>): Promise<Server | undefined> => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "switchyard-redis-"))
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const child = spawn(program ?? "redis-server", [...own, ...flags], { stdio: ["ignore", "pipe", "inherit"] })
  const isUp = await new Promise<boolean>((resolve) => {
    child.stdout?.on("data", (data: Buffer) => data.includes("Ready to accept connections") && resolve(true))
    child.once("exit", () => resolve(false))
  })
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL")
      await once(child, "exit")
    }
    rmSync(folder, { recursive: true, force: true })
  }
  if (isUp) return { port, child, stop }
  await stop()
  return undefined
}

/** Starts a server on a port of its own; another program may take that port meanwhile, then another one. */
export const start = async (flags: ReadonlyArray<string> = []): Promise<Server> => {
  for (let tries = 0; tries < 5; tries++) {
    const server = await attempt(flags)
    if (server !== undefined) return server
  }
  throw new Error("redis-server does not start")
}

/** Three masters that share the slots. */
export const startCluster = async (): Promise<ReadonlyArray<Server>> => {
  const flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-require-full-coverage", "yes"]
  const servers = await Promise.all([start(flags), start(flags), start(flags)])
  const nodes = servers.map(({ port }) => `127.0.0.1:${port}`)
  const made = spawnSync("redis-cli", ["--cluster", "create", ...nodes, "--cluster-yes"], { encoding: "utf8" })
  if (made.status !== 0) throw new Error(`no cluster: ${made.stdout}${made.stderr}`)
  return servers
}
