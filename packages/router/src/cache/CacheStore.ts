/**
 * Where the Cache layer keeps whole answers: in this process by default, replaceable by a store that several replicas
 * share. Entries are plain data, made of the JSON texts as they came.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { LlmErrorFields } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { nowMs } from "@switchyard/core/Time"
import { Context, Effect, Layer } from "effect"
import { LRUCache } from "lru-cache"
import * as State from "../stack/State.js"
import { eventBytes, textBytes } from "./textBytes.js"

/** A whole answer to a plain request. */
export interface StoredAnswer {
  readonly _tag: "Complete"
  readonly status: number
  readonly headers: Headers
  readonly raw: string
}

/** A whole answer to a streaming request: the JSON text of each event, in order. */
export interface StoredStream {
  readonly _tag: "Streaming"
  readonly status: number
  readonly headers: Headers
  readonly events: ReadonlyArray<string>
}

/** A request that cannot succeed, with the data of its error. */
export interface StoredError {
  readonly _tag: "Failed"
  readonly error: LlmErrorFields
}

/** What is kept under one key; JSON can say all of it. */
export type CacheEntry = StoredAnswer | StoredStream | StoredError

/** What an entry takes beside its texts, roughly. */
const perEntry = 256

const contentBytes = (entry: CacheEntry): number => {
  switch (entry._tag) {
    case "Complete":
      return textBytes(entry.raw)
    case "Streaming":
      return entry.events.reduce((sum, data) => sum + eventBytes(data), 0)
    case "Failed":
      return textBytes(JSON.stringify(entry.error))
  }
}

/** Bytes that an entry and its key take in memory, estimated: what all bounds of the cache count. */
export const entryBytes = (key: string, entry: CacheEntry): number => perEntry + textBytes(key) + contentBytes(entry)

/**
 * Keeps entries by key. A store that cannot be reached is one that knows nothing: neither effect fails, and both bound
 * their own time. Keys hold whole prompts, and forwarded credentials: a store outside the process hashes them.
 */
export class CacheStore extends Context.Tag("@switchyard/router/CacheStore")<
  CacheStore,
  {
    /** The entry of a key; undefined when there is none, or its time is over. */
    readonly get: (key: string) => Effect.Effect<CacheEntry | undefined>
    /** Keeps an entry for `ttl` ms, in place of an earlier one. It may be forgotten before. */
    readonly set: (key: string, entry: CacheEntry, ttl: number) => Effect.Effect<void>
  }
>() {}

/** Options of the store in memory. */
export const Options = Field.options("Where the cache keeps whole answers in this process.", {
  /** How many bytes all keys and entries may take together; the least recently used go first. Default 64 MiB. */
  maxBytes: Field.option(
    Field.positiveCount,
    "How many bytes all keys and entries may take together; the least recently used go first.",
    64 * 1024 * 1024
  )
})
/** Options of the store in memory. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

interface Dated {
  readonly entry: CacheEntry
  /** Monotonic ms. */
  readonly expiresAt: number
}

/** A value of the service, for composing without Layers: entries in this process, bounded by their bytes. */
export const make = (options: Options = {}): Context.Tag.Service<CacheStore> => {
  const entries = new LRUCache<string, Dated>({
    maxSize: options.maxBytes ?? defaults.maxBytes,
    sizeCalculation: ({ entry }, key) => entryBytes(key, entry)
  })
  return {
    get: (key) =>
      Effect.clockWith((clock) => {
        const found = entries.get(key)
        if (found === undefined) return Effect.succeed(undefined)
        if (nowMs(clock) < found.expiresAt) return Effect.succeed(found.entry)
        entries.delete(key)
        return Effect.succeed(undefined)
      }),
    set: (key, entry, ttl) =>
      Effect.clockWith((clock) =>
        Effect.sync(() => {
          entries.set(key, { entry, expiresAt: nowMs(clock) + ttl })
        })
      )
  }
}

/** Entries kept in this process. */
export const layerMemoryWith = (options: Options): Layer.Layer<CacheStore, ConfigError> =>
  Layer.effect(
    CacheStore,
    Effect.map(Field.decode(Options, options, "cacheStore"), (valid) => make(valid))
  )

/** Entries kept in this process, with the defaults. */
export const layerMemory: Layer.Layer<CacheStore> = Layer.fresh(Layer.orDie(layerMemoryWith({})))

/** The answers that are kept. */
export class CachedAnswers extends State.make({
  name: "cacheStore",
  tag: CacheStore,
  options: Options,
  layer: layerMemoryWith
}) {}
