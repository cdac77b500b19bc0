/**
 * How upstream answers become reasons: the one place where a provider's status, code and text are read. Everything above
 * reads the resulting `LlmError` and never derives its meaning again.
 */
import { LlmError, type LlmErrorFields, type Reason } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { parse } from "@switchyard/core/RateLimitHeaders"
import { Scrubber } from "@switchyard/core/Secret"
import type { TransportError } from "../transport/wire.js"
import { detailOf, type ErrorDetail } from "./errorDetail.js"
import { type CodeRow, codeRows, inBand, outageRows, providerRows, type TextRow, textRows } from "./errorTables.js"
import { type Asked, missing, saysModelIsGone } from "./notFound.js"

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
  /** The request that it answers: a "not found" may speak of something that only this request asked for. */
  readonly asked?: Asked
  /** Ms from the request to this answer: a proxy's quick 504 is no silence. */
  readonly elapsedMs?: number
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

/** A reason, and what else decides where to go next. */
type Verdict = Pick<LlmErrorFields, "reason" | "blames" | "elsewhere">

/** Letters and digits alone: `InternalServerError` and `internal_server_error` are one code. */
const bare = (code: string): string => code.toLowerCase().replace(/[^a-z0-9]/g, "")

const bareRows = (rows: ReadonlyArray<CodeRow> = []): ReadonlyArray<CodeRow> =>
  rows.map((row) => ({ ...row, codes: row.codes.map(bare) }))

const commonCodes = bareRows(codeRows)
const outageCodes = bareRows(outageRows)
const providerCodes = new Map(Object.entries(providerRows).map(([name, { codes }]) => [name, bareRows(codes)]))

const byCode = (rows: ReadonlyArray<CodeRow>, status: number, codes: ReadonlyArray<string>): Reason | undefined => {
  for (const code of codes) {
    const row = rows.find((row) => row.at.includes(status) && row.codes.includes(bare(code)))
    if (row !== undefined) return row.reason
  }
  return undefined
}

const byText = (rows: ReadonlyArray<TextRow>, status: number, text: string): Reason | undefined =>
  text === ""
    ? undefined
    : rows.find((row) => row.at.includes(status) && row.texts.some((pattern) => pattern.test(text)))?.reason

/** On a call that asks a model, these speak of the deployment, unless the provider names what else is missing. */
const notFound = (detail: ErrorDetail, asked: Asked | undefined): Verdict => {
  switch (missing(detail, asked)) {
    case "id":
      return { reason: "InvalidRequest" }
    case "feature":
      return { reason: "Unavailable", blames: "request" }
    case "model":
      return { reason: "ModelNotFound", blames: "deployment" }
    case "unknown":
      return { reason: "ModelNotFound" }
  }
}

const byStatus = (status: number, detail: ErrorDetail, isJson: boolean, asked: Asked | undefined): Verdict => {
  switch (status) {
    case 401:
    case 403:
      return { reason: "Authentication" }
    case 402:
      return { reason: "QuotaExhausted" }
    case 404:
    case 405:
    case 410:
      return notFound(detail, asked)
    case 408:
    case 504:
      return { reason: "Timeout" }
    case 409:
    case 425:
      return { reason: "Unavailable" }
    case 407:
    case 421:
    case 424:
    case 426:
    case 499:
      return { reason: "Unavailable", elsewhere: true }
    case 413:
      return isJson ? { reason: "InvalidRequest" } : { reason: "Unavailable", elsewhere: true }
    case 429:
      return { reason: "RateLimited" }
    default:
      if (status < 400 || status >= 500) return { reason: "Unavailable" }
      return saysModelIsGone(detail) ? { reason: "ModelNotFound", blames: "deployment" } : { reason: "InvalidRequest" }
  }
}

/** Where to go with a reason that a code or a text gave. */
const verdictOf = (reason: Reason): Verdict =>
  reason === "ModelNotFound" ? { reason, blames: "deployment" } : { reason }

/** Code first, then text, then the status alone; what only this provider says goes before what all say. */
const judge = (answer: ErrorAnswer, status: number, detail: ErrorDetail, isJson: boolean): Verdict => {
  const provider = answer.provider.toLowerCase()
  const text = detail.text.slice(0, maxText)
  const reason =
    byCode(providerCodes.get(provider) ?? [], status, detail.codes) ??
    byText(providerRows[provider]?.texts ?? [], status, text) ??
    byCode(commonCodes, status, detail.codes) ??
    (knowsBetter(status, detail.codes) ? undefined : byText(textRows, status, text)) ??
    byCode(outageCodes, status, detail.codes)
  return reason === undefined ? byStatus(status, { ...detail, text }, isJson, answer.asked) : verdictOf(reason)
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
  const { body, headers, secrets = [], wallNowMs } = answer
  const json = answer.json ?? parseJson(body)
  const detail = detailOf(json, headers["x-amzn-errortype"])
  const told = detail.behind ?? (answer.status >= 300 ? answer.status : detail.status)
  const verdict = judge(
    answer,
    told ?? inBand,
    json === undefined ? { ...detail, text: plainMessage(body) ?? "" } : detail,
    json !== undefined
  )
  const message = detail.message ?? (json === undefined ? plainMessage(body) : undefined)
  const scrubber = new Scrubber(secrets)
  const kept = (word: string): string => scrubber.text(word, maxCode)
  const retryAfter = parse(headers, wallNowMs).retryAfter ?? detail.retryAfter
  const fields: LlmErrorFields = {
    ...verdict,
    description: described(answer.status),
    ...upstreamFields(answer),
    ...(told === undefined ? {} : { status: told }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(verdict.reason === "Timeout"
      ? {
          phase: "total",
          bound: "deployment",
          ...(answer.elapsedMs === undefined ? {} : { elapsed: answer.elapsedMs })
        }
      : {}),
    ...(detail.code === undefined ? {} : { code: kept(detail.code) }),
    ...(detail.type === undefined ? {} : { type: kept(detail.type) }),
    ...(detail.param === undefined ? {} : { param: kept(detail.param) }),
    ...(message === undefined
      ? {}
      : { providerMessage: scrubber.clean(message.slice(0, maxText)).slice(0, maxMessage) })
  }
  return new LlmError(fields)
}

const transportFields: Readonly<Record<TransportError["kind"], Pick<LlmErrorFields, "reason" | "description">>> = {
  connect: { reason: "Unavailable", description: "no connection to the provider" },
  connectTimeout: { reason: "Timeout", description: "the provider took too long to connect" },
  noConnection: { reason: "Rejected", description: "all connections to the provider's host are in use" },
  reset: { reason: "Unavailable", description: "the connection to the provider broke" },
  dns: { reason: "Unavailable", description: "the provider's host name could not be resolved" },
  tls: { reason: "Unavailable", description: "no secure connection to the provider" },
  aborted: { reason: "Unavailable", description: "the transport was closed" },
  protocol: { reason: "MalformedResponse", description: "the provider's answer is no valid HTTP" }
}

/** What is wrong with a certificate, by the code of OpenSSL or Node; of the others the code says most. */
const tlsReasons: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "a certificate of its chain is self-signed and not trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the issuer of its certificate is not known here",
  UNABLE_TO_GET_ISSUER_CERT: "the issuer of its certificate is not known here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the issuer of its certificate is not known here",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_REVOKED: "its certificate was revoked",
  CERT_UNTRUSTED: "its certificate is not trusted here",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  HOSTNAME_MISMATCH: "its certificate is for another host",
  CA_FILE: "the file of CA certificates cannot be read"
}

const tlsDescription = ({ code }: TransportError): string => {
  const { description } = transportFields.tls
  if (code === undefined) return description
  const reason = Object.hasOwn(tlsReasons, code) ? tlsReasons[code] : undefined
  return reason === undefined ? `${description} (${code})` : `${description}: ${reason} (${code})`
}

/** Failures of a connection that never stood. */
const unsent: ReadonlySet<TransportError["kind"]> = new Set(["connect", "connectTimeout", "dns", "tls"])

const isNone = ({ code, kind }: TransportError): boolean =>
  kind === "noConnection" && code !== undefined && code !== "no_connection"

/** The error that a failure of the network means. Pure. */
export const fromTransport = (error: TransportError, upstream: Upstream): LlmError =>
  new LlmError({
    ...transportFields[error.kind],
    ...(error.kind === "tls" ? { description: tlsDescription(error) } : {}),
    ...(isNone(error) ? { description: `this process may open no more connections (${error.code})` } : {}),
    ...upstreamFields(upstream),
    ...(unsent.has(error.kind) ? { unsent: true } : {}),
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
