/**
 * JSON schemas as Anthropic's structured output takes them: objects say that they are closed, and bounds that it refuses are told
 * in words. Requests of its own dialect are not touched.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** What structured output refuses in a schema. */
const refused: ReadonlySet<string> = new Set([
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties"
])

const isRefused = (name: string, value: unknown): boolean =>
  refused.has(name) || (name === "minItems" && value !== 0 && value !== 1)

/** Deeper schemas go out as they are. */
const deepest = 64

const eachOf = (value: unknown, depth: number): unknown => {
  if (!isJsonObject(value)) return value
  let changed: Record<string, unknown> | undefined
  for (const name in value) {
    const closed = closedIn(value[name], depth)
    if (closed === value[name]) continue
    changed ??= { ...value }
    changed[name] = closed
  }
  return changed ?? value
}

const listOf = (value: ReadonlyArray<unknown>, depth: number): ReadonlyArray<unknown> => {
  const closed = value.map((one) => closedIn(one, depth))
  return closed.every((one, at) => one === value[at]) ? value : closed
}

const closedIn = (value: unknown, depth: number): unknown =>
  isJsonObject(value) && depth < deepest ? closedAt(value, depth + 1) : value

const closedAt = (schema: JsonObject, depth: number): JsonObject => {
  let changed: Record<string, unknown> | undefined
  const set = (name: string, value: unknown): void => {
    changed ??= { ...schema }
    changed[name] = value
  }
  let told = ""
  for (const name in schema) {
    const value = schema[name]
    if (isRefused(name, value)) {
      changed ??= { ...schema }
      delete changed[name]
      told += `${told === "" ? "" : ", "}${name}: ${JSON.stringify(value)}`
      continue
    }
    const isMap = name === "properties" || name === "$defs" || name === "definitions"
    const isList = name === "anyOf" || name === "allOf" || name === "oneOf" || name === "prefixItems"
    const closed = isMap
      ? eachOf(value, depth)
      : isList && Array.isArray(value)
        ? listOf(value, depth)
        : name === "items"
          ? closedIn(value, depth)
          : value
    if (closed !== value) set(name, closed)
  }
  const isObject = schema.type === "object" || isJsonObject(schema.properties)
  if (isObject && schema.additionalProperties !== false) set("additionalProperties", false)
  if (told !== "") {
    set("description", typeof schema.description === "string" ? `${schema.description} (${told})` : `(${told})`)
  }
  return changed ?? schema
}

/** The same schema, closed; the same object where there is nothing to change. */
export const closed = (schema: JsonObject): JsonObject => closedAt(schema, 0)
