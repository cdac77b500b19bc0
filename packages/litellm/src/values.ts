/** Any map of the file. */
export type Tree = Readonly<Record<string, unknown>>

/** A value and where it stands in the file. */
export interface Given {
  readonly value: unknown
  readonly path: string
}

/** A reference to variables that are not set. */
interface UnsetReference {
  readonly names: ReadonlyArray<string>
  /** Whether a value stands in, for a check elsewhere; without one it is null. */
  readonly hasStandIn: boolean
}

/** References to variables that are not set, by their paths in the file. */
export type UnsetVariables = ReadonlyMap<string, UnsetReference>

export const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What says nothing: YAML's `key:` without a value is as good as no key. */
export const isUnset = (value: unknown): value is undefined | null => value === undefined || value === null

/** A list that is empty counts as unset, as LiteLLM has it. */
export const isUnsetList = (value: unknown): boolean => isUnset(value) || (Array.isArray(value) && value.length === 0)

/** What asks for nothing. */
export const isOff = (value: unknown): boolean =>
  isUnsetList(value) || value === false || value === "" || (isTree(value) && Object.keys(value).length === 0)

const numeral = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** A number, also of a string, as variables of the environment give; anything else as it is, for the decoder to refuse. */
export const toNumber = (value: unknown): unknown =>
  typeof value === "string" && numeral.test(value.trim()) ? Number(value) : value

/** A number times a factor, without the dust of floating point; anything else as it is. */
export const scaled = (value: unknown, factor: number): unknown => {
  const number = toNumber(value)
  return typeof number === "number" && Number.isFinite(number) ? Number((number * factor).toPrecision(12)) : number
}

/** Seconds as ms. */
export const seconds = (value: unknown): unknown => scaled(value, 1000)

/** Whether a setting is a number that can bound anything. */
export const isAboveZero = (value: unknown): value is number => typeof value === "number" && value > 0

/** USD per token as USD per million tokens. */
export const perMillion = (value: unknown): unknown => scaled(value, 1e6)

/** One attempt more than retries; what is no count stays as it is. */
export const attempts = (value: unknown): unknown => {
  const retries = toNumber(value)
  return typeof retries === "number" && retries >= 0 ? retries + 1 : retries
}

/** Whether a switch is on; the environment says it in words. */
export const isOn = (value: unknown): boolean =>
  value === true || (typeof value === "string" && value.trim().toLowerCase() === "true")

/** Whether a switch is expressly off. */
export const isExpresslyOff = (value: unknown): boolean =>
  value === false || (typeof value === "string" && value.trim().toLowerCase() === "false")

/** A list, also of a single value. */
export const toList = (value: unknown): ReadonlyArray<unknown> =>
  isUnset(value) ? [] : Array.isArray(value) ? value : [value]

/** A single value as text; undefined for maps and lists, whose texts a file could give a meaning of their own. */
export const asWords = (value: unknown): string | undefined =>
  isUnset(value) || typeof value === "object" ? undefined : String(value)

/** A single value as text; anything else as it is, for the decoder to refuse. */
export const toWords = (value: unknown): unknown => asWords(value) ?? value

export const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  mo: 2_592_000_000
}

/** A length of time as budgets write it, `30s` to `1mo` (30 days), in ms; anything else as it is. */
export const period = (value: unknown): unknown => {
  const found = typeof value === "string" ? /^(\d+)(s|mo|m|h|d|w)$/.exec(value.trim()) : null
  const unit = units[found?.[2] ?? ""]
  return unit === undefined ? value : Number(found?.[1]) * unit
}

/** A value below another: `a.b[0].c`. */
export const below = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`
