/**
 * Gemini's fields in their two spellings: as JSON writes them (`inlineData`), and as its protocol buffers name them (`inline_data`).
 * Google takes both, and a single value where a list is meant.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { isGiven, others } from "../../parts/values.js"

const snakes = new Map<string, string>()

/** `inline_data` for `inlineData`. */
export const snakeOf = (camel: string): string => {
  let snake = snakes.get(camel)
  if (snake === undefined) {
    snake = ""
    for (const letter of camel) snake += letter >= "A" && letter <= "Z" ? `_${letter.toLowerCase()}` : letter
    snakes.set(camel, snake)
  }
  return snake
}

/** A field in either spelling; null counts as not given. */
export const field = (object: JsonObject, camel: string): unknown => {
  const value = object[camel]
  if (value !== undefined) return value ?? undefined
  return object[snakeOf(camel)] ?? undefined
}

/** The name by which an object has a field, or would get it. */
export const nameIn = (object: JsonObject, camel: string): string =>
  object[camel] === undefined && isGiven(object[snakeOf(camel)]) ? snakeOf(camel) : camel

/** A list; a single value is one of one. */
export const listOf = (value: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  return isGiven(value) ? [value] : []
}

/** The objects of a list. */
export const objectsOf = (value: unknown): ReadonlyArray<JsonObject> => {
  const list = listOf(value)
  return list.every(isJsonObject) ? list : list.filter(isJsonObject)
}

/** Fields by their camel case names, in both spellings. */
export const known = (...camels: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(camels.flatMap((camel) => [camel, snakeOf(camel)]))

/** An object under `extra` for whatever is left of one, nothing where nothing is. */
export const extraOf = (object: JsonObject, names: ReadonlySet<string>): { readonly extra?: JsonObject } => {
  const extra = others(object, names)
  return extra === undefined ? {} : { extra }
}

/** The field when it has a value, for spreading. */
export const given = <Name extends string, A>(name: Name, value: A | undefined): { readonly [name in Name]?: A } =>
  value === undefined ? {} : ({ [name]: value } as { readonly [name in Name]: A })
