/**
 * Whether a request is of this gateway's own page. A cookie goes out with requests of others, too: of pages at another port of
 * the same host, for one, which no `SameSite` tells from ours.
 */

type Headers = Readonly<Record<string, string | undefined>>

/** A browser's host as it stands in a `Host` header; the scheme's own port means nothing. */
const hostOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).host : undefined)

const isOfHost = (origin: string, host: string | undefined): boolean => {
  if (host === undefined || !/^https?:\/\//.test(origin)) return false
  const scheme = origin.startsWith("https:") ? "https" : "http"
  const own = hostOf(origin)
  return own !== undefined && own === hostOf(`${scheme}://${host}`)
}

/**
 * What changes something must say that it is of our page: by `Sec-Fetch-Site`, which no page can write and no proxy changes the
 * meaning of, else by an `Origin` of this host. What only reads must not say that it is of another.
 */
export const isOwnPage = (method: string, headers: Headers): boolean => {
  const { host, origin, "sec-fetch-site": site } = headers
  const isReading = method === "GET" || method === "HEAD"
  if (site !== undefined) return site === "same-origin" || (isReading && site === "none")
  return origin === undefined ? isReading : isOfHost(origin, host)
}

/** Whether the browser came by TLS: its own word, since headers that proxies add are anybody's. */
export const isByTls = ({ origin }: Headers): boolean => origin?.startsWith("https://") === true
