import { assert, describe, it } from "@effect/vitest"
import * as Problem from "@switchyard/gateway/Problem"
import { Effect, Either } from "effect"
import { loadFiles } from "../support/configFiles.js"

const writer = `model_list:
  - model_name: writer
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-demo }
`

/** The writer, and an entry of each of these params: `g0`, `g1` and so on. */
const beside = (all: ReadonlyArray<string>, more = ""): string =>
  `${writer}${all.map((params, index) => `  - model_name: g${index}\n    litellm_params: { ${params} }\n`).join("")}${more}`

/** The groups that would be served, and what is said of the file. */
const readText = (text: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.map(loadFiles({ "config.yaml": text }, env), (read) => {
    const problems = Either.isRight(read) ? read.right.problems : read.left.error.problems
    return {
      groups: Either.isRight(read) ? read.right.config.router.deployments.map(({ group }) => group) : undefined,
      config: Either.isRight(read) ? read.right.config : undefined,
      errors: problems.filter(({ severity }) => severity === "error"),
      warnings: problems
        .filter(({ severity }) => severity === "warning")
        .map(({ message, path }) => `${path}: ${message}`)
    }
  })

const key = "model: openai/gpt-4o, api_key: sk-demo"

describe("one deployment with a mistake", () => {
  const mistakes: ReadonlyArray<readonly [name: string, params: string, at: string, expected: string]> = [
    ["a base URL that is none", `${key}, api_base: "acme host"`, "api_base", "expected an http or https URL"],
    ["a time with a unit", `${key}, timeout: "30s"`, "timeout", "expected a number of seconds above 0"],
    ["a limit that is no number", `${key}, rpm: lots`, "rpm", "expected a whole number of at least 0"],
    [
      "a budget below nothing",
      `${key}, max_budget: -3, budget_duration: 1d`,
      "max_budget",
      "expected a finite number of at least 0"
    ],
    ["no model", "api_key: sk-demo", "model", "expected provider/model"],
    [
      "a certificate that is a number",
      `${key}, ssl_verify: 3`,
      "ssl_verify",
      "expected true, false, or the path of a file of CA certificates"
    ]
  ]
  for (const [name, params, at, expected] of mistakes) {
    it.effect(`is left out, and all others are served: ${name}`, () =>
      Effect.gen(function* () {
        const { errors, groups, warnings } = yield* readText(beside([params, key]))
        assert.deepStrictEqual(groups, ["writer", "g1"])
        assert.deepStrictEqual(
          errors.map(({ leavesOut, message, path }) => [path, message, leavesOut]),
          [[`model_list[1].litellm_params.${at}`, expected, "model_list[1]"]]
        )
        assert.deepStrictEqual(warnings, [
          "model_list[1].model_name: the group has no deployment left, so nobody can ask for it"
        ])
      })
    )
  }

  it.effect("is said with its line, its value and what was expected, every one of a file at once", () =>
    Effect.gen(function* () {
      const { errors } = yield* readText(beside(mistakes.map(([, params]) => params)))
      assert.strictEqual(errors.length, mistakes.length)
      assert.deepInclude(errors[1], { line: 7, value: '"30s"' })
      assert.match(
        errors.map(Problem.renderOne)[1] ?? "",
        /config\.yaml:7:\d+ error model_list\[2\]\.litellm_params\.timeout: expected a number of seconds above 0, found "30s"; this deployment is left out$/
      )
    })
  )

  it.effect("a variable with a wrong value in it is such a mistake, and its value is not shown", () =>
    Effect.gen(function* () {
      const { errors, groups } = yield* readText(beside([`${key}, rpm: os.environ/ROOM`]), { ROOM: "plenty-of-it" })
      assert.deepStrictEqual(groups, ["writer"])
      assert.notInclude(errors.map(Problem.renderOne).join("\n"), "plenty")
    })
  )

  it.effect("an entry of another form is left out too, and a group keeps what is left of it", () =>
    Effect.gen(function* () {
      const { errors, groups, warnings } = yield* readText(
        `${writer}  - model_name: writer\n    litellm_params:\n    model: openai/gpt-4o\n  - just a text\n  - litellm_params: { ${key} }\n`
      )
      assert.deepStrictEqual(groups, ["writer"])
      assert.deepStrictEqual(
        errors.map(({ leavesOut }) => leavesOut),
        ["model_list[1]", "model_list[2]", "model_list[3]"]
      )
      assert.deepStrictEqual(warnings, [])
    })
  )

  it.effect("a mistake of a credential costs the deployments that name it, and is said where it stands", () =>
    Effect.gen(function* () {
      const named = "model: openai/gpt-4o, litellm_credential_name: acme"
      const { errors, groups } = yield* readText(
        beside(
          [named, key],
          'credential_list:\n  - credential_name: acme\n    credential_values: { api_base: "https//x", api_key: k }\n'
        )
      )
      assert.deepStrictEqual(groups, ["writer", "g1"])
      assert.match(
        errors.map(Problem.renderOne).join("\n"),
        /config\.yaml:10:\d+ error credential_list\[0\]\.credential_values\.api_base: expected an http or https URL, found "https\/\/x"; model_list\[1\] is left out$/
      )
    })
  )

  it.effect("fallbacks and aliases that only it would serve are left out with it", () =>
    Effect.gen(function* () {
      const { config, warnings } = yield* readText(
        beside(
          [`${key}, timeout: soon`, key],
          "router_settings:\n  fallbacks: [{ writer: [g0, g1] }]\n  model_group_alias: { quick: g0 }\n"
        )
      )
      assert.deepStrictEqual(config?.router.aliases, undefined)
      assert.strictEqual(warnings.filter((said) => said.includes("left out: its group has no deployment")).length, 2)
    })
  )

  it.effect("a wildcard that takes its requests then is named", () =>
    Effect.gen(function* () {
      const { warnings } = yield* readText(
        `${beside([`${key}, timeout: soon`])}  - model_name: "*"\n    litellm_params: { model: "openai/*", api_key: sk-demo }\n`
      )
      assert.deepStrictEqual(warnings, [
        "model_list[1].model_name: the group has no deployment left, so `*` takes the requests for it"
      ])
    })
  )
})

describe("what costs more than a deployment", () => {
  const refused = (name: string, text: string, path: string) =>
    it.effect(`${name} refuses the file`, () =>
      Effect.gen(function* () {
        const { errors, groups } = yield* readText(text)
        assert.isUndefined(groups)
        const fatal = errors.filter(Problem.isFatal)
        assert.deepStrictEqual(
          fatal.map((error) => error.path),
          [path]
        )
      })
    )

  refused(
    "no deployment that is left",
    `model_list:\n  - model_name: writer\n    litellm_params: { ${key}, timeout: soon }\n`,
    "model_list[0].litellm_params.timeout"
  )
  refused(
    "no model that is left",
    "model_list:\n  - model_name: writer\n    litellm_params: {}\n",
    "model_list[0].litellm_params.model"
  )
  refused(
    "a setting of the router's",
    beside([`${key}, rpm: x`], "router_settings: { num_retries: two }\n"),
    "router_settings.num_retries"
  )
  refused(
    "a budget of the proxy's",
    beside([], "litellm_settings: { max_budget: lots, budget_duration: 1d }\n"),
    "litellm_settings.max_budget"
  )
  refused(
    "a budget of a provider's",
    beside([], "router_settings:\n  provider_budget_config: { openai: { budget_limit: lots, time_period: 1d } }\n"),
    "router_settings.provider_budget_config.openai.budget_limit"
  )
  refused(
    "a master key that is not there",
    beside([], "general_settings: { master_key: os.environ/NOBODY }\n"),
    "general_settings.master_key"
  )
  refused(
    "a limit of a caller's",
    beside([`${key}, rpm: x`], "keys: [{ name: a, key: sk-caller-1234, rpm: -1 }]\n"),
    "keys[0].rpm"
  )
  refused(
    "a mistake in a deployment of our own format",
    beside([], "deployments: [{ id: own, group: g, model: m, rpm: x }]\n"),
    "deployments[0].rpm"
  )
  refused(
    "a default of all deployments",
    beside([key], "router_settings: { default_litellm_params: { timeout: soon } }\n"),
    "router_settings.default_litellm_params.timeout"
  )
})
