import { isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** Fields below others: an object's fields stand beside those of the object above it, all else is replaced. */
export const lay = (below: JsonObject, above: JsonObject): Record<string, unknown> => {
  const merged: Record<string, unknown> = { ...below }
  for (const name in above) {
    const value = above[name]
    const under = merged[name]
    if (value === undefined) continue
    merged[name] = isJsonObject(value) && isJsonObject(under) ? lay(under, value) : value
  }
  return merged
}
