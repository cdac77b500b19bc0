/**
 * A real PostgreSQL for tests: Debian's package, started on a free port of the loopback with its data in a folder of its own, and
 * ended with the process that began it, however that ends.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"

/** A server that runs. */
export interface PostgresServer {
  readonly port: number
  /** The address of a database for its superuser, `postgres` unless another is named. */
  readonly url: (database?: string, role?: string, password?: string) => string
  /** Runs statements as the superuser; gives what they answer, without headings. */
  readonly sql: (text: string, database?: string) => string
  /** Makes an empty database; gives its address. */
  readonly database: () => string
  /** Stops it from answering, and lets it go on: SIGSTOP and SIGCONT to all its processes. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** SIGKILL to all its processes. */
  readonly kill: () => Promise<void>
  /** Begins it again on the same port and data. */
  readonly restart: () => Promise<void>
  /** Ends it, and removes its data. */
  readonly stop: () => Promise<void>
}

/** What to install where `missing` says so. */
const hint = "apt-get install -y --no-install-recommends postgresql"

const folders = "/usr/lib/postgresql"

const programs = (): string | undefined => {
  const versions = existsSync(folders) ? readdirSync(folders).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(folders, version, "bin")).find((path) => existsSync(join(path, "initdb")))
}

/** Why there is none here, in a line for people; undefined where there is one. With `CI` set it is thrown. */
export const missing = (): string | undefined => {
  if (programs() !== undefined) return undefined
  const line = `SKIPPED: these tests need a real PostgreSQL: ${hint}`
  if ((process.env["CI"] ?? "") !== "") throw new Error(line)
  return line
}

/** The user that it runs as: it refuses root. */
const user = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => one.startsWith("postgres:"))
    ?.split(":")
  return { uid: Number(line?.[2]), gid: Number(line?.[3]) }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const password = "test-password"

/** Nothing here has to outlive the machine, but what is committed outlives the server. */
const settings = ["fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=16MB"]

/** Ends the server when the process is gone that it was begun for. */
const warden = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; kill -9 -"$2" 2>/dev/null; sleep 1; rm -rf "$3" "$4"'

/** How a server is asked. */
const clientOf = (bin: string, port: () => number) => {
  const url = (database = "postgres", role = "postgres", word = password) =>
    `postgresql://${role}:${word}@127.0.0.1:${port()}/${database}`
  const psql = (text: string, database?: string) =>
    spawnSync(join(bin, "psql"), [url(database), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text], { encoding: "utf8" })
  const sql = (text: string, database?: string): string => {
    const done = psql(text, database)
    if (done.status !== 0) throw new Error(done.stderr)
    return done.stdout.trim()
  }
  const database = (): string => {
    const name = `test_${randomUUID().replaceAll("-", "")}`
    sql(`CREATE DATABASE ${name}`)
    return url(name)
  }
  return { url, psql, sql, database }
}

/** Starts a server of one's own. `also` is a folder that goes with it. */
export const start = async (also = ""): Promise<PostgresServer> => {
  const bin = programs()
  if (bin === undefined) throw new Error(missing())
  const as = user()
  const folder = mkdtempSync(join(tmpdir(), "switchyard-postgres-"))
  chmodSync(folder, 0o755)
  const data = join(folder, "data")
  const secret = join(folder, "password")
  writeFileSync(secret, password)
  mkdirSync(data, { mode: 0o700 })
  if (as !== undefined) for (const path of [folder, data, secret]) chownSync(path, as.uid, as.gid)
  const run = (program: string, values: ReadonlyArray<string>) => {
    const done = spawnSync(join(bin, program), values, { ...as, cwd: folder, encoding: "utf8" })
    if (done.status !== 0) throw new Error(`${program}: ${done.stderr}`)
  }
  run("initdb", [
    "-D",
    data,
    "-U",
    "postgres",
    "--auth=scram-sha-256",
    `--pwfile=${secret}`,
    "-E",
    "UTF8",
    "--locale=C",
    "--no-sync"
  ])

  let port = 0
  let server: ChildProcess | undefined
  const client = clientOf(bin, () => port)

  const begin = async (at: number): Promise<boolean> => {
    const values = [...settings, "unix_socket_directories=", "listen_addresses=127.0.0.1", `port=${at}`].flatMap(
      (one) => ["-c", one]
    )
    // A group of its own: what is frozen or killed is all of it.
    const child = spawn(join(bin, "postgres"), ["-D", data, ...values], {
      ...as,
      cwd: folder,
      detached: true,
      stdio: "ignore"
    })
    server = child
    port = at
    child.unref()
    spawn("sh", ["-c", warden, "sh", String(process.pid), String(child.pid), folder, also], {
      detached: true,
      stdio: "ignore"
    }).unref()
    for (let tries = 0; tries < 300 && child.exitCode === null && child.signalCode === null; tries++) {
      if (client.psql("SELECT 1").status === 0) return true
      await pause(50)
    }
    return false
  }
  const signal = (name: NodeJS.Signals) => {
    if (server?.pid !== undefined && server.exitCode === null && server.signalCode === null)
      process.kill(-server.pid, name)
  }
  const ended = async () => {
    while (server !== undefined && server.exitCode === null && server.signalCode === null) await pause(20)
    // Its children share memory that the next one finds held, until they are gone too.
    await pause(100)
  }

  let isUp = false
  for (let tries = 0; tries < 5 && !isUp; tries++) isUp = await begin(await freePort())
  if (!isUp) throw new Error("PostgreSQL did not start")
  return {
    get port() {
      return port
    },
    url: client.url,
    sql: client.sql,
    database: client.database,
    freeze: () => {
      signalAll(server?.pid, "SIGSTOP")
    },
    thaw: () => {
      signalAll(server?.pid, "SIGCONT")
    },
    kill: async () => {
      signalAll(server?.pid, "SIGKILL")
      await ended()
    },
    restart: async () => {
      rmSync(join(data, "postmaster.pid"), { force: true })
      if (!(await begin(port))) throw new Error("PostgreSQL did not start again")
    },
    stop: async () => {
      signal("SIGCONT")
      signal("SIGQUIT")
      await ended()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** A process and its children: each connection is one, in a group of its own. */
const family = (pid: number | undefined): Array<number> => {
  if (pid === undefined) return []
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ")[1] === String(pid)
      } catch {
        return false
      }
    })
  return [pid, ...children.map(Number)]
}

/** The server first: one that sees its children die begins others. */
const signalAll = (pid: number | undefined, name: NodeJS.Signals): void => {
  for (const one of family(pid)) {
    try {
      process.kill(one, name)
    } catch {
      // It ended meanwhile.
    }
  }
}

/** What is asked of a server that others use too. */
export type SharedServer = Pick<PostgresServer, "url" | "sql" | "database">

/** One server for all test files of a process, whichever of its threads they are in: the first that asks starts it. */
export const shared = async (): Promise<SharedServer> => {
  const bin = programs()
  if (bin === undefined) throw new Error(missing())
  const folder = join(tmpdir(), `switchyard-postgres-of-${process.pid}`)
  const told = join(folder, "port")
  try {
    mkdirSync(folder)
  } catch {
    for (let tries = 0; tries < 600 && !existsSync(told); tries++) await pause(50)
    const port = Number(readFileSync(told, "utf8"))
    return clientOf(bin, () => port)
  }
  const server = await start(folder)
  writeFileSync(`${told}.draft`, String(server.port))
  renameSync(`${told}.draft`, told)
  return server
}
