/**
 * Where a deployment is asked, with which headers: worked out once per deployment, because it is the same every time.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import * as Secret from "@switchyard/core/Secret"
import { type TraceContext, toHeaders } from "@switchyard/core/TraceContext"
import { Redacted } from "effect"

/** What every request to a deployment shares. */
export interface Target {
  readonly origin: string
  /** Path and query for each operation; Azure's `api-version` stands in the base URL's query. */
  readonly paths: Readonly<Record<Operation, string>>
  readonly plain: OutgoingHeaders
  readonly stream: OutgoingHeaders
}

/** The headers of a request, and the credentials among them. */
export interface OutgoingHeaders {
  readonly headers: Readonly<Record<string, string>>
  readonly secrets: ReadonlyArray<string>
}

/** Why a deployment cannot be asked, in words. */
export interface TargetProblem {
  readonly problem: string
}

/** Headers that belong to one connection, that the transport makes, or that would change how the answer is read. */
const reserved: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

const headerName = /^[!#$%&'*+\-.^_`|~\w]+$/
const badValue = /[^\t\x20-\x7e\x80-\xff]/

/** Whether undici and fetch would take the header. */
const isSendable = (name: string, value: string): boolean => headerName.test(name) && !badValue.test(value)

/** A header's value, and the token in it. */
const inHeader = (value: string): ReadonlyArray<string> => {
  const token = /^(?:bearer|basic|token)\s+(.+)$/i.exec(value)?.[1]
  return token === undefined ? [value] : [value, token]
}

/** Works out a deployment's target. */
export const targetOf = (
  deployment: Deployment,
  baseUrls: Readonly<Record<string, string>>
): Target | TargetProblem => {
  const baseUrl = deployment.baseUrl ?? baseUrls[deployment.provider]
  if (baseUrl === undefined) return { problem: `no base URL is known for the provider ${deployment.provider}` }
  if (!URL.canParse(baseUrl)) return { problem: "the base URL is not a URL" }
  const url = new URL(baseUrl)
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": "switchyard"
  }
  const secrets: Array<string> = []
  if (deployment.apiKey !== undefined) {
    const key = Redacted.value(deployment.apiKey)
    if (badValue.test(key)) return { problem: "the key holds characters that no header may hold" }
    headers.authorization = `Bearer ${key}`
    secrets.push(key)
  }
  for (const [given, text] of Object.entries(deployment.headers)) {
    const name = given.toLowerCase()
    if (reserved.has(name)) continue
    const value = text.trim()
    if (!isSendable(name, value)) return { problem: `the header ${JSON.stringify(name)} cannot be sent` }
    headers[name] = value
    if (Secret.isSecretHeader(name) || (!Secret.isPlainHeader(name) && value.length >= 8))
      secrets.push(...inHeader(value))
  }
  secrets.push(...Secret.inUrl(baseUrl))
  if (headers.authorization === undefined && (url.username !== "" || url.password !== "")) {
    headers.authorization = Secret.basic(url)
    secrets.push(...inHeader(headers.authorization))
  }
  const base = url.pathname.replace(/\/+$/, "")
  return {
    origin: url.origin,
    paths: {
      chat: `${base}/chat/completions${url.search}`,
      completion: `${base}/completions${url.search}`,
      embeddings: `${base}/embeddings${url.search}`
    },
    plain: { headers: { ...headers, accept: "application/json" }, secrets },
    stream: { headers: { ...headers, accept: "text/event-stream" }, secrets }
  }
}

/**
 * The headers of one request; a place in a trace beats a `traceparent` of the caller's. Fails with the name of a header of
 * the caller's that cannot be sent.
 */
export const headersOf = (
  target: Target,
  request: LlmRequest,
  trace: TraceContext | undefined = request.trace
): OutgoingHeaders | { readonly bad: string } => {
  const shared = request.stream ? target.stream : target.plain
  const own = request.overrides.headers
  const traced = trace === undefined ? undefined : toHeaders(trace)
  if (own === undefined) {
    return traced === undefined ? shared : { headers: { ...shared.headers, ...traced }, secrets: shared.secrets }
  }
  const headers: Record<string, string> = { ...shared.headers }
  const brought: Array<string> = []
  for (const [given, value] of Object.entries(own)) {
    const name = given.toLowerCase()
    if (reserved.has(name)) continue
    if (!isSendable(name, value)) return { bad: name }
    headers[name] = value
    if (Secret.isSecretHeader(name)) brought.push(...inHeader(value))
  }
  const secrets = brought.length === 0 ? shared.secrets : [...brought, ...shared.secrets]
  return { headers: traced === undefined ? headers : { ...headers, ...traced }, secrets }
}
