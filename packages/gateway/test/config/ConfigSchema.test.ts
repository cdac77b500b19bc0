import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigSchema from "@switchyard/gateway/ConfigSchema"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { Either } from "effect"
import { serverDefaults } from "../../src/config/serverSettings.js"

type Json = Readonly<Record<string, unknown>>

const at = (schema: unknown, ...path: ReadonlyArray<string>): Json =>
  path.reduce<Json>((value, key) => value[key] as Json, schema as Json)

const withoutDescriptions = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutDescriptions)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).filter(([key, inner]) => key !== "description" || typeof inner !== "string")
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutDescriptions(inner)]))
}

/** Every setting below a schema, by its path. */
const settingsOf = (schema: Json, path: string): ReadonlyArray<{ readonly path: string; readonly setting: Json }> => {
  const { additionalProperties, anyOf, items, properties } = schema as Record<string, unknown>
  const below = (inner: unknown, at: string) =>
    typeof inner === "object" && inner !== null ? settingsOf(inner as Json, at) : []
  return [
    ...Object.entries((properties ?? {}) as Record<string, Json>).flatMap(([key, setting]) => {
      const own = path === "" ? key : `${path}.${key}`
      return [{ path: own, setting }, ...settingsOf(setting, own)]
    }),
    ...below(additionalProperties, `${path}.*`),
    ...below(items, `${path}[]`),
    ...(Array.isArray(anyOf) ? anyOf.flatMap((member) => below(member, path)) : [])
  ]
}

describe("the JSON Schema", () => {
  const schema = ConfigSchema.make()
  const settings = settingsOf(schema, "").filter(
    ({ path }) => !LiteLlmConfig.topLevelKeys.some((key) => path.startsWith(key))
  )

  it("knows every setting of ours and every section of LiteLLM's, and nothing else", () => {
    const known = [...Object.keys(GatewayConfig.Settings.fields), ...LiteLlmConfig.topLevelKeys]
    assert.deepStrictEqual(Object.keys(at(schema, "properties")).sort(), [...new Set(known)].sort())
    assert.isFalse(schema["additionalProperties"])
  })

  it("lets a reference to the environment stand for a number, and keeps plain texts plain", () => {
    const deployment = at(schema, "properties", "deployments", "items", "properties")
    assert.deepStrictEqual(deployment["rpm"], {
      description: "Requests per 60 s. Unset: no limit.",
      anyOf: [{ type: "integer", minimum: 0 }, { $ref: "#/$defs/reference" }]
    })
    assert.deepStrictEqual(deployment["region"], {
      description: "Where it stands, for example `eu`; requests may demand one.",
      type: "string",
      minLength: 1
    })
    const { pattern } = at(schema, "$defs", "reference")
    const reference = new RegExp(String(pattern))
    for (const text of ["os.environ/RPM", `\${RPM}`, `\${RPM:-5}`]) assert.isTrue(reference.test(text), text)
    for (const text of ["5", "RPM", "$RPM", "os.environ/"]) assert.isFalse(reference.test(text), text)
  })

  it("says what a setting is for, and what it is when it is left out", () => {
    const port = at(schema, "properties", "server", "properties", "port")
    assert.strictEqual(port["description"], "Port; 0 takes a free one. Default 4,000.")
    assert.strictEqual(port["default"], serverDefaults.port)
    const ttl = settings.find(({ path }) => path === "cache.ttl")?.setting
    assert.strictEqual(ttl?.["default"], 300_000)
    assert.match(String(ttl?.["description"]), /Default 5 minutes\.$/)
  })

  it("describes every setting", () => {
    const undescribed = settings.filter(({ setting }) => typeof setting["description"] !== "string")
    assert.deepStrictEqual(
      undescribed.map(({ path }) => path),
      []
    )
  })

  it("has a default for every setting that has one, and never another one than its description says", () => {
    const constant = /^(none|from .* to .*|`[^`]*`|true|false|[\d.,]+( \w+)?)$/
    const wrong = settings.flatMap(({ path, setting }) => {
      const said = / Default (.+?)\.$/.exec(String(setting["description"]))?.[1]
      return said !== undefined && constant.test(said) && said !== "none" && !("default" in setting) ? [path] : []
    })
    assert.deepStrictEqual(wrong, [])
    assert.isAbove(settings.filter(({ setting }) => "default" in setting).length, 90)
  })

  it("takes its own defaults", () => {
    const tree: Record<string, unknown> = {}
    for (const { path, setting } of settings) {
      const [section, key, ...deeper] = path.split(".")
      if (
        section === undefined ||
        /[[*]/.test(section) ||
        key === undefined ||
        deeper.length > 0 ||
        !("default" in setting)
      )
        continue
      tree[section] = { ...(tree[section] as object | undefined), [key]: setting["default"] }
    }
    const decoded = GatewayConfig.decode({ deployments: [{ id: "a", group: "m", model: "m" }], ...tree })
    assert.deepStrictEqual(Either.isLeft(decoded) ? decoded.left.issues : [], [])
    assert.includeMembers(Object.keys(tree), ["server", "cooldown", "retry", "timeouts", "log", "metrics"])
  })

  it("is the one that is checked in, but for the descriptions", () => {
    const file = fileURLToPath(new URL("../../schema/switchyard.schema.json", import.meta.url))
    const kept: unknown = JSON.parse(readFileSync(file, "utf8"))
    assert.deepStrictEqual(withoutDescriptions(kept), withoutDescriptions(schema))
  })
})
