import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type * as RedisConnection from "@switchyard/redis/RedisConnection"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import type { AdmitAsk } from "@switchyard/router/Engine"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect, Either } from "effect"
import { Redis } from "ioredis"
import { contract } from "./contract.js"

const missing = RedisServer.missing()
if (missing !== undefined) console.error(missing)

describe.skipIf(missing !== undefined).concurrent("an engine in a real server", () => {
  let server: RedisServer.RedisServer | undefined
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server?.stop())

  contract(() => ({ url: server?.url ?? "" }), 3000)
})

describe.skipIf(missing !== undefined).concurrent("an engine in a cluster", () => {
  let servers: ReadonlyArray<RedisServer.RedisServer> = []
  beforeAll(async () => {
    servers = await RedisServer.startCluster()
  }, 30_000)
  afterAll(() => Promise.all(servers.map(({ stop }) => stop())))

  contract(() => ({ cluster: servers.map(({ port }) => ({ host: "127.0.0.1", port })) }), 3000)
})

/** What a server is told beside its engine. */
const asking = <A>(server: RedisServer.RedisServer, ask: (client: Redis) => Promise<A>): Effect.Effect<A> =>
  Effect.promise(async () => {
    const client = new Redis(server.url)
    try {
      return await ask(client)
    } finally {
      client.disconnect()
    }
  })
const setting = (server: RedisServer.RedisServer, name: string, value: string) =>
  asking(server, (client) => client.config("SET", name, value))
const keysOf = (server: RedisServer.RedisServer) => asking(server, (client) => client.dbsize())

describe.skipIf(missing !== undefined)("a connection", () => {
  it.scopedLive("hears news again when the server is back, and only those under its prefix", () =>
    Effect.gen(function* () {
      const server = yield* Effect.promise(() => RedisServer.start())
      yield* Effect.addFinalizer(() => Effect.promise(() => server.stop()))
      const engineOf = (prefix: string) =>
        RedisEngine.make({ url: server.url, prefix, timeout: "10 seconds", startTimeout: "10 seconds" })
      const [own, same, foreign] = yield* Effect.all([engineOf("a:"), engineOf("a:"), engineOf("b:")])
      const heard = new Set<string>()
      yield* own.news.listen("words", (text) => void heard.add(text))
      const sayUntilHeard = (text: string) =>
        Effect.ignore(
          Effect.zipRight(Effect.ignore(foreign.news.publish("words", "foreign")), same.news.publish("words", text))
        ).pipe(Effect.zipRight(Effect.sleep(20)), Effect.repeat({ until: () => heard.has(text) }))
      yield* sayUntilHeard("before")
      yield* Effect.promise(() => server.kill())
      yield* Effect.promise(() => server.restart())
      yield* sayUntilHeard("after")
      assert.deepStrictEqual([...heard], ["before", "after"])
    })
  )

  const failure = (options: RedisConnection.Options) =>
    Effect.scoped(Effect.flatMap(RedisEngine.make(options), (engine) => Effect.flip(engine.announce("a", 3000))))

  it.live("says that nobody is there", () =>
    Effect.map(failure({ url: "redis://:secret@127.0.0.1:1" }), ({ description, reason }) => {
      assert.strictEqual(reason, "away")
      assert.notInclude(description, "secret")
    })
  )

  it.live("ends though nobody was ever there, also where it was opened by what can't be interrupted", () =>
    Effect.uninterruptible(
      Effect.scoped(
        Effect.flatMap(RedisEngine.make({ url: "redis://127.0.0.1:1" }), ({ news }) => news.listen("words", () => {}))
      )
    )
  )

  it.live("says in words what a server refuses", () =>
    Effect.gen(function* () {
      const server = yield* Effect.promise(() => RedisServer.start(["--requirepass", "right"]))
      const refusals = yield* Effect.all([
        failure({ url: server.url }),
        failure({ url: `redis://:wrong@127.0.0.1:${server.port}` })
      ]).pipe(Effect.ensuring(Effect.promise(() => server.stop())))
      for (const { description, reason } of refusals) {
        assert.strictEqual(reason, "refused")
        assert.match(description, /password/)
        assert.notInclude(description, "wrong@")
      }
    })
  )

  const admission = (key: string, attempt: string): AdmitAsk => ({
    key,
    attempt,
    limits: { rpm: 2, tpm: undefined, maxParallel: undefined },
    tokens: 1,
    lease: 10_000,
    window: 60_000
  })
  const patient = { timeout: "10 seconds", startTimeout: "10 seconds" } as const
  const starting = (flags: ReadonlyArray<string> = []) =>
    Effect.acquireRelease(
      Effect.promise(() => RedisServer.start(flags)),
      (server) => Effect.promise(() => server.stop())
    )

  it.scopedLive("says that a server has no memory left, and is answered again when it has", () =>
    Effect.gen(function* () {
      const server = yield* starting(["--maxmemory", "100kb", "--maxmemory-policy", "noeviction"])
      const engine = yield* RedisEngine.make({ url: server.url, ...patient })
      const { description, reason } = yield* Effect.flip(engine.usage.admit(admission("a", "1")))
      assert.deepStrictEqual(
        [reason, description],
        ["refused", "Redis refused: it has no memory left (maxmemory): use a policy that evicts, or give it more"]
      )
      yield* setting(server, "maxmemory", "0")
      assert.strictEqual((yield* engine.usage.admit(admission("a", "1")))._tag, "Admitted")
    })
  )

  it.scopedLive("says that a server is a replica, which only reads", () =>
    Effect.gen(function* () {
      const master = yield* starting()
      const replica = yield* starting(["--replicaof", "127.0.0.1", String(master.port)])
      const engine = yield* RedisEngine.make({ url: replica.url, ...patient })
      const { description, reason } = yield* Effect.flip(engine.announce("a", 3000))
      assert.deepStrictEqual([reason, description], ["refused", "Redis refused: it only reads: it is a replica"])
    })
  )

  it.scopedLive("says that keys under its prefix belong to another program, and leaves them alone", () =>
    Effect.gen(function* () {
      const server = yield* starting()
      const foreign = new Redis(server.url)
      yield* Effect.addFinalizer(() => Effect.sync(() => foreign.disconnect()))
      yield* Effect.promise(() => foreign.set("switchyard:{use:a}:use", "theirs"))
      const engine = yield* RedisEngine.make({ url: server.url, ...patient })
      const { description, reason } = yield* Effect.flip(engine.usage.admit(admission("a", "1")))
      assert.deepStrictEqual(
        [reason, description],
        ["refused", "Redis refused: a key under the prefix belongs to another program: set another prefix"]
      )
      assert.strictEqual(yield* Effect.promise(() => foreign.get("switchyard:{use:a}:use")), "theirs")
      assert.strictEqual((yield* engine.usage.admit(admission("b", "1")))._tag, "Admitted")
    })
  )

  it.scopedLive("says that a server is too old, with its version", () =>
    Effect.gen(function* () {
      // As far as a client asks before its first command.
      const old = createServer((socket) => {
        const info = "# Server\r\nredis_version:4.0.14\r\nloading:0\r\n"
        socket.on("data", (data) => {
          const asked = [...`${data}`.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)].map(([, name = ""]) => name.toLowerCase())
          for (const name of asked) socket.write(name === "info" ? `$${info.length}\r\n${info}\r\n` : "+OK\r\n")
        })
        socket.on("error", () => {})
      })
      yield* Effect.promise(async () => {
        old.listen(0, "127.0.0.1")
        await once(old, "listening")
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => old.close()))
      const { port } = old.address() as AddressInfo
      const engine = yield* RedisEngine.make({ host: "127.0.0.1", port, ...patient })
      const told = yield* Effect.repeat(Effect.zipRight(Effect.sleep(20), Effect.either(engine.announce("a", 3000))), {
        until: Either.isLeft
      })
      const description = Either.isLeft(told) ? told.left.description : ""
      assert.strictEqual(description, "Redis 4.0.14 is too old: 5 or later is needed, or Valkey")
    })
  )

  it.scopedLive("behind a sentinel goes on with the replica when its master is killed", () =>
    Effect.gen(function* () {
      const servers = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.startSentinel()),
        ({ stop }) => Effect.promise(stop)
      )
      const { master, name, replica, sentinel } = servers
      const addresses = [{ host: "127.0.0.1", port: sentinel.port }]
      const engine = yield* RedisEngine.make({
        sentinel: { name, addresses },
        timeout: "1 second",
        startTimeout: "10 seconds"
      })
      const heard = new Set<string>()
      yield* engine.news.listen("words", (text) => void heard.add(text))
      assert.strictEqual((yield* engine.usage.admit(admission("a", "1")))._tag, "Admitted")
      // What its replica does not know yet is lost with a master.
      yield* Effect.repeat(keysOf(replica), { until: (count) => count > 0 })
      yield* Effect.promise(() => master.kill())
      const again = Effect.zipRight(Effect.sleep(100), Effect.either(engine.usage.admit(admission("a", "2"))))
      const second = yield* Effect.repeat(again, { until: Either.isRight })
      assert.strictEqual(Either.isRight(second) ? second.right._tag : "", "Admitted")
      assert.strictEqual((yield* engine.usage.admit(admission("a", "3")))._tag, "Refused")
      const say = Effect.zipRight(Effect.ignore(engine.news.publish("words", "again")), Effect.sleep(50))
      yield* Effect.repeat(say, { until: () => heard.has("again") })
    })
  )
})
