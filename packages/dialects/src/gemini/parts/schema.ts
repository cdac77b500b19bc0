/**
 * Gemini's own schemas (`parameters`, `responseSchema`: a part of OpenAPI 3.0 with types in capitals) as JSON schemas. JSON schemas
 * go the other way as they are: `parametersJsonSchema` and `responseJsonSchema` take them.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** Schemas as they came, by what was made of them: whoever writes for Gemini again says it in the same words. */
const origins = new WeakMap<JsonObject, JsonObject>()

/** Deeper ones are cut: a schema is read by recursion. */
const deepest = 64

const renamed: Readonly<Record<string, string>> = {
  any_of: "anyOf",
  one_of: "oneOf",
  min_items: "minItems",
  max_items: "maxItems",
  min_length: "minLength",
  max_length: "maxLength",
  min_properties: "minProperties",
  max_properties: "maxProperties",
  additional_properties: "additionalProperties",
  prefix_items: "prefixItems",
  defs: "$defs",
  ref: "$ref"
}
const counts: ReadonlySet<string> = new Set([
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "minProperties",
  "maxProperties"
])
/** What JSON schemas do not have; `nullable` becomes a type. */
const own: ReadonlySet<string> = new Set(["nullable", "propertyOrdering", "property_ordering", "example"])

const typeOf = (type: unknown): unknown => {
  if (typeof type === "string") return type === "TYPE_UNSPECIFIED" ? undefined : type.toLowerCase()
  return Array.isArray(type) ? type.map(typeOf) : type
}

const properties = (value: unknown, depth: number): unknown => {
  if (!isJsonObject(value)) return value
  const read: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const name in value) read[name] = schemaOf(value[name], depth)
  return { ...read }
}

const schemaOf = (value: unknown, depth: number): unknown => {
  if (!isJsonObject(value)) return value
  if (depth > deepest) return {}
  const read: Record<string, unknown> = {}
  for (const said in value) {
    if (own.has(said)) continue
    const name = renamed[said] ?? said
    const inner = value[said]
    if (name === "type") {
      const type = typeOf(inner)
      if (type !== undefined) read.type = type
    } else if (name === "properties" || name === "$defs") read[name] = properties(inner, depth + 1)
    else if (name === "items" || name === "additionalProperties") read[name] = schemaOf(inner, depth + 1)
    else if (name === "anyOf" || name === "oneOf" || name === "prefixItems") {
      read[name] = Array.isArray(inner) ? inner.map((one) => schemaOf(one, depth + 1)) : inner
    } else if (counts.has(name) && typeof inner === "string" && inner !== "" && Number.isInteger(Number(inner))) {
      read[name] = Number(inner)
    } else if (name !== "format" || inner !== "enum") read[name] = inner
  }
  return value.nullable === true ? nullable(read) : read
}

const nullable = (schema: Record<string, unknown>): Record<string, unknown> => {
  if (typeof schema.type === "string") {
    const values = Array.isArray(schema.enum) ? { enum: [...(schema.enum as ReadonlyArray<unknown>), null] } : {}
    return { ...schema, type: [schema.type, "null"], ...values }
  }
  if (!Array.isArray(schema.anyOf)) return schema
  return { ...schema, anyOf: [...(schema.anyOf as ReadonlyArray<unknown>), { type: "null" }] }
}

/** A schema of Gemini's as a JSON schema. */
export const jsonSchemaOf = (schema: JsonObject): JsonObject => {
  const read = schemaOf(schema, 0) as JsonObject
  origins.set(read, schema)
  return read
}

/** The schema of Gemini's that a JSON schema was made of; undefined for all others. */
export const originOf = (schema: JsonObject): JsonObject | undefined => origins.get(schema)
