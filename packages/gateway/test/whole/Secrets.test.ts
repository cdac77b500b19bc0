/**
 * Secrets in every field that holds one: no answer, no admin view, no metric, no line of the log and no report of a file
 * shows them, however a provider spells them, and what a caller is told of the inside depends on its key.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Either, FastCheck as fc } from "effect"
import { loadFiles, reportOf } from "../support/configFiles.js"
import { authorized, chat, decode, errorIn, eventually, masterKey, post, start } from "../support/gateways.js"

const virtualKey = "sk-virtual-5577aa-for-team"
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const secret = fc.stringMatching(/^[A-Za-z0-9]{3}[!#$%&*+/:=?@^~A-Za-z0-9-]{9,20}[A-Za-z0-9]$/)

const percent = (text: string) => encodeURIComponent(text)

const spellings = (text: string): ReadonlyArray<string> => [
  text,
  percent(text),
  percent(text).replace(/%../g, (code) => code.toLowerCase()),
  JSON.stringify(text).slice(1, -1),
  Buffer.from(text).toString("base64").replace(/=+$/, ""),
  Buffer.from(text).toString("base64url")
]

const get = ({ url }: { readonly url: string }, path: string) =>
  Effect.promise(async () => (await fetch(url + path, { headers: authorized })).text())

describe("secrets at random in every field", () => {
  it.scopedLive("show in no answer, view, metric or line of the log, however the provider spells them", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const host = new URL(upstream.url).host
      const configOf = (held: ReadonlyArray<string>) => {
        const [inKey = "", inHeader = "", inQuery = "", password = "", inMaster = "", inVirtual = "", inProxy = ""] =
          held
        const at = (user: string, query: string) => `http://${user}${host}/v1${query}`
        const one = { group: "smart", model: "m" }
        return decode({
          deployments: [
            { ...one, id: "keyed", baseUrl: at("", ""), apiKey: inKey, headers: { "x-tenant": inHeader } },
            {
              ...one,
              id: "queried",
              group: "queried",
              baseUrl: at("", `?api-version=2024-10-21&code=${percent(inQuery)}`)
            },
            { ...one, id: "basic", group: "basic", baseUrl: at(`user:${percent(password)}@`, "") }
          ],
          masterKey: inMaster,
          keys: [{ name: "team", key: inVirtual }],
          transport: { proxy: { https: `http://proxy:${percent(inProxy)}@127.0.0.1:9` } },
          server: { port: 0, drainTimeout: "1 second" },
          log: { level: "debug", messages: true, maxPerSecond: 100_000 },
          retry: { attempts: 1 },
          cooldown: false
        })
      }
      const cases = fc.sample(fc.uniqueArray(secret, { minLength: 7, maxLength: 7 }), 3)
      let text = ""
      const output = {
        isTerminal: false,
        hasColours: false,
        write: (piece: string, done: () => void) => {
          text += piece
          done()
        }
      }
      const first = configOf(cases[0] ?? [])
      const log = yield* RequestLog.make(first, output)
      const gateway = yield* Effect.orDie(Gateway.make({ config: first }, {}, log))
      for (const held of cases) {
        yield* Effect.orDie(gateway.reload({ config: configOf(held) }))
        const key = bearer(held[4] ?? "")
        let said = ""
        let last = ""
        for (const [model, own] of [
          ["smart", [0, 1]],
          ["queried", [2]],
          ["basic", [3]]
        ] as const) {
          for (const status of [400, 404, 429, 500]) {
            const quoted = own.flatMap((index) => spellings(held[index] ?? "")).join(" | ")
            yield* upstream.behave({ status, error: { message: quoted, code: quoted, type: quoted } })
            const { headers, text: body } = yield* chat(gateway, { model, stream: status === 500 }, key)
            said += body + JSON.stringify(headers)
            last = headers["x-request-id"] ?? ""
          }
        }
        for (const path of ["/admin/config", "/admin/deployments", "/admin/events", "/metrics", "/health/ready"]) {
          said += yield* Effect.promise(async () => {
            const response = await fetch(gateway.url + path, { headers: key })
            if (path !== "/admin/events") return response.text()
            const reader = response.body?.getReader()
            const { value } = (await reader?.read()) ?? {}
            await reader?.cancel()
            return new TextDecoder().decode(value)
          })
        }
        yield* eventually(
          () => "the last request's line of the log",
          () => text.includes(last)
        )
        assert.include(said, "<secret>")
        for (const one of held.flatMap(spellings)) {
          assert.notInclude(said, one)
          assert.notInclude(text, one)
        }
        assert.include(text, "<secret>")
      }
    })
  )
})

describe("a mistyped URL", () => {
  const password = "hunter2secretpw"
  const urls = [
    `user:${password}@host/v1`,
    `https//user:${password}@host`,
    `//user:${password}@host`,
    `ht!tp://u:${password}@x`,
    `HTTPS//U:${password}@X`,
    `https://user:p@${password}@host name/v1`,
    `https://x /?sig=${password}`,
    `https://us\ter:${password}@host`,
    `https://user:${password}%40host`,
    `https:\\\\user:${password}@host`,
    `https://host/v1?whatever=${password}`,
    `http://user:${password}@host/v1?key=${password}`
  ]

  it.effect.each(urls)("shows no password and no key, wherever a file may have one: %s", (url) =>
    Effect.gen(function* () {
      const text = JSON.stringify(url)
      const ours = `deployments:
  - { id: a, group: g, model: m, baseUrl: ${text} }
  - { id: b, group: g, model: m, baseUrI: ${text}, headers: ${text} }
transport: { proxy: { http: ${text}, https: ${text}, except: ${text} } }
server: { cors: [${text}], host: ${text}, port: ${text} }
aliases: { ${text}: g, x: ${text} }
${text}: 1
x-redis: { url: ${text} }
`
      const theirs = `model_list:
  - { model_name: g, litellm_params: { model: openai/m, api_key: k, api_base: ${text} } }
  - { model_name: h, litellm_params: { model: openai/m, base_url: ${text}, api_base: 1 } }
litellm_settings: { cache: true, cache_params: { type: redis, url: ${text}, redis_startup_nodes: [${text}] }, callbacks: [${text}] }
general_settings: { database_url: ${text}, alerting_args: { webhook: ${text} }, proxy_base_url: ${text} }
router_settings: { redis_url: ${text}, redis_host: ${text}, fallbacks: [{ ${text}: [${text}] }] }
`
      for (const file of [ours, theirs]) {
        const loaded = yield* loadFiles({ "config.yaml": file })
        const said = Either.isLeft(loaded)
          ? reportOf(loaded).join("\n") + JSON.stringify(loaded.left.error.problems)
          : JSON.stringify([loaded.right.problems, loaded.right.display])
        assert.notInclude(said, password)
        assert.isAbove(said.length, 2)
      }
    })
  )

  it.effect("with a user and a password that can be used says what becomes of them", () =>
    Effect.gen(function* () {
      const file = `deployments:
  - { id: a, group: g, model: m, baseUrl: "https://user:${password}@host.example/v1" }
  - { id: b, group: g, model: m, baseUrl: "https://user:${password}@host.example/v1", apiKey: k1234 }
`
      const loaded = yield* Effect.flatMap(loadFiles({ "config.yaml": file }), (read) => Either.mapLeft(read, String))
      assert.deepStrictEqual(
        loaded.problems.map(({ line, path, severity }) => [severity, path, line]),
        [
          ["note", "deployments[0].baseUrl", 2],
          ["warning", "deployments[1].baseUrl", 3]
        ]
      )
      assert.notInclude(JSON.stringify([loaded.problems, loaded.display]), password)
    })
  )
})

describe("what is between the operator and a provider", () => {
  it.scopedLive("is told to callers in our words: a refused key, a used-up quota, and no id of an organization", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], {
        keys: [{ name: "team", key: virtualKey }],
        retry: { attempts: 1 },
        cooldown: false
      })
      const told = (behaviour: FakeProvider.Behaviour, stream = false, key = virtualKey) =>
        Effect.gen(function* () {
          yield* upstream.behave(behaviour)
          return (yield* chat(gateway, { stream }, bearer(key))).text
        })
      const quoting = "Incorrect API key provided: sk-pr*****wxyz. See https://platform.example/org-AbCdEf123456"
      for (const key of [virtualKey, masterKey]) {
        for (const [status, code] of [
          [401, "invalid_api_key"],
          [403, "forbidden"],
          [402, "payment_required"],
          [429, "insufficient_quota"]
        ] as const) {
          for (const stream of [false, true]) {
            const text = yield* told({ status, error: { message: quoting, code, type: code } }, stream, key)
            assert.notMatch(text, /wxyz|AbCdEf|Incorrect/)
            assert.match(String(errorIn(text)["message"]), /the gateway's own (credentials|quota)/)
          }
        }
      }
      const limited = yield* told({
        status: 429,
        error: { message: "Rate limit reached in organization org-AbCdEf123456" }
      })
      assert.include(limited, "Rate limit reached")
      assert.notInclude(limited, "AbCdEf")
    })
  )
})

describe("the inside", () => {
  it.scopedLive("is told whole to the master key; other keys hear of the group and the number of attempts", () =>
    Effect.gen(function* () {
      const east = yield* FakeProvider.make({ name: "east-1" })
      const west = yield* FakeProvider.make({ name: "west-1" })
      const gateway = yield* start([east, west], {
        keys: [{ name: "team", key: virtualKey }],
        retry: { attempts: 2 },
        recovery: { policy: "error" },
        cooldown: false
      })
      const inside = /east-1|west-1|127\.0\.0\.1|cooldowns/
      const paths = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
      const bodyOf = { model: "smart", messages: [{ role: "user", content: "x" }], prompt: "x", input: "x" }
      const broken = { reply: "one two three four", cutAfterChunks: 3 }
      for (const [behaviour, stream] of [
        [{ reply: "ok then" }, false],
        [{ reply: "ok then" }, true],
        [{ status: 500, error: { message: "down" } }, false],
        [broken, true]
      ] as const) {
        yield* east.behave(behaviour)
        yield* west.behave(behaviour)
        for (const path of stream ? paths.slice(0, 2) : paths) {
          const whole = yield* post(gateway, path, { ...bodyOf, stream })
          const part = yield* post(gateway, path, { ...bodyOf, stream }, bearer(virtualKey))
          assert.include(String(whole.headers["x-switchyard-deployment"]), "-1", path)
          const error = part.text.indexOf('{"error"')
          const text = JSON.stringify(part.headers) + (error === -1 ? "" : part.text.slice(error))
          assert.notMatch(text, inside, path)
          assert.include(part.headers, { "x-switchyard-group": "smart" })
          assert.match(String(part.headers["x-switchyard-attempts"]), /^[12]$/)
          if (whole.text.includes('"error"')) {
            assert.include(whole.text, '"attempts":[{"deployment":')
            assert.match(part.text, /"group":"smart","attempt_count":[12]/)
            assert.notInclude(part.text, '"attempts"')
          }
        }
      }
    })
  )

  it.scopedLive("a short id is cut out as a word, never inside of others", () =>
    Effect.gen(function* () {
      const one = yield* FakeProvider.make({ name: "a" })
      const gateway = yield* start([one], { keys: [{ name: "team", key: virtualKey }], retry: { attempts: 1 } })
      yield* one.behave({ status: 500, error: { message: "a bad day" } })
      const { text } = yield* chat(gateway, {}, bearer(virtualKey))
      assert.include(String(errorIn(text)["message"]), "the provider answered 500")
      assert.isAbove((yield* get(gateway, "/admin/deployments")).length, 2)
    })
  )
})
