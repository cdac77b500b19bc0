import type { JsonObject } from "@switchyard/core/Json"

/** The schema of a tool without arguments. */
const none: JsonObject = { type: "object", properties: {} }

/** A tool's schema for those who refuse one that does not say that it is an object, as callers without one leave out. */
export const argumentsSchema = (schema: JsonObject | undefined): JsonObject => {
  if (schema === undefined) return none
  return schema.type === undefined ? { type: "object", ...schema } : schema
}
