import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type * as RedisConnection from "@switchyard/redis/RedisConnection"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import * as RedisServer from "@switchyard/testing/RedisServer"
import { Effect } from "effect"
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
})
