/**
 * Keys with white space around them, and certificates, in both formats.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import { loadFiles, reportOf } from "../support/configFiles.js"

const ours = `deployments:
  - id: a
    group: g
    model: m
    apiKey: \${PROVIDER_KEY}
    headers: { api-key: "\${PROVIDER_KEY}" }
masterKey: "\${MASTER_KEY}"
keys:
  - { name: joe, key: " sk-joe\\t" }
`

const theirs = `model_list:
  - model_name: g
    litellm_params:
      model: openai/m
      api_base: http://127.0.0.1:1/v1
      api_key: os.environ/PROVIDER_KEY
general_settings:
  master_key: os.environ/MASTER_KEY
`

const load = (text: string, provider: string, master = "sk-master\n") =>
  loadFiles({ "config.yaml": text }, { PROVIDER_KEY: provider, MASTER_KEY: master })

describe("white space around a key", () => {
  it.effect.each([
    ["our own", ours, ["deployments[0].apiKey", "deployments[0].headers.api-key", "masterKey", "keys[0].key"], 5],
    ["LiteLLM's", theirs, ["model_list[0].litellm_params.api_key", "general_settings.master_key"], 6]
  ] as const)("is left out, and said at the key's line: %s format", ([, text, paths, firstLine]) =>
    Effect.gen(function* () {
      const { config, problems } = yield* Effect.flatMap(load(text, "sk-x\n"), (loaded) =>
        Either.mapLeft(loaded, String)
      )
      const said = problems.filter(({ message }) => message.includes("white space"))
      assert.sameMembers(
        said.map(({ path, severity }) => `${severity} ${path}`),
        paths.map((path) => `warning ${path}`)
      )
      assert.strictEqual(said.find(({ path }) => path === paths[0])?.line, firstLine)
      assert.notInclude(JSON.stringify(problems), "sk-x")
      const key = config.router.deployments[0]?.apiKey
      assert.strictEqual(typeof key === "string" ? key : key && Redacted.value(key), "sk-x")
      assert.strictEqual(config.masterKey && Redacted.value(config.masterKey), "sk-master")
    })
  )

  it.effect("a key of nothing else, or with a line break inside, is an error at its line", () =>
    Effect.gen(function* () {
      for (const text of [ours, theirs]) {
        for (const key of ["\n", "  ", "sk-a\nsk-b", "sk-\u2013x"]) {
          const report = reportOf(yield* load(text, key)).join("\n")
          assert.match(report, /config\.yaml:[56]:\d+.*expected a key/)
          assert.notInclude(report, "sk-a")
        }
        assert.match(reportOf(yield* load(text, "sk-x", "sk\n\nx")).join("\n"), /config\.yaml:[78]:.*expected a key/)
      }
    })
  )
})

describe("ssl_verify", () => {
  const tlsOf = (params: string, settings = "") =>
    Effect.map(
      loadFiles({
        "config.yaml": `model_list:\n  - { model_name: g, litellm_params: { model: openai/m, api_base: "http://127.0.0.1:1", api_key: k${params} } }\n${settings}`
      }),
      (loaded) =>
        Either.map(loaded, ({ config, problems }) => ({
          tls: config.router.deployments[0]?.tls,
          said: problems.filter(({ message }) => message.includes("certificate")).map(({ line }) => line)
        }))
    )

  it.effect("is honoured, of a deployment before that of all; to look away is warned about", () =>
    Effect.gen(function* () {
      const all = "litellm_settings:\n  ssl_verify: /etc/all.pem\n"
      for (const [params, settings, tls, said] of [
        [", ssl_verify: false", "", { verify: false }, [2]],
        [', ssl_verify: "False"', "", { verify: false }, [2]],
        [", ssl_verify: /etc/ca.pem", "", { ca: "/etc/ca.pem" }, []],
        [", ssl_verify: true", all, undefined, []],
        ["", all, { ca: "/etc/all.pem" }, []],
        ["", "litellm_settings:\n  ssl_verify: false\n", { verify: false }, [4]],
        [", ssl_verify: /etc/ca.pem", "litellm_settings:\n  ssl_verify: false\n", { ca: "/etc/ca.pem" }, []]
      ] as const) {
        assert.deepStrictEqual(yield* Effect.flatten(Effect.succeed(yield* tlsOf(params, settings))), {
          tls,
          said: [...said]
        })
      }
      assert.match(String(Either.getOrThrowWith(Either.flip(yield* tlsOf(", ssl_verify: 3")), String)), /./)
    })
  )
})
