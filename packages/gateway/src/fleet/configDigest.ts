import { createHash } from "node:crypto"
import type { Source } from "../generations/Generations.js"
import { mask, secretsOf } from "../log/masking.js"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The same text for the same settings, in whatever order they stand. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isRecord(value)) return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]))
}

/** Gateways on one machine have ports of their own, and still the same configuration. */
const withoutAddress = (shown: unknown): unknown => {
  if (!isRecord(shown) || !isRecord(shown["server"])) return shown
  const { host: _host, port: _port, ...server } = shown["server"]
  return { ...shown, server }
}

/** A digest that tells configurations apart, of what `/admin/config` shows: no secret goes into it. */
export const digestOf = ({ config, display }: Source): string => {
  const shown = sorted(withoutAddress(mask(display ?? config, secretsOf(config))))
  return createHash("sha256").update(JSON.stringify(shown)).digest("hex").slice(0, 12)
}
