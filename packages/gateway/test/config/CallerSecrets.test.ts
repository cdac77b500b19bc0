/**
 * One secret is one caller's, and long enough to be one: in files, in code and in what a reload brings.
 */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import * as GatewayConfig from "../../src/config/GatewayConfig.js"
import * as Gateway from "../../src/Gateway.js"
import { loadFiles, reportOf } from "../support/configFiles.js"

const secret = "sk-shared-0123456789"
const hash = createHash("sha256").update(secret).digest("hex")

const deployments = [{ id: "a", group: "g", model: "m", baseUrl: "http://127.0.0.1:1/v1" }]

const issuesOf = (settings: object) =>
  Either.match(GatewayConfig.decode({ deployments, server: { port: 0 }, ...settings }), {
    onLeft: ({ issues }) => issues,
    onRight: () => []
  })

/** One secret in all the ways in which it can be written. */
const spellings: ReadonlyArray<readonly [string, object]> = [
  ["plain", { key: secret }],
  ["with white space around it", { key: ` ${secret}\n` }],
  ["redacted", { key: Redacted.make(secret) }],
  ["hashed", { hash }],
  ["hashed, with a prefix", { hash: `sha256:${hash}` }],
  ["hashed, in capitals", { hash: hash.toUpperCase() }]
]

const yaml = (more: string) =>
  `deployments:\n  - { id: a, group: g, model: m, baseUrl: "http://127.0.0.1:1/v1", apiKey: sk-provider-1 }\n${more}`

describe("one secret of two callers", () => {
  it.effect.each(spellings)("is an error, %s: of the master key, and of another virtual key", ([, spelling]) =>
    Effect.sync(() => {
      const ofMaster = issuesOf({ masterKey: secret, keys: [{ name: "joe", ...spelling }] })
      assert.deepStrictEqual(ofMaster, [
        { path: "keys[0]", value: "<secret>", expected: "a secret of its own: masterKey has the same" }
      ])
      for (const [, other] of spellings) {
        const keys = [
          { name: "joe", ...other },
          { name: "eve", key: "sk-another-000001" },
          { name: "ann", ...spelling }
        ]
        assert.deepStrictEqual(
          issuesOf({ keys }).map(({ expected, path }) => `${path}: ${expected}`),
          ["keys[2]: a secret of its own: keys[0] has the same"]
        )
      }
    })
  )

  it.effect("is found in a file, whatever variable it comes from, at its line and without the secret", () =>
    Effect.gen(function* () {
      const env = { ONE: secret, TWO: `${secret}\n`, HASH: hash, HALF: "0123456789" }
      for (const [text, line] of [
        [`masterKey: \${ONE}\nkeys:\n  - { name: joe, key: "\${TWO}" }\n`, 5],
        [`masterKey: os.environ/ONE\nkeys:\n  - { name: joe, hash: "\${HASH}" }\n`, 5],
        [`keys:\n  - { name: joe, key: "\${ONE}" }\n  - { name: ann, key: "sk-shared-\${HALF}" }\n`, 5],
        [`keys:\n  - { name: joe, key: "\${ONE}" }\n  - { name: ann, hash: "sha256:${hash}" }\n`, 5]
      ] as const) {
        const report = reportOf(yield* loadFiles({ "config.yaml": yaml(text) }, env)).join("\n")
        assert.match(report, new RegExp(`config\\.yaml:${line}:\\d+ error keys\\[\\d\\]: expected a secret of its own`))
        assert.notInclude(report, secret)
        assert.notInclude(report, "0123456789")
      }
      const litellm = `model_list:\n  - { model_name: g, litellm_params: { model: openai/m, api_key: k } }\nkeys: [{ name: joe, key: ${secret} }]\n`
      for (const [text, variables] of [
        [`${litellm}general_settings: { master_key: ${secret} }\n`, {}],
        [litellm, { LITELLM_MASTER_KEY: secret }],
        [litellm, { SWITCHYARD_MASTER_KEY: `${secret}\n` }],
        [yaml(""), { SWITCHYARD_KEYS: `joe=${secret},ann=${secret}` }],
        [yaml(`masterKey: ${secret}\n`), { SWITCHYARD_KEYS: JSON.stringify([{ name: "joe", hash }]) }]
      ] as const) {
        const report = reportOf(yield* loadFiles({ "config.yaml": text }, variables as Record<string, string>)).join(
          "\n"
        )
        assert.include(report, "expected a secret of its own")
        assert.notInclude(report, secret)
      }
    })
  )

  it.effect("is found by a check without the environment too, where both name one variable, and only there", () =>
    Effect.gen(function* () {
      const check = (text: string) => loadFiles({ "config.yaml": yaml(text) }, {}, "note")
      const same = reportOf(yield* check(`masterKey: \${ONE}\nkeys: [{ name: joe, key: "\${ONE}" }]\n`)).join("\n")
      assert.include(same, "expected a secret of its own: masterKey has the same")
      const others = yield* check(
        `masterKey: \${ONE}\nkeys: [{ name: joe, key: "\${ONE}-1" }, { name: ann, key: "\${ONE}-2" }, { name: eve, hash: "\${HASH}" }]\n`
      )
      assert.isTrue(Either.isRight(others), reportOf(others).join("\n"))
    })
  )

  it.scopedLive("no reload brings it in", () =>
    Effect.gen(function* () {
      const config = (settings: object) =>
        Either.getOrThrow(GatewayConfig.decode({ deployments, server: { port: 0 }, ...settings }))
      const gateway = yield* Gateway.make({ config: config({ masterKey: "sk-master-00001" }) })
      // A configuration that was put together without the decoder.
      const made = { ...config({ masterKey: secret }), keys: [{ name: "joe", hash }] }
      const { issues } = yield* Effect.flip(gateway.reload({ config: made }))
      assert.deepStrictEqual(
        issues.map(({ path }) => path),
        ["keys[0]"]
      )
      assert.strictEqual(gateway.generations.current().number, 1)
    })
  )
})

describe("a caller's key", () => {
  it.effect("of white space alone is an error", () =>
    Effect.gen(function* () {
      for (const empty of [" ", "\n", "\t \n"]) {
        assert.deepStrictEqual(
          issuesOf({ masterKey: empty }).map(({ path }) => path),
          ["masterKey"]
        )
        assert.deepStrictEqual(
          issuesOf({ keys: [{ name: "joe", key: empty }] }).map(({ path }) => path),
          ["keys[0].key"]
        )
        const report = reportOf(
          yield* loadFiles({ "config.yaml": yaml("masterKey: os.environ/ONE\n") }, { ONE: empty })
        )
        assert.match(report.join("\n"), /config\.yaml:3:\d+ error masterKey: expected a key, not only white space/)
        assert.lengthOf(
          report.filter((line) => line.includes("masterKey")),
          1
        )
      }
    })
  )

  it.effect(
    "of fewer than 8 characters is warned about, the master's and others'; a provider's is its own matter",
    () =>
      Effect.gen(function* () {
        const text = `${yaml("masterKey: sk-1234\nkeys: [{ name: joe, key: x }, { name: ann, key: sk-12345 }]\n").replace("sk-provider-1", "k")}`
        const { problems } = Either.getOrThrow(yield* loadFiles({ "config.yaml": text }))
        assert.deepStrictEqual(
          problems.map(({ path, severity }) => `${severity} ${path}`),
          ["warning masterKey", "warning keys[0].key"]
        )
      })
  )
})
