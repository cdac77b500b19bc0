/**
 * A connection to Redis or Valkey: one server, one behind sentinels, or a cluster. Each command has an answer within its
 * time, or an error that says which kind of trouble it is; nothing is queued for later.
 */

import { toMs } from "@switchyard/core/Time"
import { EngineError } from "@switchyard/router/Engine"
import { type Duration, Effect, Redacted, type Scope } from "effect"
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis"
import * as subscriptions from "./subscriptions.js"

/** A server's address. */
export interface Address {
  readonly host: string
  /** Default 6379; of a sentinel 26379. */
  readonly port?: number
}

/** How it is reached. One of `url`, `host`, `sentinel`, `cluster` and `client`; without any, a server on this machine. */
export interface Options {
  /** `redis://[user:password@]host[:port][/database]`, `rediss://` with TLS. */
  readonly url?: string | Redacted.Redacted<string>
  /** A server's name or address, in place of a URL. */
  readonly host?: string
  /** The port of `host`. Default 6379. */
  readonly port?: number
  /** The number of the database of `host` or `sentinel`. Default 0. */
  readonly database?: number
  /** The name of the master, and who knows where it is. */
  readonly sentinel?: { readonly name: string; readonly addresses: ReadonlyArray<Address> }
  /** Some nodes of a cluster; they know the others. */
  readonly cluster?: ReadonlyArray<Address>
  /** A client of the app's own, which it also closes. */
  readonly client?: Redis | Cluster
  readonly username?: string
  readonly password?: string | Redacted.Redacted<string>
  /** Whether to use TLS where no `rediss://` says so. Default false. */
  readonly tls?: boolean
  /** Before every key, so that several programs share a server. Default `switchyard:`. */
  readonly prefix?: string
  /** How long a command may take. Default 50 ms. */
  readonly timeout?: Duration.DurationInput
  /** How long a start waits for the first connection before it goes on without. Default 500 ms. */
  readonly startTimeout?: Duration.DurationInput
}

/** A script with its name. */
export interface Script {
  readonly name: string
  readonly keys: number
  readonly text: string
}

/** What an engine's answer is made of. */
export type Reply = string | number | null | ReadonlyArray<Reply>

/** Runs scripts, and carries news. */
export interface RedisConnection {
  /** For people, without password. */
  readonly place: string
  /** The keys of a name, which all live in one place of a cluster. */
  readonly keysOf: (name: string, parts: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly run: (
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | number>
  ) => Effect.Effect<Reply, EngineError>
  readonly publish: (channel: string, text: string) => Effect.Effect<void, EngineError>
  /** Hears a channel, for as long as the scope lives, whenever the server is there. */
  readonly listen: (channel: string, hear: (text: string) => void) => Effect.Effect<void, never, Scope.Scope>
}

const plain = (secret: string | Redacted.Redacted<string> | undefined): string | undefined =>
  Redacted.isRedacted(secret) ? Redacted.value(secret) : secret

/** A message without what stands between `//` and `@`, where passwords are. */
const withoutSecret = (message: string): string => message.replaceAll(/\/\/[^@/\s]*@/g, "//")

/** Servers before 7 tell what went wrong in a script behind words of their own. */
const codeOf = (message: string): string => /^(?:ERR Error running script.*: )?-?([A-Z]+)/.exec(message)?.[1] ?? ""

/** Replies that say that the server is there and cannot answer yet, or not this one. */
const awayCodes: ReadonlySet<string> = new Set(["LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "UNBLOCKED"])

const advice: Readonly<Record<string, string>> = {
  NOAUTH: "it wants a password",
  WRONGPASS: "the password or the user's name is wrong",
  NOPERM: "its user may not do this",
  OOM: "it has no memory left (maxmemory): use a policy that evicts, or give it more",
  READONLY: "it only reads: it is a replica",
  WRONGTYPE: "a key under the prefix belongs to another program: set another prefix",
  MISCONF: "it can't save its data and refuses writes"
}

const errorOf = (error: unknown): EngineError => {
  const message = error instanceof Error ? error.message : String(error)
  const isReply = error instanceof Error && error.name === "ReplyError"
  const code = codeOf(message)
  if (message === "Command timed out") {
    return new EngineError({ reason: "slow", description: "Redis did not answer in time" })
  }
  if (!isReply || awayCodes.has(code)) {
    return new EngineError({ reason: "away", description: `Redis can't be reached: ${withoutSecret(message)}` })
  }
  const told = advice[code] ?? withoutSecret(message)
  return new EngineError({ reason: "refused", description: `Redis refused: ${told}` })
}

/** The first version whose scripts may ask for the time and write all the same. Valkey says which Redis it is like. */
const oldest = 5

/** What is wrong with a server of this version; undefined when nothing is. */
const ageOf = (info: string): EngineError | undefined => {
  const [, version = ""] = /^redis_version:(\S+)/m.exec(info) ?? []
  const major = Number.parseInt(version, 10)
  if (Number.isNaN(major) || major >= oldest) return undefined
  return new EngineError({
    reason: "refused",
    description: `Redis ${version} is too old: ${oldest} or later is needed, or Valkey`
  })
}

const bounds = (options: Options) => ({
  enableOfflineQueue: false,
  commandTimeout: toMs(options.timeout ?? 50),
  connectTimeout: 500,
  ...(options.username === undefined ? {} : { username: options.username }),
  ...(options.password === undefined ? {} : { password: plain(options.password) ?? "" }),
  ...(options.tls === true ? { tls: {} } : {})
})

const retried = (times: number): number => Math.min(1_000, 50 * 2 ** Math.min(times, 6))

const connect = (options: Options): { readonly client: Redis | Cluster; readonly place: string } => {
  const own = bounds(options)
  if (options.cluster !== undefined) {
    const nodes = options.cluster.map(({ host, port = 6379 }) => ({ host, port }))
    const cluster: ClusterOptions = {
      redisOptions: { ...own, maxRetriesPerRequest: 0 },
      enableOfflineQueue: false,
      clusterRetryStrategy: retried,
      slotsRefreshTimeout: 500
    }
    return {
      client: new Cluster(nodes, cluster),
      place: `cluster ${nodes.map(({ host, port }) => `${host}:${port}`).join(",")}`
    }
  }
  const { database: db = 0, host, port = 6379 } = options
  const single: RedisOptions = { ...own, maxRetriesPerRequest: 0, retryStrategy: retried }
  if (options.sentinel !== undefined) {
    const { addresses, name } = options.sentinel
    const sentinels = addresses.map(({ host, port = 26_379 }) => ({ host, port }))
    // A master that came back as a replica refuses to write: its successor is asked for then.
    const reconnectOnError = ({ message }: Error): boolean => codeOf(message) === "READONLY"
    return {
      client: new Redis({ ...single, sentinels, name, db, reconnectOnError, sentinelRetryStrategy: retried }),
      place: `sentinel ${name}`
    }
  }
  if (host !== undefined) return { client: new Redis({ ...single, host, port, db }), place: `${host}:${port}` }
  const url = plain(options.url) ?? "redis://127.0.0.1:6379"
  return { client: new Redis(url, single), place: withoutSecret(url) }
}

/** Resolves when the first connection stands, or when there is no sign of one. */
const connected = (client: Redis | Cluster, patience: Duration.DurationInput): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (client.status === "ready") return resume(Effect.void)
    const done = () => resume(Effect.void)
    client.once("ready", done)
    return Effect.sync(() => client.off("ready", done))
  }).pipe(Effect.interruptible, Effect.timeoutOption(patience), Effect.asVoid)

/** Sends what is asked within one turn of the event loop by one write: a write costs more than what is in it. */
const together = (client: Redis | Cluster): (() => void) => {
  let held: Redis["stream"] | undefined
  const letGo = (): void => {
    held?.uncork()
    held = undefined
  }
  return () => {
    if (held !== undefined || client.isCluster) return
    held = (client as Redis).stream as Redis["stream"] | undefined
    // An emulation has no connection.
    if (held?.cork === undefined) return
    held.cork()
    setImmediate(letGo)
  }
}

/** What braces mean to a cluster is not a name's to say. */
const inBraces = (name: string): string => name.replaceAll(/[{}%]/g, (letter) => encodeURIComponent(letter))

interface Scripted {
  readonly [name: string]: ((...args: Array<string | number>) => Promise<Reply>) | undefined
}

/**
 * Connects, for as long as the scope lives; waits a moment for it, and then goes on trying by itself. A
 * connection that can't be had is no failure here: it shows at the first command.
 */
export const make = (options: Options = {}): Effect.Effect<RedisConnection, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { client, place } =
      options.client === undefined ? connect(options) : { client: options.client, place: "redis" }
    const prefix = options.prefix ?? "switchyard:"
    if (options.client === undefined) {
      yield* Effect.addFinalizer(() => Effect.sync(() => client.disconnect()))
    }
    // A server that lets nobody in is told once, to the connection; commands only learn that there is none.
    let turnedAway: EngineError | undefined
    let tooOld: EngineError | undefined
    const onError = (error: unknown): void => {
      const told = errorOf(error)
      if (told.reason === "refused") turnedAway = told
    }
    const onReady = (): void => {
      turnedAway = undefined
      void client.info("server").then(
        (info) => {
          tooOld = ageOf(info)
        },
        // One that may not be asked is taken as it is.
        () => {}
      )
    }
    client.on("error", onError)
    client.on("ready", onReady)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        client.off("ready", onReady)
        if (options.client !== undefined) client.off("error", onError)
      })
    )
    const failed = (error: unknown): EngineError => {
      const told = errorOf(error)
      return told.reason === "away" && turnedAway !== undefined ? turnedAway : told
    }
    yield* connected(client, options.startTimeout ?? 500)
    const heard = subscriptions.make(client)
    yield* Effect.addFinalizer(() => Effect.sync(heard.close))
    const known = new Set<string>()
    const hold = together(client)
    const scripted = client as unknown as Scripted
    return {
      place,
      keysOf: (name, parts) => parts.map((part) => `${prefix}{${inBraces(name)}}:${part}`),
      run: (script, keys, args) =>
        Effect.async<Reply, EngineError>((resume) => {
          if (tooOld !== undefined) return resume(Effect.fail(tooOld))
          if (!known.has(script.name)) {
            known.add(script.name)
            client.defineCommand(script.name, { numberOfKeys: script.keys, lua: script.text })
          }
          hold()
          const asked = scripted[script.name]?.(...keys, ...args)
          if (asked === undefined) return resume(Effect.fail(errorOf("it knows no scripts")))
          asked.then(
            (reply) => resume(Effect.succeed(reply)),
            (error: unknown) => resume(Effect.fail(failed(error)))
          )
        }),
      publish: (channel, text) =>
        Effect.asVoid(
          Effect.tryPromise({ try: async () => client.publish(`${prefix}news:${channel}`, text), catch: failed })
        ),
      listen: (channel, hear) => heard.listen(`${prefix}news:${channel}`, hear)
    }
  })
