/**
 * What providers say about their limits in response headers: `retry-after`, OpenAI's `x-ratelimit-*` family (spoken by
 * most compatible providers) and Anthropic's `anthropic-ratelimit-*`. A pure reader; nonsense is ignored and counted.
 */
import type { Headers } from "./LlmResponse.js"

/** One limited quantity, as far as the provider told. */
export interface RateLimitWindow {
  /** The provider's limit per window. */
  readonly limit?: number
  /** What is left of it. */
  readonly remaining?: number
  /** Milliseconds until the window is whole again; 0 when that moment has passed. */
  readonly resetAfter?: number
}

/** Everything that the headers of one response said about limits. Keys are absent for what they did not say. */
export interface RateLimitHeaders {
  /** Milliseconds to wait before the next try; 0 when the moment that was named has passed. */
  readonly retryAfter?: number
  readonly requests?: RateLimitWindow
  readonly tokens?: RateLimitWindow
  /** Headers of these families whose values made no sense. */
  readonly ignored: number
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** Plain digits with an optional fraction: what `Number` takes besides (hex, exponents, blanks) is nonsense here. */
const decimal = /^\d+(?:\.\d+)?$/
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}
const isoDate = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})$/
const imfDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*, \d{2}[ -][A-Za-z]{3}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/
const asctimeDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Za-z]{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/

/** Seconds or milliseconds since 1970 are told from plain seconds by their size: no window lasts thirty years. */
const epochSecondsFrom = 1e9
const epochMillisFrom = 1e11

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined)

const readNumber = (value: string): number | undefined =>
  decimal.test(value) ? finite(Number.parseFloat(value)) : undefined

const until = (moment: number, wallNowMs: number): number | undefined =>
  Number.isNaN(moment) ? undefined : Math.max(0, moment - wallNowMs)

const readDate = (value: string, wallNowMs: number): number | undefined => {
  if (isoDate.test(value) || imfDate.test(value)) return until(Date.parse(value), wallNowMs)
  return asctimeDate.test(value) ? until(Date.parse(`${value} GMT`), wallNowMs) : undefined
}

/** Where the digits that begin at a place end. */
const afterDigits = (value: string, from: number): number => {
  let at = from
  for (let code = value.charCodeAt(at); code >= 48 && code <= 57; code = value.charCodeAt(at)) at++
  return at
}

/** Letter by letter: to match its parts by a regular expression is 2 µs and 900 bytes for each answer that tells of limits. */
const readGoDuration = (value: string): number | undefined => {
  if (value === "") return undefined
  let sum = 0
  for (let at = 0; at < value.length; ) {
    const whole = afterDigits(value, at)
    if (whole === at) return undefined
    const end = value[whole] === "." ? afterDigits(value, whole + 1) : whole
    if (value[end - 1] === ".") return undefined
    const two = unitMs[value.slice(end, end + 2)]
    const unit = two ?? unitMs[value.charAt(end)]
    if (unit === undefined) return undefined
    sum += Number(value.slice(at, end)) * unit
    at = end + (two === undefined || end + 1 === value.length ? 1 : 2)
  }
  return finite(sum)
}

/** Milliseconds until a reset: a duration (`6m0s`, `12ms`), seconds (`17.5`), a Unix time, or a date. */
const readReset = (value: string, wallNowMs: number): number | undefined => {
  const number = readNumber(value)
  if (number === undefined) return readGoDuration(value) ?? readDate(value, wallNowMs)
  if (number >= epochMillisFrom) return until(number, wallNowMs)
  return number >= epochSecondsFrom ? until(number * 1000, wallNowMs) : number * 1000
}

const readSeconds = (value: string, wallNowMs: number): number | undefined => {
  const seconds = readNumber(value)
  return seconds === undefined ? readDate(value, wallNowMs) : finite(seconds * 1000)
}

interface Names {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
}

const openAi = (of: string): Names => ({
  limit: `x-ratelimit-limit${of}`,
  remaining: `x-ratelimit-remaining${of}`,
  reset: `x-ratelimit-reset${of}`
})

const anthropic = (of: string): Names => ({
  limit: `anthropic-ratelimit-${of}-limit`,
  remaining: `anthropic-ratelimit-${of}-remaining`,
  reset: `anthropic-ratelimit-${of}-reset`
})

/** Families in the order in which they are believed: the first that says anything is the one. */
const requestNames: ReadonlyArray<Names> = [openAi("-requests"), anthropic("requests"), openAi("")]
const tokenNames: ReadonlyArray<Names> = [openAi("-tokens"), anthropic("tokens"), anthropic("input-tokens")]

interface Reader {
  readonly headers: Headers
  readonly wallNowMs: number
  ignored: number
}

const readWindow = (reader: Reader, names: Names): RateLimitWindow | undefined => {
  const { headers, wallNowMs } = reader
  const limit = headers[names.limit]
  const remaining = headers[names.remaining]
  const reset = headers[names.reset]
  if (limit === undefined && remaining === undefined && reset === undefined) return undefined
  const window: Mutable<RateLimitWindow> = {}
  let said = false
  const note = (key: keyof RateLimitWindow, value: number | undefined): void => {
    if (value === undefined) {
      reader.ignored++
      return
    }
    window[key] = value
    said = true
  }
  if (limit !== undefined) note("limit", readNumber(limit.trim()))
  if (remaining !== undefined) note("remaining", readNumber(remaining.trim()))
  if (reset !== undefined) note("resetAfter", readReset(reset.trim(), wallNowMs))
  return said ? window : undefined
}

const firstWindow = (reader: Reader, families: ReadonlyArray<Names>): RateLimitWindow | undefined => {
  for (const names of families) {
    const window = readWindow(reader, names)
    if (window !== undefined) return window
  }
  return undefined
}

const readRetryAfter = (reader: Reader): number | undefined => {
  const { headers, wallNowMs } = reader
  const milliseconds = headers["retry-after-ms"]
  if (milliseconds !== undefined) {
    const read = readNumber(milliseconds.trim())
    if (read !== undefined) return read
    reader.ignored++
  }
  const seconds = headers["retry-after"]
  if (seconds === undefined) return undefined
  const read = readSeconds(seconds.trim(), wallNowMs)
  if (read === undefined) reader.ignored++
  return read
}

/**
 * Reads the limits out of response headers (names in lower case). `wallNowMs` is wall time in milliseconds
 * (`Clock.currentTimeMillis`): dates in headers are relative to it. All results are milliseconds from now and never
 * negative; no bound is put on them here. `retry-after-ms` is believed before `retry-after`.
 */
export const parse = (headers: Headers, wallNowMs: number): RateLimitHeaders => {
  const reader: Reader = { headers, wallNowMs, ignored: 0 }
  const retryAfter = readRetryAfter(reader)
  const requests = firstWindow(reader, requestNames)
  const tokens = firstWindow(reader, tokenNames)
  const parsed: Mutable<RateLimitHeaders> = { ignored: reader.ignored }
  if (retryAfter !== undefined) parsed.retryAfter = retryAfter
  if (requests !== undefined) parsed.requests = requests
  if (tokens !== undefined) parsed.tokens = tokens
  return parsed
}
