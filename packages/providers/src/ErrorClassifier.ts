/**
 * How upstream answers become reasons: the one place where a provider's status, code and text are read. Everything above
 * reads the resulting `LlmError` and never derives its meaning again.
 */
import { LlmError, type LlmErrorFields, type Reason } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { parse } from "@switchyard/core/RateLimitHeaders"
import { detailOf, type ErrorDetail } from "./internal/errorDetail.js"
import { type CodeRow, codeRows, inBand, providerRows, type TextRow, textRows } from "./internal/errorTables.js"
import { scrub } from "./internal/scrub.js"
import type { TransportError } from "./internal/transport.js"

/** Who answered, and what must not show in an error. */
export interface Upstream {
  /** The provider's label; some codes and texts are read by it. */
  readonly provider: string
  readonly deployment: string
  /** Credentials that were sent: cut out of everything that the provider said. */
  readonly secrets?: ReadonlyArray<string>
}

/** An answer that is an error. */
export interface ErrorAnswer extends Upstream {
  /** The HTTP status; 200 for an error inside a stream or a 200 answer. */
  readonly status: number
  /** Names in lower case. */
  readonly headers: Headers
  /** The body as text, or what could be read of it. */
  readonly body: string
  /** The body, where it was parsed already. */
  readonly json?: unknown
  /** Wall time in ms (`Clock.currentTimeMillis`): dates in `retry-after` are relative to it. */
  readonly wallNowMs: number
}

/** Characters of a provider's message that are kept. */
const maxMessage = 2000
/** Characters of a body that are read for a reason. */
const maxText = 16_384
const maxCode = 100

const parseJson = (body: string): unknown => {
  const first = body.trimStart()[0]
  if (first !== "{" && first !== "[") return undefined
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const byCode = (rows: ReadonlyArray<CodeRow>, status: number, codes: ReadonlyArray<string>): Reason | undefined => {
  for (const code of codes) {
    const row = rows.find((row) => row.at.includes(status) && row.codes.includes(code))
    if (row !== undefined) return row.reason
  }
  return undefined
}

const byText = (rows: ReadonlyArray<TextRow>, status: number, text: string): Reason | undefined =>
  text === ""
    ? undefined
    : rows.find((row) => row.at.includes(status) && row.texts.some((pattern) => pattern.test(text)))?.reason

const byStatus = (status: number, isJson: boolean): Reason => {
  switch (status) {
    case 401:
    case 403:
      return "Authentication"
    case 402:
      return "QuotaExhausted"
    case 404:
    case 410:
      return isJson ? "InvalidRequest" : "ModelNotFound"
    case 408:
    case 504:
      return "Timeout"
    case 409:
    case 425:
      return "Unavailable"
    case 429:
      return "RateLimited"
    default:
      return status >= 400 && status < 500 ? "InvalidRequest" : "Unavailable"
  }
}

/** Code first, then text, then the status alone; what only this provider says goes before what all say. */
const reasonOf = (provider: string, status: number, detail: ErrorDetail, isJson: boolean): Reason => {
  const own = providerRows[provider.toLowerCase()]
  const text = detail.text.slice(0, maxText)
  return (
    byCode(own?.codes ?? [], status, detail.codes) ??
    byText(own?.texts ?? [], status, text) ??
    byCode(codeRows, status, detail.codes) ??
    (knowsBetter(status, detail.codes) ? undefined : byText(textRows, status, text)) ??
    byStatus(status, isJson)
  )
}

/** Google says "exceeded your current quota" of a limit per minute too; its code says which one it is. */
const knowsBetter = (status: number, codes: ReadonlyArray<string>): boolean =>
  status === 429 && codes.includes("resource_exhausted")

/** What a body that is no JSON says: a page's title, or its text. */
const plainMessage = (body: string): string | undefined => {
  const said = body.trimStart().startsWith("<")
    ? /<title[^>]*>([^<]{1,300})/i.exec(body.slice(0, maxText))?.[1]
    : body.slice(0, maxText)
  return said === undefined || said.trim() === "" ? undefined : said.trim()
}

const described = (status: number): string =>
  status >= 300 && status < 400
    ? `the provider redirected (${status}), which is not followed`
    : status < 300
      ? "the provider answered with an error"
      : `the provider answered ${status}`

const upstreamFields = ({ deployment, provider }: Upstream) => ({ deployment, provider })

/**
 * The error that an answer means. Pure; never throws. The provider's message is kept up to 2,000 characters, without
 * anything that is or looks like a credential.
 */
export const classify = (answer: ErrorAnswer): LlmError => {
  const { body, headers, provider, secrets = [], wallNowMs } = answer
  const json = answer.json ?? parseJson(body)
  const detail = detailOf(json, headers["x-amzn-errortype"])
  const told = answer.status >= 300 ? answer.status : detail.status
  const reason = reasonOf(
    provider,
    told ?? inBand,
    json === undefined ? { ...detail, text: plainMessage(body) ?? "" } : detail,
    json !== undefined
  )
  const message = detail.message ?? (json === undefined ? plainMessage(body) : undefined)
  const retryAfter = parse(headers, wallNowMs).retryAfter ?? detail.retryAfter
  const fields: LlmErrorFields = {
    reason,
    description: described(answer.status),
    ...upstreamFields(answer),
    ...(told === undefined ? {} : { status: told }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(reason === "Timeout" ? { phase: "total", bound: "deployment" } : {}),
    ...(detail.code === undefined ? {} : { code: scrub(detail.code, secrets).slice(0, maxCode) }),
    ...(message === undefined
      ? {}
      : { providerMessage: scrub(message.slice(0, maxText), secrets).slice(0, maxMessage) })
  }
  return new LlmError(fields)
}

const transportFields: Readonly<Record<TransportError["kind"], Pick<LlmErrorFields, "reason" | "description">>> = {
  connect: { reason: "Unavailable", description: "no connection to the provider" },
  connectTimeout: { reason: "Timeout", description: "the provider took too long to connect" },
  reset: { reason: "Unavailable", description: "the connection to the provider broke" },
  dns: { reason: "Unavailable", description: "the provider's host name could not be resolved" },
  tls: { reason: "Unavailable", description: "no secure connection to the provider" },
  aborted: { reason: "Unavailable", description: "the transport was closed" },
  protocol: { reason: "MalformedResponse", description: "the provider's answer is no valid HTTP" }
}

/** The error that a failure of the network means. Pure. */
export const fromTransport = (error: TransportError, upstream: Upstream): LlmError =>
  new LlmError({
    ...transportFields[error.kind],
    ...upstreamFields(upstream),
    ...(error.kind === "connectTimeout" ? { phase: "connect" as const, bound: "deployment" as const } : {}),
    ...(error.code === undefined ? {} : { code: error.code })
  })

/** An answer that makes no sense: not JSON, cut short, or not what was asked for. Pure. */
export const malformed = (description: string, upstream: Upstream, code?: string): LlmError =>
  new LlmError({
    reason: "MalformedResponse",
    description,
    ...upstreamFields(upstream),
    ...(code === undefined ? {} : { code })
  })
