import * as crypto from "node:crypto"
import * as Wildcard from "@switchyard/core/Wildcard" /**
 * Who may do what: the master key and the virtual keys, held as hashes and compared in constant time.
 */
import { hashOfKey, hashOfSecret, sha256 } from "../config/callerSecrets.js"
import type { GatewayConfig, VirtualKey } from "../config/GatewayConfig.js"
import type { Refusal } from "../errors/ErrorBody.js"

/** Whoever a request comes from. */
export interface Caller {
  /** The key's name; undefined where no key is configured, or for the master key. Budgets, limits and logs go by it. */
  readonly name: string | undefined
  /** May use the admin endpoints and every control of a request. */
  readonly isMaster: boolean
  /** Whether it may ask for a model by this name. */
  readonly mayUse: (model: string) => boolean
  /** Whether it may ask for what is passed through to providers. */
  readonly mayPassThrough?: boolean
  /** Tags that its requests bear beside their own. */
  readonly tags: ReadonlyArray<string>
  /** The places in line that its requests may ask for; undefined where any may. */
  readonly priority?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined
  /** Bytes of a request's body, where that is less than anybody's. */
  readonly maxBodyBytes?: number | undefined
}

/** The keys of one configuration. */
export interface KeyRing {
  /** No key is configured: everybody may come in, so only loopback may be served. */
  readonly isOpen: boolean
  /** Whether several callers can be told apart, so that one must leave room for others. */
  readonly isShared: boolean
  /** Who bears this key; undefined when nobody does. With an open ring everybody is the same caller, without a key too. */
  readonly identify: (key: string | undefined) => Caller | undefined
}

const everything = () => true

const master: Caller = { name: undefined, isMaster: true, mayUse: everything, mayPassThrough: true, tags: [] }

const anybody: Caller = { name: undefined, isMaster: false, mayUse: everything, mayPassThrough: true, tags: [] }

const callerOf = ({ groups, maxBodyBytes, name, passThrough, priority, tags }: VirtualKey): Caller => ({
  name,
  isMaster: false,
  mayUse: groups === undefined ? everything : (model) => groups.some((pattern) => Wildcard.fits(pattern, model)),
  mayPassThrough: passThrough === true,
  tags: tags ?? [],
  priority: priority ?? {},
  maxBodyBytes
})

/** Whether a configuration has a key at all; without one everybody may come in. */
export const isLocked = ({ keys, masterKey }: Pick<GatewayConfig, "keys" | "masterKey">): boolean =>
  masterKey !== undefined || keys.length > 0

const areEqual = (a: string, b: string): boolean => crypto.timingSafeEqual(Buffer.from(a, "hex"), Buffer.from(b, "hex"))

/**
 * The ring of a configuration. A key is found under a hash that a secret of this process goes into, so that how long a
 * lookup takes tells nobody anything about a key; then the keys' own hashes are compared in constant time.
 */
export const make = (config: Pick<GatewayConfig, "keys" | "masterKey">): KeyRing => {
  const { keys, masterKey } = config
  const salt = crypto.randomBytes(32).toString("hex")
  const known = new Map<string, { readonly hash: string; readonly caller: Caller }>()
  const place = (hash: string) => sha256(salt + hash)
  const add = (hash: string, caller: Caller) => known.set(place(hash), { hash, caller })
  for (const key of keys) {
    const hash = hashOfKey(key)
    if (hash !== undefined) add(hash, callerOf(key))
  }
  if (masterKey !== undefined) add(hashOfSecret(masterKey), master)
  const isOpen = !isLocked(config)
  return {
    isOpen,
    isShared: known.size > 1,
    identify: (key) => {
      if (isOpen) return anybody
      if (key === undefined) return undefined
      const hash = sha256(key)
      const found = known.get(place(hash))
      return found !== undefined && areEqual(found.hash, hash) ? found.caller : undefined
    }
  }
}

const bearer = /^bearer +(\S.*)$/i

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** Where clients put a key beside `Authorization`: Anthropic's, Azure's, Google's, and Azure's API management. */
const plainHeaders = ["x-api-key", "api-key", "x-goog-api-key", "ocp-apim-subscription-key"] as const

/** A key as it stands in a header; LiteLLM's clients write `Bearer` into headers of any name. */
const plainKey = (value: Headers[string]): string | undefined =>
  typeof value === "string" && value !== "" ? (bearer.exec(value)?.[1] ?? value).trim() : undefined

/** The key in a query, where Google's clients put it; nobody else reads it, and no log holds a query. */
const inQuery = (url: string): string | undefined => {
  const [, text] = /[?&]key=([^&#]+)/.exec(url) ?? []
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/**
 * The key in a request's headers: `x-litellm-api-key`, for those whose `Authorization` is another program's, else
 * `Authorization: Bearer`, else `x-api-key`, `api-key`, `x-goog-api-key` or `Ocp-Apim-Subscription-Key`; else the `key` of the
 * URL's query, where that is given.
 */
export const keyOf = (headers: Headers, url = ""): string | undefined => {
  const first = plainKey(headers["x-litellm-api-key"])
  if (first !== undefined) return first
  const { authorization } = headers
  const token = typeof authorization === "string" ? bearer.exec(authorization)?.[1] : undefined
  if (token !== undefined) return token.trim()
  for (const name of plainHeaders) {
    const key = plainKey(headers[name])
    if (key !== undefined) return key
  }
  return url.includes("?") ? inQuery(url) : undefined
}

/** Why a request with this key, or with none, is turned away. Clients know one code for both. */
export const unknownKey = (key: string | undefined): Refusal => ({
  status: 401,
  code: "invalid_api_key",
  message:
    key === undefined
      ? "You didn't provide an API key. Send it as `Authorization: Bearer KEY`."
      : "Incorrect API key provided: it is not known here."
})
