import type { IncomingMessage } from "node:http"

/** A part of a path as the text that it stands for; undefined when it stands for none. */
export const decodePart = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const withoutQuery = (url: string): string => {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

/** The path of a URL: slashes that somebody doubled or left at the end, joining it to a base, mean nothing. */
export const pathOf = (url: string): string => {
  const path = withoutQuery(url)
  const single = path.includes("//") ? path.replace(/\/{2,}/g, "/") : path
  return single.length > 1 && single.endsWith("/") ? single.slice(0, -1) : single
}

/** The query of a URL. */
export const queryOf = (url: string): URLSearchParams => {
  const from = url.indexOf("?")
  return new URLSearchParams(from === -1 ? "" : (url.slice(from + 1).split("#", 1)[0] ?? ""))
}

const absolute = /^https?:\/\/(?:[^/?#@]*@)?([^/?#@]+)([^#]*)/i

/**
 * Makes a request's target one of this server's own: a whole URL, as clients send one to a proxy, becomes its path, and its
 * host beats the `Host` header (RFC 9112, 3.2.2).
 */
export const toOrigin = (request: IncomingMessage): void => {
  const [, host, rest] = absolute.exec(request.url ?? "") ?? []
  if (host === undefined || rest === undefined) return
  request.headers.host = host
  request.url = rest.startsWith("/") ? rest : `/${rest}`
}
