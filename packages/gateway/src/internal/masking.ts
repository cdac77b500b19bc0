import { showValue } from "@switchyard/core/ConfigError"
import { Redacted } from "effect"
import type { GatewayConfig } from "../GatewayConfig.js"

/** What stands in place of a secret. */
const masked = "<secret>"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** User and password, and whatever a query may hold. */
const maskUrl = (text: string): string => {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) return text
  const url = new URL(text)
  if (url.username === "" && url.password === "" && url.search === "") return text
  if (url.username !== "") url.username = "secret"
  if (url.password !== "") url.password = "secret"
  for (const name of [...url.searchParams.keys()]) url.searchParams.set(name, "secret")
  return url.href
}

/** A name that says that what stands under it is a secret. */
const isSecretName = (name: string): boolean => showValue(name.replaceAll(".", "_"), "x") === masked

const looksSecret = (text: string): boolean => showValue("", text) === masked

/** Secrets that a configuration holds in the clear: wherever they turn up again, they are masked. */
export const secretsOf = (config: GatewayConfig): ReadonlyArray<string> => {
  const clear = (value: unknown): ReadonlyArray<string> => {
    const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
    return typeof text === "string" && text.length >= 4 ? [text] : []
  }
  const { deployments } = config.router
  return [
    ...clear(config.masterKey),
    ...config.keys.flatMap(({ hash, key }) => [...clear(key), ...clear(hash)]),
    ...deployments.flatMap(({ apiKey, headers = {} }) => [...clear(apiKey), ...Object.values(headers).flatMap(clear)])
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
  const text = (found: string): string =>
    looksSecret(found) || secrets.some((secret) => found.includes(secret)) ? masked : maskUrl(found)
  const field = (name: string, inner: unknown, parent: string): unknown => {
    const isScalar = typeof inner === "string" || Redacted.isRedacted(inner)
    if (isScalar && !isReference(inner) && (/^(extra_)?headers$/i.test(parent) || isSecretName(name))) return masked
    return walk(inner, name)
  }
  const seen = new Set<object>()
  const walk = (found: unknown, name: string): unknown => {
    if (Redacted.isRedacted(found)) return masked
    if (typeof found === "string") return text(found)
    if (typeof found === "number") return Number.isFinite(found) ? found : String(found)
    if (typeof found !== "object" || found === null) return typeof found === "function" ? "<code>" : found
    if (seen.has(found)) return "<code>"
    seen.add(found)
    const copy = Array.isArray(found)
      ? found.map((inner) => (isSecretName(name) && typeof inner === "string" ? masked : walk(inner, name)))
      : isRecord(found) && (Object.getPrototypeOf(found) === Object.prototype || Object.getPrototypeOf(found) === null)
        ? Object.fromEntries(Object.entries(found).map(([key, inner]) => [text(key), field(key, inner, name)]))
        : "<code>"
    seen.delete(found)
    return copy
  }
  return walk(value, "")
}
