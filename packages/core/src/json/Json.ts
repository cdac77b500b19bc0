/**
 * JSON as the layers see it: payloads are kept whole, unknown fields included.
 */

/** A parsed JSON object of unknown shape, for example a provider's request or response body. */
export type JsonObject = { readonly [key: string]: unknown }

/** Whether a value is a plain JSON object (no array, no null), so that a field of unknown shape can be read safely. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether objects and lists nest deeper than `max`; walks without recursion, and stops at the first that does. */
export const isDeeper = (root: unknown, max: number): boolean => {
  let level: Array<object> = typeof root === "object" && root !== null ? [root] : []
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > max) return true
    const next: Array<object> = []
    for (const parent of level) {
      if (Array.isArray(parent)) {
        for (const child of parent) if (typeof child === "object" && child !== null) next.push(child)
      } else {
        for (const key in parent) {
          const child = (parent as JsonObject)[key]
          if (typeof child === "object" && child !== null) next.push(child)
        }
      }
    }
    level = next
  }
  return false
}

/** The value as an array, or an empty one: provider payloads may leave out, or spoil, any list. */
export const arrayOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
