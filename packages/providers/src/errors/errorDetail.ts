/**
 * Finds the codes, the message and the status in an error body, whatever shape the provider gave it.
 */
import { errorOf } from "@switchyard/core/AnswerFailure"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** What an error body says. */
export interface ErrorDetail {
  /** Every machine-readable code in it, the most specific first, in lower case. */
  readonly codes: ReadonlyArray<string>
  /** The first code as the provider wrote it. */
  readonly code: string | undefined
  /** The provider's own type of the error. */
  readonly type: string | undefined
  /** The field of the request that is said to be wrong. */
  readonly param: string | undefined
  /** The message for people. */
  readonly message: string | undefined
  /** The message, and whatever else may tell the reason. */
  readonly text: string
  /** A status that is told in the body alone. */
  readonly status: number | undefined
  /** The status of the model's own server, where the provider only passes that server's error on: it says more than the answer's. */
  readonly behind?: number | undefined
  /** Milliseconds, from Google's `RetryInfo`. */
  readonly retryAfter: number | undefined
}

const isStatus = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 400 && value <= 599

/** Some write the status of an error as text. */
const statusIn = (value: unknown): number | undefined =>
  isStatus(value) ? value : typeof value === "string" && /^[45]\d\d$/.test(value) ? Number(value) : undefined

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value.trim() : undefined

/** FastAPI's and Pydantic's lists of problems, as one line. */
const problems = (value: unknown): string | undefined => {
  const lines = arrayOf(value).flatMap((problem) => {
    if (!isJsonObject(problem)) return []
    const said = text(problem.msg) ?? text(problem.message)
    const where = arrayOf(problem.loc)
      .filter((step) => typeof step === "string" || typeof step === "number")
      .join(".")
    return said === undefined ? [] : [where === "" ? said : `${where}: ${said}`]
  })
  return lines.length === 0 ? undefined : lines.join("; ")
}

const messageIn = (holder: JsonObject): string | undefined => {
  const { detail, message } = holder
  return (
    text(message) ??
    text(holder.Message) ??
    (isJsonObject(message) ? (problems(message.detail) ?? text(message.detail)) : undefined) ??
    text(detail) ??
    problems(detail) ??
    problems(holder.errors) ??
    text(holder.error_description) ??
    text(holder.msg) ??
    text(holder.status_msg)
  )
}

const exceptionName = (value: unknown): string | undefined =>
  text(value)
    ?.split(/[:#]/)
    .find((part) => /\w/.test(part))

interface Google {
  readonly codes: ReadonlyArray<string>
  readonly retryAfter: number | undefined
}

/** Google's `details`: why, how long to wait, and whether it is the day's quota that is used up. */
const readGoogle = (error: JsonObject): Google => {
  const codes: Array<string> = []
  let retryAfter: number | undefined
  for (const detail of arrayOf(error.details)) {
    if (!isJsonObject(detail)) continue
    const reason = text(detail.reason)
    if (reason !== undefined) codes.push(reason)
    const delay = /^(\d+(?:\.\d+)?)s$/.exec(text(detail.retryDelay) ?? "")
    if (delay !== null) retryAfter = Number(delay[1]) * 1000
    for (const violation of arrayOf(detail.violations)) {
      if (isJsonObject(violation) && /PerDay/i.test(text(violation.quotaId) ?? "")) codes.push("quota_exceeded_per_day")
    }
  }
  return { codes, retryAfter }
}

/** The object that holds the error: wherever the answer has one, else the body itself. */
const holderOf = (body: JsonObject): JsonObject => {
  const found = typeof body.error === "string" ? undefined : errorOf(body)
  if (found !== undefined && found !== body) return found
  const first = arrayOf(body.errors).find((error) => isJsonObject(error))
  return isJsonObject(first) ? first : body
}

const nothing: ErrorDetail = {
  codes: [],
  code: undefined,
  type: undefined,
  param: undefined,
  message: undefined,
  text: "",
  status: undefined,
  retryAfter: undefined
}

const parsed = (said: string): unknown => {
  try {
    return JSON.parse(said)
  } catch {
    return undefined
  }
}

/** SageMaker answers 424 and quotes what its container said; undefined for every other error. */
const quoted = (body: JsonObject): ErrorDetail | undefined => {
  const said = text(body.OriginalMessage)
  const behind = statusIn(body.OriginalStatusCode)
  if (said === undefined || behind === undefined) return undefined
  const json = parsed(said)
  const detail = isJsonObject(json) ? detailOf(json) : nothing
  const message = detail.message ?? said
  return { ...detail, message, text: detail.text === "" ? message : detail.text, behind }
}

/** Reads an error body that was JSON. `exception` is the header that names AWS' exceptions. */
export const detailOf = (json: unknown, exception?: string): ErrorDetail => {
  const body = Array.isArray(json) ? json[0] : json
  if (!isJsonObject(body)) return nothing
  const original = quoted(body)
  if (original !== undefined) return original
  const error = holderOf(body)
  const inner = isJsonObject(error.innererror)
    ? error.innererror
    : isJsonObject(error.inner_error)
      ? error.inner_error
      : {}
  const metadata = isJsonObject(error.metadata) ? error.metadata : {}
  const google = readGoogle(error)
  const status = [error.code, error.status, error.status_code, body.code, body.status, body.status_code]
    .map(statusIn)
    .find(isStatus)
  const candidates = [
    inner.code,
    ...google.codes,
    error.code,
    error.type,
    error.status,
    error.status_code,
    body.code,
    body.type,
    body.error_type,
    exceptionName(body.__type),
    exceptionName(exception)
  ]
  const codes = candidates.flatMap((code) => {
    if (typeof code === "number") return isStatus(code) ? [] : [String(code)]
    const found = text(code)
    return found === undefined || found === "error" || /^[45]\d\d$/.test(found) ? [] : [found]
  })
  const message = messageIn(error) ?? text(body.error) ?? messageIn(body)
  return {
    codes: codes.map((code) => code.toLowerCase()),
    code: codes[0],
    type: text(error.type),
    param: text(error.param) ?? text(body.param),
    message,
    text: [message, text(body.error), text(metadata.raw)].filter((part) => part !== undefined).join(" "),
    status,
    retryAfter: google.retryAfter
  }
}
