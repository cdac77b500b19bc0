/**
 * Pages of other origins: which may call the gateway, and what their browsers are told. Off unless the configuration names
 * origins; without them no browser lets such a page read an answer.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { originOf } from "@switchyard/core/Origin"
import { exposed } from "./RoutingHeaders.js"

/** What the configuration says: `*` for pages of any origin, or the origins themselves. */
export type Setting = string | ReadonlyArray<string>

/** The pages that may call. */
export interface Cors {
  /** Whether a page of this origin is named; that any page may call names none. */
  readonly names: (origin: string) => boolean
  /** Adds what a browser wants to read to the answer that will come; true when this was all it asked for. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** Seconds that a browser may remember a permission; none takes more. */
const maxAge = "7200"

const usualHeaders =
  "authorization, content-type, x-api-key, api-key, x-goog-api-key, x-goog-api-client, x-litellm-api-key, " +
  "ocp-apim-subscription-key, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access, openai-beta, " +
  "idempotency-key, x-request-id"

const isHeaderList = (value: string | undefined): value is string =>
  value !== undefined && value.length <= 4096 && /^[\w!#$%&'*+.^`|~, -]+$/.test(value)

/** The rules of a setting; undefined where there is none. */
export const make = (setting: Setting | undefined): Cors | undefined => {
  const listed = typeof setting === "string" ? [setting] : (setting ?? [])
  if (listed.length === 0) return undefined
  const isAny = listed.includes("*")
  const origins = new Set(listed.map(originOf))
  const names = (origin: string): boolean => origins.has(origin)

  const allowed = (request: IncomingMessage): string | undefined => {
    const { origin } = request.headers
    if (origin === undefined) return undefined
    return names(origin) ? origin : isAny ? "*" : undefined
  }

  return {
    names,
    answer: (request, response) => {
      // Whoever runs the gateway uses its own dashboard, which is of its own origin.
      if (request.url?.startsWith("/admin") === true) return false
      const origin = allowed(request)
      if (!isAny) response.setHeader("vary", "origin")
      if (origin === undefined) return false
      response.setHeader("access-control-allow-origin", origin)
      const { headers, method } = request
      if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) {
        response.setHeader("access-control-expose-headers", exposed)
        return false
      }
      const wanted = headers["access-control-request-headers"]
      response.setHeader("access-control-allow-methods", "GET, HEAD, POST, DELETE")
      response.setHeader("access-control-allow-headers", isHeaderList(wanted) ? wanted : usualHeaders)
      response.setHeader("access-control-max-age", maxAge)
      if (headers["access-control-request-private-network"] === "true") {
        response.setHeader("access-control-allow-private-network", "true")
      }
      response.writeHead(204)
      response.end()
      return true
    }
  }
}
