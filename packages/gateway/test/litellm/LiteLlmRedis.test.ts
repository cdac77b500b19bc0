import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { readText } from "../support/liteLlmFiles.js"

const file = (settings: string) => `model_list:
  - model_name: writer
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream }
router_settings: ${settings}
`

const readRedis = (settings: string, more = "") =>
  Effect.map(readText(file(settings) + more, {}), ({ config, errors, said }) => {
    const { redis } = config ?? {}
    const plain = Object.fromEntries(
      Object.entries(redis ?? {}).map(([key, value]) => [
        key,
        Redacted.isRedacted(value) ? Redacted.value(value) : value
      ])
    )
    return { redis: redis === undefined ? undefined : plain, errors, said }
  })

describe("redis in LiteLLM's router_settings", () => {
  it.effect("is that of our own, by a URL or by host, port, database and password", () =>
    Effect.gen(function* () {
      const of = (settings: string) => Effect.map(readRedis(settings), ({ redis }) => redis)
      assert.deepStrictEqual(yield* of("{ redis_url: 'redis://:pass@cache:6380/2', redis_host: other }"), {
        url: "redis://:pass@cache:6380/2"
      })
      assert.deepStrictEqual(
        yield* of("{ redis_host: cache, redis_port: '6380', redis_db: 3, redis_password: pass-word }"),
        { host: "cache", port: 6380, database: 3, password: "pass-word" }
      )
      assert.deepStrictEqual(yield* of("{ redis_host: cache, redis_password: '' }"), { host: "cache" })
      assert.isUndefined(yield* of("{ redis_port: 6379 }"))
    })
  )

  it.effect("what is no address is told where it stands, without what is secret in it", () =>
    Effect.gen(function* () {
      const { errors } = yield* readRedis("{ redis_url: 'http://:pass-word@cache' }")
      assert.lengthOf(errors, 1)
      assert.match(errors[0] ?? "", /router_settings\.redis_url: expected redis:\/\//)
      assert.notInclude(errors.join(), "pass-word")
    })
  )

  it.effect("gateways that share limits are told what they do not share", () =>
    Effect.gen(function* () {
      const said = (more: string) =>
        Effect.map(readRedis("{ redis_host: cache }", more), (read) => read.said.join("\n"))
      const bare = yield* said("")
      assert.include(bare, "set server.idSecret, the same for all")
      assert.notInclude(bare, "its own")
      const secret = "server: { idSecret: a secret of the file }\n"
      const limits = "spendLimits: { providers: { openai: { limit: 1, window: 1 day } } }\n"
      assert.match(
        yield* said(secret + limits),
        /budgets count over all gateways, but keys .* and reports .* are its own/
      )
      assert.match(yield* said(`${secret + limits}ledger: false\n`), /when all of them begin anew it is forgotten/)
      const database = "ledger: { url: 'postgresql://u:p@db/x' }\n"
      assert.notMatch(yield* said(secret + limits + database), /idSecret|budgets/)
    })
  )
})
