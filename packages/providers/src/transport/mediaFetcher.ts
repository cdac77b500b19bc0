/**
 * Fetches what a caller names by a URL, for providers that take bytes only: https alone, from public addresses alone, which are
 * checked after the name was looked up and then kept to, without redirects, within bounds of bytes and time.
 */
import type * as NodeDns from "node:dns/promises"
import type * as NodeHttps from "node:https"
import type * as NodeNet from "node:net"
import * as Builtin from "@switchyard/core/Builtin"
import { Effect } from "effect"

/** What was fetched. */
export interface Fetched {
  /** As the server says it, without parameters. */
  readonly mime: string | undefined
  /** Base64. */
  readonly data: string
}

/** Bounds, and who may be asked. */
export interface FetchLimits {
  /** Bytes. Default 20 MiB. */
  readonly maxBytes?: number
  /** Milliseconds for all of it. Default 10,000. */
  readonly maxWait?: number
  /** Whether an address may be asked. Default: public ones. */
  readonly isAllowed?: (address: string) => boolean
  /** Certificates to trust beside the usual ones. */
  readonly ca?: string
}

/** Networks that are nobody's public address (IANA's registries of special addresses). */
const special4 =
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
/** Of IPv6 only the global unicast addresses are public, and of these not all. */
const special6 = "2001::/23 2001:db8::/32 2002::/16 3fff::/20"

const listOf = (net: typeof NodeNet, networks: string, family: "ipv4" | "ipv6"): NodeNet.BlockList => {
  const list = new net.BlockList()
  for (const network of networks.split(" ")) {
    const [address = "", bits] = network.split("/")
    list.addSubnet(address, Number(bits), family)
  }
  return list
}

let lists: {
  readonly barred4: NodeNet.BlockList
  readonly barred6: NodeNet.BlockList
  readonly global6: NodeNet.BlockList
}

/** Whether an address is one of the public internet: no network of one's own, no cloud's metadata, nothing mapped or tunnelled. */
export const isPublic = (address: string): boolean => {
  const net = Builtin.find<typeof NodeNet>("node:net")
  if (net === undefined) return false
  lists ??= {
    barred4: listOf(net, special4, "ipv4"),
    barred6: listOf(net, special6, "ipv6"),
    global6: listOf(net, "2000::/3", "ipv6")
  }
  const family = net.isIP(address)
  if (family === 4) return !lists.barred4.check(address, "ipv4")
  return family === 6 && lists.global6.check(address, "ipv6") && !lists.barred6.check(address, "ipv6")
}

const reason = (error: unknown): string => {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === "string" ? `it could not be fetched (${code})` : "it could not be fetched"
}

const bare = (host: string): string => (host.startsWith("[") ? host.slice(1, -1) : host)

const addressOf = async (host: string, isAllowed: (address: string) => boolean): Promise<string> => {
  const dns = Builtin.find<typeof NodeDns>("node:dns/promises")
  if (dns === undefined) throw new Refused("media is fetched on Node alone")
  const found = await dns.lookup(bare(host), { all: true })
  const [first] = found
  // One address of its own among public ones is how a name is made to point inside.
  if (first === undefined || !found.every(({ address }) => isAllowed(address))) {
    throw new Refused("its address is not a public one")
  }
  return first.address
}

class Refused extends Error {}

const read = (
  url: URL,
  address: string,
  { ca, maxBytes }: { readonly ca: string | undefined; readonly maxBytes: number },
  signal: AbortSignal
): Promise<Fetched> =>
  new Promise((resolve, reject) => {
    const https = Builtin.find<typeof NodeHttps>("node:https")
    if (https === undefined) return reject(new Refused("media is fetched on Node alone"))
    const request = https.get(
      {
        // The address that was checked, whatever the name says by now.
        host: address,
        servername: /^[\d.]+$|:/.test(bare(url.hostname)) ? "" : url.hostname,
        port: url.port === "" ? 443 : Number(url.port),
        path: url.pathname + url.search,
        headers: { host: url.host, accept: "*/*", "accept-encoding": "identity", "user-agent": "switchyard" },
        agent: false,
        signal,
        ...(ca === undefined ? {} : { ca })
      },
      (response) => {
        const { headers, statusCode = 0 } = response
        const refuse = (why: string): void => {
          request.destroy()
          reject(new Refused(why))
        }
        if (statusCode >= 300 && statusCode < 400) return refuse("it redirects, which is not followed")
        if (statusCode !== 200) return refuse(`its server answers ${statusCode}`)
        if (Number(headers["content-length"] ?? 0) > maxBytes) return refuse(`it is larger than ${maxBytes} bytes`)
        const chunks: Array<Buffer> = []
        let size = 0
        response.on("data", (chunk: Buffer) => {
          size += chunk.length
          if (size > maxBytes) refuse(`it is larger than ${maxBytes} bytes`)
          else chunks.push(chunk)
        })
        response.on("error", reject)
        response.on("end", () => {
          if (!response.complete) return refuse("its answer was cut")
          const mime = headers["content-type"]?.split(";")[0]?.trim().toLowerCase()
          resolve({ mime: mime === "" ? undefined : mime, data: Buffer.concat(chunks, size).toString("base64") })
        })
      }
    )
    request.on("error", reject)
  })

/** Fetches a URL; fails with why it was not, in words that quote nothing of it. Interruption aborts it. */
export const fetchMedia = (
  url: string,
  { ca, isAllowed = isPublic, maxBytes = 20 * 1024 * 1024, maxWait = 10_000 }: FetchLimits = {}
): Effect.Effect<Fetched, string> => {
  if (!URL.canParse(url) || new URL(url).protocol !== "https:") return Effect.fail("only https is fetched")
  const parsed = new URL(url)
  if (parsed.username !== "" || parsed.password !== "") return Effect.fail("a URL with a user in it is not fetched")
  return Effect.tryPromise({
    try: async (signal) => {
      const address = await addressOf(parsed.hostname, isAllowed)
      return read(parsed, address, { ca, maxBytes }, signal)
    },
    catch: (error) => (error instanceof Refused ? error.message : reason(error))
  }).pipe(
    Effect.timeoutFail({ duration: maxWait, onTimeout: () => `it did not come within ${maxWait / 1000} seconds` })
  )
}
