/**
 * Whole answers that many processes share over an engine, in place of those of one process. Keys go there as hashes alone: they
 * hold whole prompts, and callers' credentials. An engine that does not answer in time knows nothing.
 */
import type * as Crypto from "node:crypto"
import * as Builtin from "@switchyard/core/Builtin"
import { isJsonObject } from "@switchyard/core/Json"
import { type Context, Effect } from "effect"
import { type CacheEntry, type CacheStore, entryBytes } from "../cache/CacheStore.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"

const crypto = Builtin.find<typeof Crypto>("node:crypto")

/** Options of the store. */
export interface Options {
  /** The most bytes that an entry and its key may take: what is larger is not shared. Default 1 MiB. */
  readonly maxEntryBytes?: number
}

/** Of entries that a newer version could not read. */
const version = "1"

const isHeaders = (value: unknown): boolean =>
  isJsonObject(value) && Object.values(value).every((header) => typeof header === "string")

const isEntry = (value: unknown): value is CacheEntry => {
  if (!isJsonObject(value)) return false
  const { _tag, error, events, headers, raw, status } = value
  if (_tag === "Failed") return isJsonObject(error) && typeof error.reason === "string"
  if (typeof status !== "number" || !isHeaders(headers)) return false
  return _tag === "Complete"
    ? typeof raw === "string"
    : _tag === "Streaming" && Array.isArray(events) && events.every((event) => typeof event === "string")
}

const read = (text: string): CacheEntry | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isEntry(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Under which key an entry is kept by the engine; undefined where there is nothing to hash with. */
const hashed = (key: string): string | undefined =>
  crypto === undefined ? undefined : `answer:${version}:${crypto.createHash("sha256").update(key).digest("base64url")}`

/**
 * The store over a guarded engine. It asks past the guard: that a large answer takes its time says nothing about admission.
 */
export const make = (
  { engine: { values }, mode }: Pick<EngineGuard, "engine" | "mode">,
  options: Options = {}
): Context.Tag.Service<CacheStore> => {
  const maxBytes = options.maxEntryBytes ?? 1024 * 1024
  return {
    get: (key) =>
      Effect.suspend(() => {
        const name = mode() === "local" ? undefined : hashed(key)
        if (name === undefined) return Effect.succeed(undefined)
        return Effect.match(values.get(name), {
          onFailure: () => undefined,
          onSuccess: (text) => (text === undefined ? undefined : read(text))
        })
      }),
    set: (key, entry, ttl) =>
      Effect.suspend(() => {
        const name = mode() === "local" || entryBytes(key, entry) > maxBytes ? undefined : hashed(key)
        return name === undefined ? Effect.void : Effect.ignore(values.set(name, JSON.stringify(entry), ttl))
      })
  }
}
