/**
 * Where a deployment is asked, with which headers: worked out once per deployment, because it is the same every time.
 */
import { type Deployment, secretsOf } from "@switchyard/core/Deployment"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as Secret from "@switchyard/core/Secret"
import { type TraceContext, toHeaders } from "@switchyard/core/TraceContext"
import { Redacted } from "effect"
import type { Address, Cloud, Env, Protocol, TargetProblem } from "./protocol.js"

export type { TargetProblem } from "./protocol.js"

/** Names Anthropic's beta features. */
export const betaHeader = "anthropic-beta"

/** What every request to a deployment shares. */
export interface Target {
  readonly protocol: Protocol
  readonly origin: string
  /** Path and query of what is asked; undefined where the API has no such thing. */
  readonly path: Address["path"]
  /** Path and query of what lies below the API's own address; undefined where nothing does. */
  readonly at: Address["at"]
  readonly plain: OutgoingHeaders
  readonly stream: OutgoingHeaders
  /** Whose account asks, where there is no key. */
  readonly cloud: Cloud | undefined
}

/** The headers of a request, and the credentials among them. */
export interface OutgoingHeaders {
  readonly headers: Readonly<Record<string, string>>
  readonly secrets: ReadonlyArray<string>
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
  const token = /^(?:bearer|basic|token|zenapikey)\s+(.+)$/i.exec(value)?.[1]
  return token === undefined ? [value] : [value, token]
}

/** What every request bears: what it is, the API's own headers, the deployment's, and its key. */
const shared = (
  protocol: Protocol,
  deployment: Deployment,
  secrets: Array<string>
): Record<string, string> | string => {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": "switchyard",
    ...protocol.headers?.(deployment)
  }
  if (deployment.apiKey !== undefined) {
    const key = Redacted.value(deployment.apiKey)
    if (badValue.test(key)) return "the key holds characters that no header may hold"
    if (protocol.exchangesKey !== true) Object.assign(headers, protocol.key(key, deployment))
    secrets.push(key, ...(headers.authorization === undefined ? [] : inHeader(headers.authorization)))
  }
  for (const [given, text] of Object.entries(deployment.headers)) {
    const name = given.toLowerCase()
    if (reserved.has(name)) continue
    const value = text.trim()
    if (!isSendable(name, value)) return `the header ${JSON.stringify(name)} cannot be sent`
    headers[name] = value
    if (Secret.isSecretHeader(name) || (!Secret.isPlainHeader(name) && value.length >= 8))
      secrets.push(...inHeader(value))
  }
  return headers
}

const keyHeaders = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "ocp-apim-subscription-key"]

/** Who asks where there is no key: an account that is named, or that of the API's own cloud. */
const cloudOf = (
  protocol: Protocol,
  { apiKey, auth }: Deployment,
  headers: Readonly<Record<string, string>>
): Cloud | undefined => {
  const isShown = apiKey !== undefined && protocol.exchangesKey !== true
  if (isShown || keyHeaders.some((name) => headers[name] !== undefined)) return undefined
  if (auth !== undefined) return auth.cloud ?? protocol.cloud
  return protocol.needsAccount === true ? protocol.cloud : undefined
}

/** Works out a deployment's target. */
export const targetOf = (
  protocol: Protocol,
  deployment: Deployment,
  baseUrls: Readonly<Record<string, string>>,
  env: Env
): Target | TargetProblem => {
  const baseUrl = deployment.baseUrl ?? baseUrls[deployment.provider]
  const address = protocol.address(deployment, baseUrl, env)
  if ("problem" in address) return address
  const secrets: Array<string> = [...secretsOf(deployment.auth)]
  const headers = shared(protocol, deployment, secrets)
  if (typeof headers === "string") return { problem: headers }
  if (baseUrl !== undefined) {
    const url = new URL(baseUrl)
    secrets.push(...Secret.inUrl(baseUrl))
    if (headers.authorization === undefined && (url.username !== "" || url.password !== "")) {
      headers.authorization = Secret.basic(url)
      secrets.push(...inHeader(headers.authorization))
    }
  }
  return {
    protocol,
    origin: address.origin,
    path: address.path,
    at: address.at,
    plain: { headers: { ...headers, accept: "application/json" }, secrets },
    stream: { headers: { ...headers, accept: "text/event-stream" }, secrets },
    cloud: cloudOf(protocol, deployment, headers)
  }
}

/**
 * The headers of one request; a place in a trace beats a `traceparent` of the caller's. `betas` stands in place of the caller's own
 * names of Anthropic's beta features; undefined leaves them as they are. Fails with the name of a header of
 * the caller's that cannot be sent.
 */
export const headersOf = (
  target: Target,
  request: LlmRequest,
  trace: TraceContext | undefined = request.trace,
  betas?: string
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
    if (betas !== undefined && name.startsWith("anthropic-")) continue
    if (!isSendable(name, value)) return { bad: name }
    headers[name] = value
    if (Secret.isSecretHeader(name)) brought.push(...inHeader(value))
  }
  if (betas !== undefined && betas !== "") headers[betaHeader] = betas
  const secrets = brought.length === 0 ? shared.secrets : [...brought, ...shared.secrets]
  return { headers: traced === undefined ? headers : { ...headers, ...traced }, secrets }
}
