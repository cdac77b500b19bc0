/**
 * Who may do what: the master key and the virtual keys, held as hashes and compared in constant time; then the ledger's.
 */
import * as crypto from "node:crypto"
import * as Wildcard from "@switchyard/core/Wildcard"
import type { Bearer } from "@switchyard/ledger/Bearer"
import type { Barred, KeyBook } from "@switchyard/ledger/KeyBook"
import * as KeyTerms from "@switchyard/ledger/KeyTerms"
import type { Budget, Service as CallersTerms } from "@switchyard/router/CallerTerms"
import type { Context } from "effect"
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
  /** What a model's name means where this caller says it; undefined where it means itself. */
  readonly meant?: ((model: string) => string) | undefined
  /** What it, its team and its user may spend, where that is not the configuration's to say. */
  readonly budgets?: (() => ReadonlyArray<Budget>) | undefined
  /** The team and the user whose key it is. */
  readonly team?: string | undefined
  readonly user?: string | undefined
}

/** The keys of one configuration. */
export interface KeyRing {
  /** No key is configured: everybody may come in, so only loopback may be served. */
  readonly isOpen: boolean
  /** Whether several callers can be told apart, so that one must leave room for others. */
  readonly isShared: boolean
  /** Who bears this key; undefined when nobody does. With an open ring everybody is the same caller, without a key too. */
  readonly identify: (key: string | undefined) => Caller | undefined
  /** Why whoever bears a key that `identify` has nobody for is turned away. */
  readonly refusal: (key: string | undefined) => Refusal
}

const everything = () => true

/** Whoever bears the master key. */
export const master: Caller = { name: undefined, isMaster: true, mayUse: everything, mayPassThrough: true, tags: [] }

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

/** The caller behind a key of the ledger: the same one until the key changes. */
const callerOfBearer = (bearer: Bearer, callers: WeakMap<Bearer, Caller>, terms: CallersTerms | undefined): Caller => {
  const known = callers.get(bearer)
  if (known !== undefined) return known
  const { aliases, name, tags, team, user } = bearer.key
  const renamed = new Map(Object.entries(aliases))
  const made: Caller = {
    name,
    isMaster: false,
    mayUse: bearer.mayUse,
    mayPassThrough: false,
    tags,
    priority: {},
    ...(renamed.size === 0 ? {} : { meant: (model) => renamed.get(model) ?? model }),
    ...(terms === undefined ? {} : { budgets: () => terms.of(name)?.budgets ?? [] }),
    team,
    user
  }
  callers.set(bearer, made)
  return made
}

/**
 * Keys that were found good once and are known from then on without their two hashes, which cost 5 µs a request. Only what lets
 * somebody in is kept, so guesses fill nothing; a text is looked up under V8's own hash of it, which has a secret of the process.
 */
const mostBorne = 1000

/**
 * The ring of a configuration, and of a ledger's keys where there is one: those of the configuration come first. A key is found under a hash that a secret of this process goes into, so that how long a
 * lookup takes tells nobody anything about a key; then the keys' own hashes are compared in constant time.
 */
export const make = (
  config: Pick<GatewayConfig, "keys" | "masterKey">,
  book?: Context.Tag.Service<KeyBook>
): KeyRing => {
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
  const borne = new Map<string, Caller>()
  const callers = new WeakMap<Bearer, Caller>()
  const terms = book === undefined ? undefined : KeyTerms.of(book)
  const isUnlocked = !isLocked(config)
  const isOpen = (): boolean => isUnlocked && book?.isUsed() !== true
  const inConfig = (key: string): Caller | undefined => {
    const seen = borne.get(key)
    if (seen !== undefined) return seen
    const hash = sha256(key)
    const found = known.get(place(hash))
    if (found === undefined || !areEqual(found.hash, hash)) return undefined
    if (borne.size < mostBorne) borne.set(key, found.caller)
    return found.caller
  }
  const inLedger = (key: string): Caller | undefined => {
    const found = book?.identify(key)
    return found?._tag === "Known" ? callerOfBearer(found.bearer, callers, terms) : undefined
  }
  return {
    get isOpen() {
      return isOpen()
    },
    get isShared() {
      return known.size + (book?.size() ?? 0) > 1
    },
    identify: (key) => {
      if (isOpen()) return anybody
      return key === undefined ? undefined : (inConfig(key) ?? inLedger(key))
    },
    refusal: (key) => (key === undefined || book === undefined ? unknownKey(key) : refusalOf(key, book))
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

const barred: Readonly<Record<Barred, Omit<Refusal, "message"> & { readonly what: string }>> = {
  expired: { status: 401, code: "expired_key", what: "has expired" },
  blocked: { status: 403, code: "key_blocked", what: "is blocked" },
  teamBlocked: { status: 403, code: "team_blocked", what: "belongs to a team that is blocked" },
  userBlocked: { status: 403, code: "user_blocked", what: "belongs to a user who is blocked" }
}

/** Why a key lets nobody in, as the ledger knows it. */
const refusalOf = (key: string, book: Context.Tag.Service<KeyBook>): Refusal => {
  const found = book.identify(key)
  if (found._tag === "Away") {
    return {
      status: 503,
      code: "keys_unavailable",
      message: "Keys can't be looked up for the moment, and this one is not known here. Try again.",
      retryAfter: found.retryAfter
    }
  }
  if (found._tag !== "Barred") return unknownKey(key)
  const { what, ...refusal } = barred[found.why]
  return { ...refusal, message: `This API key (${found.key.hint}) ${what}.` }
}
