/**
 * What a gateway without keys asks of a request: that it comes from this machine's own programs, and not from a page in a
 * browser that found its way to a local address (DNS rebinding).
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Refusal } from "./ErrorBody.js"

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

/** Why a request must not be served without a key; undefined when it may. */
export const check = ({ host, origin }: IncomingHttpHeaders): Refusal | undefined => {
  const named = host === undefined ? undefined : hostOf(host)
  if (named === undefined || !isLoopback(named)) return refusal("the Host header names no loopback address")
  if (origin === undefined) return undefined
  const from = originHost(origin)
  return from !== undefined && isLoopback(from) ? undefined : refusal("the Origin header names another site")
}
