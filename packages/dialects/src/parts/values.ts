/**
 * Values of unknown shape, read with care: what is of another type than expected counts as not given.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** A string, the empty one too. */
export const asString = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** A string that says something. */
export const asText = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** A finite number. */
export const asNumber = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** Either of the two. */
export const asBoolean = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined)

/** An object, no list and no null. */
export const asObject = (value: unknown): JsonObject | undefined => (isJsonObject(value) ? value : undefined)

const nothing: JsonObject = {}

/** An object, or one without fields. */
export const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : nothing)

/** The strings of a list, or a bare string as a list of one; undefined where there is none. */
export const asStrings = (value: unknown): ReadonlyArray<string> | undefined => {
  if (typeof value === "string") return [value]
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : undefined
}

/** Neither left out nor null. */
export const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** The fields that are not among the known ones; undefined when there is none, so that most parts bear nothing. */
export const others = (object: JsonObject, known: ReadonlySet<string>): JsonObject | undefined => {
  let left: Record<string, unknown> | undefined
  for (const name in object) {
    if (known.has(name)) continue
    left ??= {}
    left[name] = object[name]
  }
  return left
}

/** JSON text as an object; undefined when it is none, or is broken. */
export const parsedObject = (text: string): JsonObject | undefined => {
  try {
    return asObject(JSON.parse(text))
  } catch {
    return undefined
  }
}
