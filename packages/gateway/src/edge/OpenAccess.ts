/**
 * What a gateway without keys asks of a request: that it comes from this machine's own programs, and not from a page in a
 * browser that found its way to a local address (DNS rebinding), nor from elsewhere through a proxy on this machine.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Refusal } from "../errors/ErrorBody.js"

/** Addresses that only this machine reaches. */
export const isLoopback = (host: string): boolean => {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase()
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name)
}

const hostOf = (authority: string): string | undefined => {
  const url = `http://${authority}`
  return URL.canParse(url) ? new URL(url).hostname : undefined
}

const originHost = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).hostname : undefined)

const refusal = (what: string): Refusal => ({
  status: 403,
  code: "loopback_only",
  message: `no key is configured, so only programs of this machine are served: ${what}`
})

/** What proxies, load balancers and content networks tell of whom they speak for; those of one name each. */
const relayed: ReadonlySet<string> = new Set([
  "forwarded",
  "forwarded-for",
  "via",
  "cdn-loop",
  "client-ip",
  "true-client-ip",
  "proxy-client-ip",
  "wl-proxy-client-ip",
  "fastly-client-ip",
  "fly-client-ip",
  "incap-client-ip",
  "ali-cdn-real-ip",
  "x-real-ip",
  "x-real-port",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-remote-ip",
  "x-remote-addr",
  "x-proxyuser-ip",
  "x-appengine-user-ip",
  "x-azure-clientip",
  "x-azure-socketip",
  "x-envoy-external-address",
  "x-original-host",
  "x-original-url",
  "x-original-forwarded-for",
  "x-rewrite-url",
  "x-arr-log-id",
  "x-amz-cf-id",
  "x-nginx-proxy",
  "x-nf-client-connection-ip",
  "x-vercel-id"
])

/** Names that begin so are a proxy's, whatever follows: `X-Forwarded-For`, `X-Forwarded-Host`, `CF-Connecting-IP` and their like. */
const isRelayed = (name: string): boolean =>
  relayed.has(name) || name.startsWith("x-forwarded") || name.startsWith("cf-") || name.startsWith("tailscale-")

/** The header by which a proxy shows itself; undefined in a request that came straight here, as far as anybody can tell. */
export const relayOf = (headers: IncomingHttpHeaders): string | undefined => {
  for (const name in headers) if (isRelayed(name)) return name
  return undefined
}

const reading: ReadonlySet<string | undefined> = new Set([undefined, "GET", "HEAD", "OPTIONS"])

/** Types of a body that a page may send anywhere without its browser asking first. */
const unasked: ReadonlySet<string> = new Set([
  "",
  "text/plain",
  "multipart/form-data",
  "application/x-www-form-urlencoded"
])

const typeOf = (contentType: string | undefined): string => (contentType?.split(";", 1)[0] ?? "").trim().toLowerCase()

/** What else is looked at. */
export interface Asked {
  readonly method?: string | undefined
  /** Origins whose pages the configuration lets in. */
  readonly isNamed?: ((origin: string) => boolean) | undefined
  /** Whether proxies may ask: for what probes are told, which spends nothing. Default false. */
  readonly mayBeRelayed?: boolean | undefined
}

/**
 * Why a request must not be served without a key; undefined when it may. A page of another local port may not send what its
 * browser sends unasked.
 */
export const check = (
  headers: IncomingHttpHeaders,
  { isNamed, mayBeRelayed, method }: Asked = {}
): Refusal | undefined => {
  const { host, origin } = headers
  const named = host === undefined ? undefined : hostOf(host)
  if (named === undefined || !isLoopback(named)) return refusal("the Host header names no loopback address")
  const relay = mayBeRelayed === true ? undefined : relayOf(headers)
  if (relay !== undefined) {
    return refusal(
      `the header ${relay} says that a proxy passes on somebody else's request; set a key (masterKey or keys)`
    )
  }
  if (origin === undefined || isNamed?.(origin) === true) return undefined
  const from = originHost(origin)
  if (from === undefined || !isLoopback(from)) return refusal("the Origin header names another site")
  const isOwn = origin.toLowerCase() === `http://${host}`.toLowerCase()
  return isOwn || reading.has(method) || !unasked.has(typeOf(headers["content-type"]))
    ? undefined
    : refusal("a page of another local address must send JSON, as application/json")
}
