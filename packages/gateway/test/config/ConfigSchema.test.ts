import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigSchema from "@switchyard/gateway/ConfigSchema"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"

type Json = Readonly<Record<string, unknown>>

const at = (schema: unknown, ...path: ReadonlyArray<string>): Json =>
  path.reduce<Json>((value, key) => value[key] as Json, schema as Json)

const withoutDescriptions = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutDescriptions)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).filter(([key, inner]) => key !== "description" || typeof inner !== "string")
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutDescriptions(inner)]))
}

describe("the JSON Schema", () => {
  const schema = ConfigSchema.make()

  it("knows every setting of ours and every section of LiteLLM's, and nothing else", () => {
    const known = [...Object.keys(GatewayConfig.Settings.fields), ...LiteLlmConfig.topLevelKeys]
    assert.deepStrictEqual(Object.keys(at(schema, "properties")).sort(), [...new Set(known)].sort())
    assert.isFalse(schema["additionalProperties"])
  })

  it("lets a reference to the environment stand for a number, and keeps plain texts plain", () => {
    const deployment = at(schema, "properties", "deployments", "items", "properties")
    assert.deepStrictEqual(deployment["rpm"], {
      anyOf: [{ type: "integer", minimum: 0 }, { $ref: "#/$defs/reference" }]
    })
    assert.deepStrictEqual(deployment["region"], { type: "string", minLength: 1 })
    const { pattern } = at(schema, "$defs", "reference")
    const reference = new RegExp(String(pattern))
    for (const text of ["os.environ/RPM", `\${RPM}`, `\${RPM:-5}`]) assert.isTrue(reference.test(text), text)
    for (const text of ["5", "RPM", "$RPM", "os.environ/"]) assert.isFalse(reference.test(text), text)
  })

  it("says what a setting is for", () => {
    const described = ConfigSchema.make((path) => (path.join(".") === "server.port" ? "Where to listen." : undefined))
    assert.strictEqual(at(described, "properties", "server", "properties", "port")["description"], "Where to listen.")
  })

  it("is the one that is checked in, but for the descriptions", () => {
    const file = fileURLToPath(new URL("../../schema/switchyard.schema.json", import.meta.url))
    const kept: unknown = JSON.parse(readFileSync(file, "utf8"))
    assert.deepStrictEqual(withoutDescriptions(kept), withoutDescriptions(schema))
  })
})
