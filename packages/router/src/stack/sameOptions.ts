import { Equal } from "effect"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isIn = (a: object, b: object): boolean =>
  Object.entries(a).every(([key, value]) => isSame(value, (b as Readonly<Record<string, unknown>>)[key]))

const isSame = (a: unknown, b: unknown): boolean => {
  if (Equal.equals(a, b)) return true
  if (!isRecord(a) || !isRecord(b) || Equal.isEqual(a) || Equal.isEqual(b)) return false
  return Array.isArray(a) === Array.isArray(b) && isIn(a, b) && isIn(b, a)
}

/** Whether two options say the same: absent is the same as empty, and as `undefined`. "1 second" and 1000 are not the same. */
export const sameOptions = (a: unknown, b: unknown): boolean => isSame(a ?? {}, b ?? {})
