import { assert, describe, it } from "@effect/vitest"
import * as ConfigSchema from "@switchyard/gateway/ConfigSchema"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { Either } from "effect"

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const reference = "#/$defs/reference"

/** Whether the JSON Schema takes a value; a second opinion, which knows no more of the schema's words than it needs. */
const takes = (schema: unknown, value: unknown): boolean => {
  if (!isObject(schema)) return true
  const { anyOf, const: constant, enum: values, type } = schema
  if (schema["$ref"] === reference) return false
  if (Array.isArray(anyOf)) return anyOf.some((member) => takes(member, value))
  if (constant !== undefined) return constant === value
  if (Array.isArray(values)) return values.includes(value)
  if (type === "string") {
    const { maxLength = Number.POSITIVE_INFINITY, minLength = 0, pattern } = schema
    if (typeof value !== "string" || value.length < Number(minLength) || value.length > Number(maxLength)) return false
    return typeof pattern !== "string" || new RegExp(pattern).test(value)
  }
  if (type === "number" || type === "integer") {
    if (typeof value !== "number" || (type === "integer" && !Number.isInteger(value))) return false
    const { exclusiveMaximum, exclusiveMinimum, maximum, minimum } = schema as Readonly<Record<string, number>>
    return (
      value >= (minimum ?? -Infinity) &&
      value <= (maximum ?? Infinity) &&
      value > (exclusiveMinimum ?? -Infinity) &&
      value < (exclusiveMaximum ?? Infinity)
    )
  }
  if (type === "boolean") return typeof value === "boolean"
  if (type === "array") return Array.isArray(value) && value.every((item) => takes(schema["items"], item))
  if (type !== "object") return true
  if (!isObject(value)) return false
  const { additionalProperties, properties = {}, required = [] } = schema
  return (
    (required as ReadonlyArray<string>).every((key) => key in value) &&
    Object.entries(value).every(([key, inner]) => {
      const known = (properties as Json)[key]
      if (known !== undefined) return takes(known, inner)
      return additionalProperties === false ? false : takes(additionalProperties, inner)
    })
  )
}

/** A setting, and a configuration in which a value stands there. */
interface Place {
  readonly path: string
  readonly schema: Json
  readonly put: (value: unknown) => unknown
}

const branches = (schema: Json): ReadonlyArray<Json> =>
  Array.isArray(schema["anyOf"]) ? schema["anyOf"].filter(isObject).flatMap(branches) : [schema]

/** What an object needs beside the setting that is put into it. */
const needed = (schema: Json): Json =>
  "group" in ((schema["properties"] ?? {}) as Json) && "model" in ((schema["properties"] ?? {}) as Json)
    ? { id: "a", group: "m", model: "m" }
    : {}

const placesOf = ({ path, put, schema }: Place): ReadonlyArray<Place> => [
  { path, put, schema },
  ...branches(schema).flatMap((branch) => {
    const { additionalProperties, items, properties } = branch
    const rest = needed(branch)
    return [
      ...Object.entries((properties ?? {}) as Record<string, Json>).flatMap(([key, inner]) =>
        placesOf({
          path: path === "" ? key : `${path}.${key}`,
          schema: inner,
          put: (value) => put({ ...rest, [key]: value })
        })
      ),
      ...(isObject(additionalProperties)
        ? placesOf({ path: `${path}.some`, schema: additionalProperties, put: (value) => put({ some: value }) })
        : []),
      ...(isObject(items) ? placesOf({ path: `${path}[0]`, schema: items, put: (value) => put([value]) }) : [])
    ]
  })
]

const wrong: ReadonlyArray<unknown> = [
  5,
  -1,
  0.5,
  Number.NaN,
  "zz!",
  "",
  true,
  [],
  [[]],
  ["zz!", 5],
  {},
  { zz: 1 },
  { toString: "zz!" },
  [{}],
  [null]
]

const isNear = (told: string, path: string): boolean => told.startsWith(path) || path.startsWith(told)

describe("a setting of another kind than it should be", () => {
  const schema = ConfigSchema.make() as Json
  const places = placesOf({ path: "", schema, put: (value) => value }).filter(
    ({ path }) => path !== "" && !LiteLlmConfig.topLevelKeys.some((key) => path.startsWith(key))
  )

  it("is refused at its place, whichever setting it is and whatever stands there", () => {
    const missed: Array<string> = []
    let refused = 0
    for (const { path, put, schema: own } of places) {
      for (const value of wrong) {
        if (takes(own, value)) continue
        const tree = put(value) as Json
        const all = { deployments: [{ id: "a", group: "m", model: "m" }], ...tree }
        const decoded = GatewayConfig.decode(all)
        const paths = Either.isLeft(decoded) ? decoded.left.issues.map((issue) => issue.path) : []
        if (paths.some((told) => told !== "" && isNear(told, path))) refused++
        else
          missed.push(`${path} = ${JSON.stringify(value)}${paths.length === 0 ? "" : `: told at ${paths.join(", ")}`}`)
      }
    }
    assert.deepStrictEqual(missed, [])
    assert.isAbove(refused, 2_000)
  })
})
