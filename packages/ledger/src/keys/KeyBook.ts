/**
 * Keys as a gateway holds them: a snapshot in memory, so that no request waits for the store. It is loaded at the start and
 * follows the store by its notices and by asking it again and again; it goes on with what it knows while the store is away.
 */
import * as Background from "@switchyard/core/Background"
import * as Field from "@switchyard/core/Field"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Clock, Context, Duration, Effect, type Redacted, type Scope } from "effect"
import type { LedgerError } from "../errors/LedgerError.js"
import type { Bearer } from "./Bearer.js"
import * as KeyHash from "./KeyHash.js"
import { KeyIndex } from "./keyIndex.js"
import type { KeyChanges, KeySnapshot, LedgerGroup, LedgerKey } from "./LedgerKey.js"

/** What a book asks of a store. */
export interface KeyStore {
  readonly snapshot: Effect.Effect<KeySnapshot, LedgerError>
  readonly changesSince: (version: number) => Effect.Effect<KeyChanges, LedgerError>
  /** Resolves when somebody else may have changed keys. */
  readonly changed: Effect.Effect<void, LedgerError>
  readonly putKey: (key: LedgerKey, expected: number | undefined) => Effect.Effect<void, LedgerError>
  readonly deleteKeys: (hashes: ReadonlyArray<string>) => Effect.Effect<number, LedgerError>
  readonly rehashKey: (hash: string, next: LedgerKey) => Effect.Effect<void, LedgerError>
  readonly putGroup: (group: LedgerGroup, expected: number | undefined) => Effect.Effect<void, LedgerError>
  readonly deleteGroups: (kind: LedgerGroup["kind"], ids: ReadonlyArray<string>) => Effect.Effect<number, LedgerError>
}

/** Why a key that is known lets nobody in. */
export type Barred = "expired" | "blocked" | "teamBlocked" | "userBlocked"

/** Who sent a key. */
export type Identified =
  | { readonly _tag: "Known"; readonly bearer: Bearer }
  /** Nobody has it, or had it when the store was last asked, which is at most a moment ago. */
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Barred"; readonly why: Barred; readonly key: LedgerKey }
  /** The store does not answer: whether the key is good can't be told. `retryAfter` in ms. */
  | { readonly _tag: "Away"; readonly retryAfter: number }

/** Options of a book. */
export const Options = Field.options("How keys follow their store.", {
  /** How long known keys are let in while the store does not answer. Default `1 hour`. */
  staleFor: Field.option(
    Field.durationOrZero,
    "How long known keys are let in while the store does not answer.",
    "1 hour"
  ),
  /**
   * How often the store is asked what has changed, notices apart; with its answer a change binds within 2 s. Default `1500
   * millis`.
   */
  poll: Field.option(
    Field.duration,
    "How often the store is asked what has changed, notices apart; with its answer a change binds within 2 s.",
    "1500 millis"
  )
})
/** Options of a book. */
export type Options = typeof Options.Type

/** The options' defaults. */
export const defaults = Field.defaults(Options)

/** An answer that takes longer, in ms, is one that does not come, until it does. */
const patience = 1_000

/** The keys of a ledger, their teams and users. */
export class KeyBook extends Context.Tag("@switchyard/ledger/KeyBook")<
  KeyBook,
  {
    /** Who bears a key; never waits. */
    readonly identify: (sent: string) => Identified
    /** Whether a key is in it, or has been since the start: then nobody comes in without one. */
    readonly isUsed: () => boolean
    readonly size: () => number
    /** Whether the store does not answer. */
    readonly isAway: () => boolean
    /** A key by what its bearer sends, whether it lets anybody in or not. */
    readonly find: (sent: string) => LedgerKey | undefined
    /** How a key is kept that is made here. */
    readonly hashOf: (key: string) => string
    /** A key by its hash. */
    readonly byHash: (hash: string) => LedgerKey | undefined
    /** A key by its name. */
    readonly named: (name: string) => LedgerKey | undefined
    readonly group: (kind: LedgerGroup["kind"], id: string) => LedgerGroup | undefined
    readonly keys: () => ReadonlyArray<LedgerKey>
    readonly groups: (kind: LedgerGroup["kind"]) => ReadonlyArray<LedgerGroup>
    /** Changes of one's own: in force here as soon as the store has them, elsewhere within 2 s. */
    readonly putKey: KeyStore["putKey"]
    readonly deleteKeys: KeyStore["deleteKeys"]
    readonly rehashKey: KeyStore["rehashKey"]
    readonly putGroup: KeyStore["putGroup"]
    readonly deleteGroups: KeyStore["deleteGroups"]
    /** Asks the store now what has changed. */
    readonly refresh: Effect.Effect<void, LedgerError>
  }
>() {}

const unknown: Identified = { _tag: "Unknown" }

/** What is known of the store's answers. Times are monotonic ms. */
class Freshness {
  private failed = false
  private askedAt: number | undefined

  constructor(
    private readonly clock: Clock.Clock,
    private answeredAt: number
  ) {}

  asked(): void {
    this.askedAt = nowMs(this.clock)
  }

  answered(): void {
    this.answeredAt = nowMs(this.clock)
    this.askedAt = undefined
    this.failed = false
  }

  missed(): void {
    this.askedAt = undefined
    this.failed = true
  }

  isAway(): boolean {
    return this.failed || (this.askedAt !== undefined && nowMs(this.clock) - this.askedAt > patience)
  }

  /** Ms since the store said what it holds. */
  age(): number {
    return nowMs(this.clock) - this.answeredAt
  }
}

/**
 * A book over a store, which it follows until the scope closes. Fails when the store does not answer: nobody would know who may
 * come in. `secret` is what keys are hashed under.
 */
export const make = (
  store: KeyStore,
  secret: Redacted.Redacted,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<KeyBook>, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const poll = toMs(options.poll ?? defaults.poll)
    const staleFor = toMs(options.staleFor ?? defaults.staleFor)
    const index = new KeyIndex(secret)
    const oneAtATime = yield* Effect.makeSemaphore(1)
    const first = yield* store.snapshot
    index.replace(first)
    let { version } = first
    let isUsed = index.size > 0
    const fresh = new Freshness(clock, nowMs(clock))

    const away: Identified = { _tag: "Away", retryAfter: Math.max(1_000, poll) }

    const barredFor = (key: LedgerKey): Barred | undefined => {
      if (key.isBlocked) return "blocked"
      if (key.team !== undefined && index.group("team", key.team)?.isBlocked === true) return "teamBlocked"
      if (key.user !== undefined && index.group("user", key.user)?.isBlocked === true) return "userBlocked"
      return key.expiresAt !== undefined && key.expiresAt <= clock.unsafeCurrentTimeMillis() ? "expired" : undefined
    }

    const identify = (sent: string): Identified => {
      const bearer = index.find(sent)
      if (bearer === undefined) return fresh.isAway() ? away : unknown
      const why = barredFor(bearer.key)
      if (why !== undefined) return { _tag: "Barred", why, key: bearer.key }
      return fresh.age() > staleFor && fresh.isAway() ? away : { _tag: "Known", bearer }
    }

    const take = (changes: KeyChanges): void => {
      fresh.answered()
      version = changes.version
      index.apply(changes)
      isUsed ||= index.size > 0
    }
    const ask: Effect.Effect<void, LedgerError> = Effect.suspend(() => {
      fresh.asked()
      return store.changesSince(version)
    }).pipe(
      Effect.map(take),
      Effect.onError(() => Effect.sync(() => fresh.missed()))
    )
    const refresh = oneAtATime.withPermits(1)(ask)

    // What a store can't tell (it is away) is asked for after the usual while.
    const noticed = Effect.catchAll(store.changed, () => Effect.never)
    yield* Background.run(
      Effect.forever(Effect.zipRight(Effect.race(noticed, Effect.sleep(Duration.millis(poll))), Effect.ignore(refresh)))
    )

    /** No answer from before a change of one's own may undo it here. */
    const changing = <A>(write: Effect.Effect<A, LedgerError>, apply: () => void): Effect.Effect<A, LedgerError> =>
      oneAtATime.withPermits(1)(
        Effect.tap(write, () =>
          Effect.sync(() => {
            apply()
            isUsed ||= index.size > 0
          })
        )
      )

    return {
      identify,
      isUsed: () => isUsed,
      size: () => index.size,
      isAway: () => fresh.isAway(),
      find: (sent) => index.find(sent)?.key,
      hashOf: (key) => KeyHash.ofKey(secret, key),
      byHash: (hash) => index.byHash(hash),
      named: (name) => index.named(name),
      group: (kind, id) => index.group(kind, id),
      keys: () => index.keys(),
      groups: (kind) => index.allGroups(kind),
      putKey: (key, expected) => changing(store.putKey(key, expected), () => index.put(key)),
      deleteKeys: (hashes) =>
        changing(store.deleteKeys(hashes), () => {
          for (const hash of hashes) index.remove(hash)
        }),
      rehashKey: (hash, next) =>
        changing(store.rehashKey(hash, next), () => {
          index.remove(hash)
          index.put(next)
        }),
      putGroup: (group, expected) => changing(store.putGroup(group, expected), () => index.putGroup(group)),
      deleteGroups: (kind, ids) =>
        changing(store.deleteGroups(kind, ids), () => {
          for (const id of ids) index.removeGroup(kind, id)
        }),
      refresh
    }
  })
