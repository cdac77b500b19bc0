import { assert, describe, it } from "@effect/vitest"
import * as Problem from "@switchyard/gateway/Problem"
import { Effect, Either, Redacted } from "effect"
import * as YamlTree from "../../src/config/yaml/yamlTree.js"
import { loadFiles, reportOf } from "../support/configFiles.js"

const deployment = (more = "") => `deployments:
  - id: a
    group: g
    model: m
    baseUrl: https://a.example/v1
${more}`

const load = (text: string | Uint8Array, env: Readonly<Record<string, string>> = {}, unset?: "error" | "note") =>
  loadFiles({ "config.yaml": text }, env, unset)

const report = (text: string | Uint8Array, env?: Readonly<Record<string, string>>) =>
  Effect.map(load(text, env), reportOf)

const loaded = (text: string, env?: Readonly<Record<string, string>>, unset?: "error" | "note") =>
  Effect.map(
    load(text, env, unset),
    Either.getOrThrowWith(({ error }) => error)
  )

describe("reading a file", () => {
  it.effect("gives the settings, the files and what to display", () =>
    Effect.gen(function* () {
      const { config, display, files, problems } = yield* loaded(`${deployment()}strategy: ordered\nserver: {port: 1}`)
      assert.strictEqual(config.router.deployments[0]?.id, "a")
      assert.strictEqual(config.router.strategy, "ordered")
      assert.strictEqual(config.server.port, 1)
      assert.deepStrictEqual(problems, [])
      assert.match(files[0] ?? "", /^\/.*config\.yaml$/)
      assert.deepInclude(display, { strategy: "ordered", server: { port: 1 } })
    })
  )

  it.effect("what is set for a provider holds for its deployments that do not say otherwise", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(`deployments:
  - { id: a, group: g, model: m }
  - { id: b, group: g, model: m, provider: acme }
  - { id: c, group: g, model: m, provider: acme, onMalformedEvent: cut }
model_list:
  - { model_name: g, litellm_params: { model: openai/m, api_key: k } }
providers:
  acme: { onMalformedEvent: skip, onMissingFinish: accept }
  openai: { onMalformedEvent: skip }
`)
      assert.deepStrictEqual(
        config.router.deployments.map(({ onMalformedEvent, onMissingFinish, provider }) => [
          provider,
          onMalformedEvent,
          onMissingFinish
        ]),
        [
          ["openai", "skip", undefined],
          [undefined, "skip", undefined],
          ["acme", "skip", "accept"],
          ["acme", "cut", "accept"]
        ]
      )
      const wrong = yield* report(`${deployment()}providers: { openai: { onMalformedEvent: no } }`)
      assert.include(wrong.join(), 'providers.openai.onMalformedEvent: expected "cut" or "skip"')
    })
  )

  it.effect("takes JSON, tabs and a byte order mark too", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded('\uFEFF{\n\t"deployments": [{"id": "a", "group": "g", "model": "m"}]\n}')
      assert.strictEqual(config.router.deployments[0]?.group, "g")
    })
  )

  it.effect("says of comments as other languages have them, and of TOML, that they are not read", () =>
    Effect.gen(function* () {
      for (const comment of ["// hi", "/* hi */"]) {
        assert.deepStrictEqual(
          yield* report(`{ ${comment}\n  "deployments": [{"id": "a", "group": "g", "model": "m"}]\n}`),
          ["config.yaml cannot be used: 1 error", "config.yaml:1:3 error a comment begins with #, also in JSON"]
        )
      }
      const { problems } = YamlTree.parse('[[deployments]]\nid = "a"\n', "config.toml")
      assert.deepStrictEqual(problems.map(Problem.renderOne), [
        "config.toml:1:1 error a configuration is YAML or JSON, not TOML"
      ])
    })
  )

  it.effect("reads words and numbers as LiteLLM's YAML 1.1 does, and dates as text", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(
        `${deployment("    rpm: 10_000\n    defaults: {a: yes, b: 'yes', c: 2024-10-21, d: Off}\n")}`
      )
      assert.strictEqual(config.router.deployments[0]?.rpm, 10_000)
      assert.deepStrictEqual(config.router.deployments[0]?.defaults, { a: true, b: "yes", c: "2024-10-21", d: false })
    })
  )

  it.effect("follows aliases and merge keys; a key of one's own beats a merged one", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(
        `x-limits: &limits {rpm: 5, tpm: 6}\nx-more: &more {rpm: 7, weight: 2}\n${deployment("    <<: [*limits, *more]\n    tpm: 9\n")}`
      )
      assert.deepInclude(config.router.deployments[0], { rpm: 5, tpm: 9, weight: 2 })
    })
  )

  it.effect("turns away aliases that grow without bound, or hold themselves", () =>
    Effect.gen(function* () {
      const levels = Array.from(
        { length: 9 },
        (_, n) => `x-${n + 1}: &a${n + 1} [${"*a0,".repeat(10).replaceAll("a0", `a${n}`)}]`
      )
      const [, first] = yield* report(`x-0: &a0 [1,1,1,1,1,1,1,1,1,1]\n${levels.join("\n")}\n${deployment()}`)
      assert.include(first, "more than 100000 values")
      assert.include(
        (yield* report(`x-a: &a [1, *a]\n${deployment()}`))[1],
        "config.yaml:1:13 error an alias inside its own"
      )
      assert.include(
        (yield* report(`x-a: *nobody\n${deployment()}`))[1],
        "config.yaml:1:6 error no anchor of this name"
      )
    })
  )

  it.effect("says every mistake of syntax with its place, and never quotes the text", () =>
    Effect.gen(function* () {
      const lines = yield* report('a: [1, 2\nb: "sk-secret\\q"\nc: |x sk-secret\n  t\n')
      assert.isAbove(lines.length, 2)
      for (const line of lines.slice(1)) assert.match(line, /^config\.yaml:\d+:\d+ error /)
      assert.notInclude(lines.join("\n"), "secret")
    })
  )

  it.effect("reports a key that stands twice beside the other problems", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* report(`${deployment()}strategy: ordered\nstrategy: sticky\nserver: {prot: 1}`), [
        "config.yaml cannot be used: 2 errors",
        "config.yaml:7:1 error this key stands here twice",
        "config.yaml:8:10 error server.prot: no such key (did you mean port?)"
      ])
    })
  )

  it.effect("says why a file cannot be read at all", () =>
    Effect.gen(function* () {
      const missing = reportOf(yield* loadFiles({}))
      assert.strictEqual(missing[1], "config.yaml error no such file")
      assert.include((yield* report(Uint8Array.of(0x61, 0xff, 0xfe)))[1], "not UTF-8")
      assert.include((yield* report("[".repeat(100_000)))[1], "config.yaml:1:102 error nested deeper than 100 levels")
      const nested = (levels: number) => `${deployment()}server: ${"[".repeat(levels)}${"]".repeat(levels)}\n`
      assert.notInclude((yield* report(nested(98))).join("\n"), "nested deeper")
      assert.include((yield* report(nested(101))).join("\n"), "nested deeper than 100 levels")
      assert.include((yield* report(nested(3_000)))[1], "config.yaml:6:109 error nested deeper than 100 levels")
      assert.include((yield* report("- a\n- b\n"))[1], "expected settings")
      assert.include((yield* report("a: 1\n---\nb: 2\n"))[1], "one document")
      assert.include((yield* report("# nothing yet\n"))[1], "expected at least one deployment")
    })
  )
})

describe("problems", () => {
  it.effect("come all at once, in the order of their lines, with path, value and expectation", () =>
    Effect.gen(function* () {
      const text = `server:
  port: -1
  prot: 4000
deployments:
  - id: a
    group: gpt-4.1
    model: m
    timeot: 3
  - id: a
    group: other
    model: m
    rpm: lots
fallback:
  chains:
    general:
      gpt-4.1: [othr]
strategy: least-bussy
aliases: {fast: [x]}
retri: {}
`
      const lines = yield* report(text)
      assert.deepStrictEqual(lines.slice(0, 7), [
        "config.yaml cannot be used: 9 errors",
        "config.yaml:2:3 error server.port: expected a whole number of at least 0, found -1",
        "config.yaml:3:3 error server.prot: no such key (did you mean port?)",
        "config.yaml:8:5 error deployments[0].timeot: no such key (did you mean timeout?)",
        'config.yaml:9:5 error deployments[1].id: expected an id of its own (deployments[0] has this one), found "a"',
        'config.yaml:12:5 error deployments[1].rpm: expected a whole number of at least 0, found "lots"',
        'config.yaml:16:17 error fallback.chains.general.gpt-4.1[0]: expected a group, an alias or a deployment id, found "othr" (did you mean other?)'
      ])
      assert.match(
        lines.join("\n"),
        /config\.yaml:17:1 error strategy: .*found "least-bussy" \(did you mean least-busy\?\)/
      )
      assert.match(lines.join("\n"), /config\.yaml:18:11 error aliases\.fast: expected a string/)
      assert.match(lines.join("\n"), /config\.yaml:19:1 error retri: no such key \(did you mean retry\?\)/)
    })
  )

  it.effect("know no words of JavaScript's own for settings", () =>
    Effect.gen(function* () {
      for (const name of ["constructor", "toString", "__proto__"]) {
        const own = yield* report(`${deployment()}${name}: {}\n`)
        assert.include(own.join("\n"), `error ${name}: no such key`)
        const lines = yield* report(`model_list: []\n${name}: {}\n`)
        assert.include(lines, `config.yaml:2:1 warning ${name}: no such key: not read`)
      }
    })
  )

  it.effect("name a fallback that nobody knows although a deployment is wrong", () =>
    Effect.gen(function* () {
      const lines = yield* report(`${deployment("    rpm: -1\n")}fallback: {chains: {general: {g: [gg]}}}\n`)
      assert.match(
        lines[2] ?? "",
        /config\.yaml:7:35 error fallback\.chains\.general\.g\[0\]: .* found "gg" \(did you mean g\?\)/
      )
    })
  )

  it.effect("stand at the nearest line above where something is missing", () =>
    Effect.gen(function* () {
      const lines = yield* report("x-a: 1\ndeployments:\n  - id: a\n    model: m\n")
      assert.deepStrictEqual(lines.slice(1), [
        "config.yaml:3:5 error deployments[0].group: expected a value, found nothing"
      ])
    })
  )

  it.effect("warn of fallbacks that lead in a circle", () =>
    Effect.gen(function* () {
      const text = `${deployment()}  - {id: b, group: h, model: m}\nfallback:\n  chains:\n    general:\n      g: [h]\n      h: [g]\n`
      const { problems } = yield* loaded(text)
      assert.match(Problem.render(problems), /config\.yaml:10:7 warning fallback\.chains\.general\.g: .*g → h → g/)
    })
  )

  it.effect("refuse shapes that would otherwise go to the router unseen", () =>
    Effect.gen(function* () {
      for (const setting of ["strategy: 5", "defaultGroup: [a]", "aliases: text", "groupStrategies: 3", "keys: {}"]) {
        const lines = yield* report(`${deployment()}${setting}\n`)
        assert.strictEqual(lines.length, 2, setting)
        assert.match(lines[1] ?? "", /^config\.yaml:6:1 error /, setting)
      }
      assert.include((yield* report("deployments: [null, 3, {protocol: 1}]"))[1], "deployments[0]")
    })
  )

  it.effect("take an empty section for one that is left out, but not an empty key", () =>
    Effect.gen(function* () {
      yield* loaded(`${deployment()}retry:\nserver:\n`)
      assert.include((yield* report(`${deployment()}masterKey:\n`))[1], "config.yaml:6:1 error masterKey")
    })
  )
})

describe("secrets", () => {
  const odd = `${deployment("    apiKey: 12345\n    rpm: sk-hush-1\n    timeout: 0123456789abcdef0123456789abcdef\n    sk-hush-2: 1\n")}masterKey: [hush-3]
keys:
  - {name: x, key: hush-4, rpm: "Bearer hush-5"}
  - {name: y, token: hush-6}
sk-hush-7: true
prices: {m: https://user:hush-8@x.example}
`
  it.effect("never show in a report, wherever they stand", () =>
    Effect.gen(function* () {
      const text = (yield* report(odd)).join("\n")
      assert.isAbove(text.split("\n").length, 8)
      assert.notInclude(text, "hush")
      assert.notInclude(text, "0123456789abcdef")
      assert.notInclude(text, "12345")
    })
  )

  it.effect("of the environment never show either, though a setting repeats them", () =>
    Effect.gen(function* () {
      const env = { A: "held-value-a", B: `${"b".repeat(100)}1`, C: "held-value-c" }
      const lines = yield* report(
        `${deployment(`    rpm: os.environ/A\n    tpm: \${B}\n    priority: x\${C}y\n`)}strategy: os.environ/A\naliases: {q: '\${C}'}\n`,
        env
      )
      const text = lines.join("\n")
      assert.strictEqual(lines.length, 6)
      assert.notInclude(text, "held")
      assert.notInclude(text, "bbb")
      assert.include(lines[1], 'deployments[0].rpm: expected a whole number of at least 0, found "os.environ/A"')
    })
  )

  it.effect("are masked in what is displayed, by name and by look, and references stay", () =>
    Effect.gen(function* () {
      const { display } = yield* loaded(
        `${deployment(`    apiKey: os.environ/KEY\n    headers: {x-team: hush, x-env: '\${KEY}'}\n    defaults: {note: sk-hush, n: 1}\n`)}masterKey: \${M:-hush}\nkeys: [{name: x, key: hush-too, groups: [g]}]\nx-cache: {url: "redis://:hush@host:1/0?token=hush&a=b", password: 1234}\n`,
        { KEY: "very hush" }
      )
      assert.notInclude(JSON.stringify(display), "hush")
      assert.deepInclude(display, {
        deployments: [
          {
            id: "a",
            group: "g",
            model: "m",
            baseUrl: "https://a.example/v1",
            apiKey: "os.environ/KEY",
            headers: { "x-team": "<secret>", "x-env": `\${KEY}` },
            defaults: { note: "<secret>", n: 1 }
          }
        ],
        masterKey: `\${M:-<secret>}`,
        keys: [{ name: "x", key: "<secret>", groups: ["g"] }],
        "x-cache": { url: "redis://<secret>@host:1/0?token=<secret>&a=b", password: "<secret>" }
      })
    })
  )

  it.effect("come out redacted", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(
        `${deployment("    apiKey: hush\n")}masterKey: hush\nkeys: [{name: x, key: hush-too}]\n`
      )
      assert.notInclude(JSON.stringify(config), "hush")
      const { apiKey } = config.router.deployments[0] ?? {}
      assert.isTrue(Redacted.isRedacted(apiKey) && Redacted.value(apiKey) === "hush")
    })
  )
})

describe("the environment in a file", () => {
  it.effect("is put into strings at every depth, in lists too", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(
        `${deployment(`    tags: [os.environ/TAG, "x-\${TAG}-\${NONE:-d}", "$\${TAG}"]\n    defaults: {a: [{b: "\${TAG}"}]}\n`)}`,
        { TAG: "eu: [1]" }
      )
      assert.deepStrictEqual(config.router.deployments[0]?.tags, ["eu: [1]", "x-eu: [1]-d", `\${TAG}`])
      assert.deepStrictEqual(config.router.deployments[0]?.defaults, { a: [{ b: "eu: [1]" }] })
    })
  )

  it.effect("gives numbers and booleans where those are wanted, and digits stay text elsewhere", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(
        `${deployment(`    apiKey: os.environ/N\n    region: os.environ/N\n    rpm: os.environ/N\n    timeout: \${N}\n`)}server: {port: '\${P:-0}', metricsKey: os.environ/T}\nkeys: [{name: os.environ/N, key: '\${N}'}]\nretry: os.environ/OFF\n`,
        { N: "12345", T: "True", OFF: "false" }
      )
      const entry = config.router.deployments[0]
      assert.deepInclude(entry, { region: "12345", rpm: 12345, timeout: 12345 })
      assert.deepStrictEqual(config.server, { port: 0, metricsKey: true })
      assert.strictEqual(config.keys[0]?.name, "12345")
      assert.strictEqual(config.router.retry, false)
    })
  )

  it.effect("names each variable that is not set, beside what else is wrong", () =>
    Effect.gen(function* () {
      const lines = yield* report(
        `${deployment(`    apiKey: os.environ/KEY\n    rpm: \${RPM}\n    tags: [a, '\${X}-\${Y}']\n    wait: 1\n`)}`,
        { EMPTY: "" }
      )
      assert.deepStrictEqual(lines.slice(1), [
        "config.yaml:6:5 error deployments[0].apiKey: the environment variable KEY is not set",
        "config.yaml:7:5 error deployments[0].rpm: the environment variable RPM is not set",
        "config.yaml:8:15 error deployments[0].tags[1]: the environment variable X is not set",
        "config.yaml:8:15 error deployments[0].tags[1]: the environment variable Y is not set",
        "config.yaml:9:5 error deployments[0].wait: no such key"
      ])
    })
  )

  it.effect("may be unset for a check elsewhere: whatever a setting wants is there", () =>
    Effect.gen(function* () {
      const text = `${deployment(`    apiKey: os.environ/KEY\n    rpm: \${RPM}\n    timeout: \${T}\n`)}  - {id: b, group: g, model: m, baseUrl: '\${URL}'}
server: {metricsKey: os.environ/B}
strategy: os.environ/STRATEGY
masterKey: os.environ/M
`
      const { problems } = yield* loaded(text, {}, "note")
      assert.strictEqual(problems.length, 7)
      for (const { message, severity } of problems) {
        assert.strictEqual(severity, "note")
        assert.match(message, /^the environment variable [A-Z]+ is not set$/)
      }
    })
  )

  it.effect("takes an empty variable for a set one, except for a default", () =>
    Effect.gen(function* () {
      const lines = yield* report(`${deployment(`    region: \${E:-eu}\n    provider: \${E}\n`)}`, { E: "" })
      assert.deepStrictEqual(lines.slice(1), [
        `config.yaml:7:5 error deployments[0].provider: expected a string that is not empty, found "\${E}" (what the variable holds)`
      ])
    })
  )

  it.effect("is extended by the file's environment_variables, which beat the real ones", () =>
    Effect.gen(function* () {
      const { config, display } = yield* loaded(
        `environment_variables: {MODEL: m1, PORT: 8, REGION: os.environ/R}\n${deployment("    region: os.environ/REGION\n    provider: os.environ/MODEL\n    rpm: os.environ/PORT\n")}`,
        { MODEL: "m0", R: "eu" }
      )
      assert.deepInclude(config.router.deployments[0], { region: "eu", provider: "m1", rpm: 8 })
      assert.deepInclude(display, {
        environment_variables: { MODEL: "<secret>", PORT: "<secret>", REGION: "os.environ/R" }
      })
    })
  )
})

describe("included files", () => {
  it.effect("extend lists and replace everything else, and problems name the right file", () =>
    Effect.gen(function* () {
      const files = {
        "config.yaml": `include: [more.yaml]\n${deployment()}server: {port: 1}\n`,
        "more.yaml": "include: [third.yaml]\ndeployments:\n  - {id: b, group: g, model: m}\nserver: {host: h}\n"
      }
      const result = Either.getOrThrowWith(yield* loadFiles(files), ({ error }) => error)
      assert.deepStrictEqual(
        result.config.router.deployments.map(({ id }) => id),
        ["a", "b"]
      )
      assert.deepStrictEqual(result.config.server, { host: "h" })
      assert.strictEqual(result.files.length, 2)
      assert.match(
        Problem.render(result.problems),
        /config\.yaml:7:1 note server: replaced by the one in .*more\.yaml\n.*more\.yaml:1:1 warning include: .*no others/
      )
      const wrong = reportOf(
        yield* loadFiles({ ...files, "more.yaml": "deployments:\n  - {id: b, group: g, model: m, rpm: x}\n" })
      )
      assert.match(wrong[1] ?? "", /^more\.yaml:2:33 error deployments\[1\]\.rpm: /)
    })
  )

  it.effect("that are missing or broken fail with their own place", () =>
    Effect.gen(function* () {
      const include = `include:\n  - gone.yaml\n  - broken.yaml\n  - 5\n${deployment()}`
      assert.deepStrictEqual(reportOf(yield* loadFiles({ "config.yaml": include, "broken.yaml": "a: [\n" })).slice(1), [
        "config.yaml:2:5 error include[0]: no such file",
        "config.yaml:4:5 error include[2]: expected the name of a file",
        "broken.yaml:2:1 error Flow sequence in block collection must be sufficiently indented and end with a ]"
      ])
    })
  )
})

describe("keys from the environment", () => {
  it.effect("replace the file's of the same name, come after the others, and the master key wins", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded(
        `${deployment()}masterKey: old\nkeys: [{name: a, key: one, rpm: 1}, {name: b, key: two}]\n`,
        { SWITCHYARD_MASTER_KEY: "new", SWITCHYARD_KEYS: "a=three, c=four=" }
      )
      const plain = config.keys.map(({ key, name, rpm }) => [
        name,
        Redacted.isRedacted(key) ? Redacted.value(key) : "",
        rpm
      ])
      assert.deepStrictEqual(plain, [
        ["a", "three", undefined],
        ["b", "two", undefined],
        ["c", "four=", undefined]
      ])
      assert.strictEqual(config.masterKey === undefined ? "" : Redacted.value(config.masterKey), "new")
    })
  )

  it.effect("are refused when they are malformed, without being shown", () =>
    Effect.gen(function* () {
      for (const [keys, expected] of [
        ["hush", "SWITCHYARD_KEYS[0]: expected name=key"],
        ["[hush", "SWITCHYARD_KEYS: expected a JSON list"],
        ['[{"name": "a", "key": "hush", "rmp": "hush"}]', "SWITCHYARD_KEYS[0].rmp: no such key"],
        [" ", "SWITCHYARD_KEYS: expected keys"]
      ] as const) {
        const lines = yield* report(deployment(), { SWITCHYARD_KEYS: keys })
        assert.strictEqual(lines.length, 2)
        assert.include(lines[1], `error ${expected}`)
        assert.notInclude(lines[1], "hush")
      }
      assert.include(
        (yield* report(deployment(), { SWITCHYARD_ID_SECRET: "short" }))[1],
        "server.idSecret: expected a secret of at least 16 characters"
      )
      assert.include(
        (yield* report(deployment(), { SWITCHYARD_MASTER_KEY: "" }))[1],
        "SWITCHYARD_MASTER_KEY: expected a key"
      )
    })
  )
})

describe("a LiteLLM file", () => {
  const text = `model_list:
  - model_name: gpt
    litellm_params:
      model: openai/gpt-x
      api_key: os.environ/KEY
      rpm: os.environ/RPM
router_settings:
  num_retries: 2
  routing_strategy: least-busy
`

  it.effect("may have our settings beside its own: objects are merged, deployments come after its own", () =>
    Effect.gen(function* () {
      const own = `deployments: [{id: own, group: gpt, model: m}]\nretry: {baseDelay: 5}\n`
      const { config } = yield* loaded(text + own, { KEY: "12345", RPM: "7" })
      const { deployments, retry } = config.router
      assert.deepStrictEqual(
        deployments.map(({ group, rpm }) => [group, rpm]),
        [
          ["gpt", 7],
          ["gpt", undefined]
        ]
      )
      const { apiKey } = deployments[0] ?? {}
      assert.isTrue(Redacted.isRedacted(apiKey) && Redacted.value(apiKey) === "12345")
      assert.isTrue(typeof retry === "object" && retry.baseDelay === 5 && Object.keys(retry).length > 1)
    })
  )

  it.effect("has its problems in its own words and lines, ours among them", () =>
    Effect.gen(function* () {
      const lines = yield* report(
        `${text}  num_retris: 1\n  fallbacks: [{gpt: [gtp]}]\nmodle_list: []\ndeployments: [{id: own, group: g, model: m, rpm: x}]\nretry: {attempts: 0}\n`,
        { KEY: "hush-hush", RPM: "many" }
      )
      const paths = lines.slice(1).map((line) => line.split(" ").slice(0, 3).join(" "))
      assert.deepStrictEqual(paths, [
        "config.yaml:6:7 error model_list[0].litellm_params.rpm:",
        "config.yaml:10:3 warning router_settings.num_retris:",
        "config.yaml:11:22 warning router_settings.fallbacks[0].gpt[0]:",
        "config.yaml:12:1 warning modle_list:",
        "config.yaml:13:45 error deployments[0].rpm:",
        "config.yaml:14:1 warning retry:"
      ])
      assert.include(lines[2], "(did you mean num_retries?)")
      assert.include(lines[3], "(did you mean gpt?)")
      assert.include(lines[4], "(did you mean model_list?)")
      assert.notInclude(lines.join("\n"), "many")
    })
  )
})
