/**
 * Which proxy a request goes through, as the environment and other programs have it.
 */
import { BlockList, isIP } from "node:net"
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"

/** Proxies by the scheme of the provider's URL. */
export const Proxies = Schema.Struct({
  /** For providers at `http://`. Unset: none. */
  http: Field.option(Field.httpUrl, "For providers at `http://`. Unset: none."),
  /** For providers at `https://`: they are reached through a tunnel (CONNECT). Unset: none. */
  https: Field.option(
    Field.httpUrl,
    "For providers at `https://`: they are reached through a tunnel (CONNECT). Unset: none."
  ),
  /**
   * Hosts that are asked directly, as in `NO_PROXY`: `example.com` and `.example.com` with all below them, `host:port`,
   * addresses, ranges like `10.0.0.0/8`, and `*`. Loopback never goes through a proxy.
   */
  except: Field.option(
    Schema.Array(Field.text),
    "Hosts that are asked directly, as in `NO_PROXY`: `example.com` and `.example.com` with all below them, `host:port`, addresses, ranges like `10.0.0.0/8`, and `*`. Loopback never goes through a proxy."
  )
})
/** Proxies by the scheme of the provider's URL. */
export type Proxies = typeof Proxies.Type

/** The environment's variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>

/** What the environment says about proxies. */
export interface EnvironmentProxies {
  /** Undefined when it names none. */
  readonly proxies: Proxies | undefined
  /** What it says that makes no sense; no value is quoted, because a proxy's URL may hold a password. */
  readonly warnings: ReadonlyArray<string>
}

const givenIn = (variables: Variables, name: string): { readonly name: string; readonly value: string } | undefined => {
  for (const spelt of [name.toLowerCase(), name]) {
    const value = variables[spelt]?.trim()
    if (value !== undefined && value !== "") return { name: spelt, value }
  }
  return undefined
}

/** `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in small letters too, which win. */
export const fromEnvironment = (variables: Variables): EnvironmentProxies => {
  const warnings: Array<string> = []
  const urlOf = (name: string): string | undefined => {
    const given = givenIn(variables, name)
    if (given === undefined) return undefined
    const url = given.value.includes("://") ? given.value : `http://${given.value}`
    if (URL.canParse(url) && /^https?:/i.test(url)) return url
    warnings.push(`${given.name} is not used: expected the http or https URL of a proxy`)
    return undefined
  }
  const any = urlOf("ALL_PROXY")
  const http = urlOf("HTTP_PROXY") ?? any
  const https = urlOf("HTTPS_PROXY") ?? any
  if (http === undefined && https === undefined) return { proxies: undefined, warnings }
  const except = (givenIn(variables, "NO_PROXY")?.value ?? "").split(/[\s,]+/).filter((entry) => entry !== "")
  return {
    proxies: {
      ...(http === undefined ? {} : { http }),
      ...(https === undefined ? {} : { https }),
      ...(except.length === 0 ? {} : { except })
    },
    warnings
  }
}

const bare = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4")

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** `localhost` and what resolves to it by its form, as Go has it. */
const isLoopback = (host: string): boolean =>
  host === "localhost" || host.endsWith(".localhost") || (isIP(host) !== 0 && loopback.check(host, familyOf(host)))

const isInRange = (host: string, range: string): boolean => {
  const [address = "", bits = ""] = range.split("/")
  if (isIP(host) === 0 || isIP(bare(address)) !== isIP(host) || !/^\d{1,3}$/.test(bits)) return false
  const list = new BlockList()
  try {
    list.addSubnet(bare(address), Number(bits), familyOf(host))
  } catch {
    return false
  }
  return list.check(host, familyOf(host))
}

/** Whether an entry of `NO_PROXY` means a host. */
const means = (entry: string, host: string, port: string): boolean => {
  if (entry === "*") return true
  if (entry.includes("/")) return isInRange(host, entry)
  const withPort = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry)
  if (withPort !== null && withPort[2] !== port) return false
  const name = bare(withPort?.[1] ?? entry).replace(/^\*?\./, "")
  return host === name || (isIP(host) === 0 && name !== "" && host.endsWith(`.${name}`))
}

/** The proxy for an origin; undefined where it is asked directly. */
export const proxyFor = ({ except = [], http, https }: Proxies, origin: string): string | undefined => {
  const url = new URL(origin)
  const isSecure = url.protocol === "https:"
  const proxy = isSecure ? https : http
  const host = bare(url.hostname)
  if (proxy === undefined || isLoopback(host)) return undefined
  const port = url.port === "" ? (isSecure ? "443" : "80") : url.port
  return except.some((entry) => means(entry.trim(), host, port)) ? undefined : proxy
}
