/**
 * JSON as the layers see it: payloads are kept whole, unknown fields included.
 */

/** A parsed JSON object of unknown shape, for example a provider's request or response body. */
export type JsonObject = { readonly [key: string]: unknown }

/** Whether a value is a plain JSON object (no array, no null), so that a field of unknown shape can be read safely. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value as an array, or an empty one: provider payloads may leave out, or spoil, any list. */
export const arrayOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
