import * as Secret from "@switchyard/core/Secret"
import { Redacted } from "effect"
import type { GatewayConfig } from "../config/GatewayConfig.js"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Secrets that a configuration holds in the clear: wherever they turn up again, they are masked. */
export const secretsOf = (config: GatewayConfig): ReadonlyArray<string> => {
  const clear = (value: unknown): ReadonlyArray<string> => {
    const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
    return typeof text === "string" && text.length >= 4 ? [text] : []
  }
  const { deployments } = config.router
  const { http, https } = config.transport?.proxy ?? {}
  const ledger = typeof config.ledger === "object" ? config.ledger : {}
  const [place] = clear(ledger.url)
  const [redis] = clear(config.redis?.url)
  const urls = [...deployments.map(({ baseUrl }) => baseUrl), http, https, place, redis]
  return [
    ...clear(config.masterKey),
    ...clear(ledger.secret),
    ...clear(config.redis?.password),
    ...config.keys.flatMap(({ hash, key }) => [...clear(key), ...clear(hash)]),
    ...deployments.flatMap(({ apiKey, headers = {} }) => [
      ...clear(apiKey),
      ...Object.entries(headers).flatMap(([name, value]) => (Secret.isPlainHeader(name) ? [] : clear(value)))
    ]),
    ...urls.flatMap((url) => (url === undefined ? [] : Secret.inUrl(url)))
  ]
}

/** Says where a secret is, and not what it is. */
const isReference = (value: unknown): boolean =>
  typeof value === "string" && /^(os\.environ\/\w+|\$\{\w+\})$/.test(value)

/**
 * A copy of anything as plain JSON without its secrets: what is `Redacted`, stands under a name that says so or under
 * `headers`, looks like a key, or contains one of `secrets`. Functions and other things that are no data become `<code>`.
 */
export const mask = (value: unknown, secrets: ReadonlyArray<string>): unknown => {
  const { masked } = Secret
  const spelt = Secret.spelt(secrets)
  const text = (found: string, name: string): string => {
    if (isReference(found)) return found
    return spelt.some((secret) => found.includes(secret)) ? masked : Secret.shownText(name, found)
  }
  const seen = new Set<object>()
  const walk = (found: unknown, name: string, isOpaque: boolean): unknown => {
    if (Redacted.isRedacted(found)) return masked
    if (typeof found === "string") return isOpaque && !isReference(found) && found !== "" ? masked : text(found, name)
    if (typeof found === "number") return Number.isFinite(found) ? found : String(found)
    if (typeof found !== "object" || found === null) return typeof found === "function" ? "<code>" : found
    if (seen.has(found)) return "<code>"
    seen.add(found)
    const below = isOpaque || Secret.isOpaque(name)
    const copy = Array.isArray(found)
      ? found.map((inner) => walk(inner, name, isOpaque))
      : isRecord(found) && (Object.getPrototypeOf(found) === Object.prototype || Object.getPrototypeOf(found) === null)
        ? Object.fromEntries(Object.entries(found).map(([key, inner]) => [text(key, ""), walk(inner, key, below)]))
        : "<code>"
    seen.delete(found)
    return copy
  }
  return walk(value, "", false)
}
