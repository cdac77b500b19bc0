/**
 * A store of keys in memory that another gateway writes to as well, and that can be away or frozen.
 */
import type { KeyStore } from "@switchyard/ledger/KeyBook"
import { LedgerError } from "@switchyard/ledger/LedgerError"
import type { LedgerGroup, LedgerKey } from "@switchyard/ledger/LedgerKey"
import { Deferred, Effect } from "effect"

const terms = {
  models: undefined,
  allowance: undefined,
  rpm: undefined,
  tpm: undefined,
  maxParallel: undefined,
  isBlocked: false,
  alias: undefined,
  metadata: {},
  createdAt: 0,
  updatedAt: 0
}

export const keyOf = (hash: string, more: Partial<LedgerKey> = {}): LedgerKey => ({
  ...terms,
  hash,
  name: `key-${hash.slice(0, 12)}`,
  hint: "sk-...0000",
  team: undefined,
  user: undefined,
  aliases: {},
  tags: [],
  expiresAt: undefined,
  ...more
})

export const groupOf = (kind: LedgerGroup["kind"], id: string, more: Partial<LedgerGroup> = {}): LedgerGroup => ({
  ...terms,
  kind,
  id,
  ...more
})

const away = new LedgerError({ reason: "away", description: "the store does not answer" })

export class MemoryKeyStore {
  private version = 1
  private readonly keys = new Map<string, readonly [number, LedgerKey | undefined]>()
  private readonly groups = new Map<string, readonly [number, LedgerGroup | undefined]>()
  private notice = Deferred.unsafeMake<void>(undefined as never)
  state: "up" | "away" | "frozen" = "up"
  asked = 0

  private answer<A>(f: () => A): Effect.Effect<A, LedgerError> {
    return Effect.suspend(() => {
      this.asked++
      if (this.state === "frozen") return Effect.never
      return this.state === "away" ? Effect.fail(away) : Effect.sync(f)
    })
  }

  /** What another gateway does. */
  put(key: LedgerKey): void {
    this.keys.set(key.hash, [++this.version, key])
  }

  delete(hash: string): void {
    this.keys.set(hash, [++this.version, undefined])
  }

  putGroup(group: LedgerGroup): void {
    this.groups.set(`${group.kind} ${group.id}`, [++this.version, group])
  }

  notify(): void {
    const { notice } = this
    this.notice = Deferred.unsafeMake(undefined as never)
    Deferred.unsafeDone(notice, Effect.void)
  }

  private since(version: number) {
    const changed = <A>(map: ReadonlyMap<string, readonly [number, A | undefined]>) =>
      [...map].filter(([, [at]]) => at > version)
    const there = <A>(map: ReadonlyMap<string, readonly [number, A | undefined]>) =>
      changed(map).flatMap(([, [, value]]) => (value === undefined ? [] : [value]))
    const gone = <A>(map: ReadonlyMap<string, readonly [number, A | undefined]>) =>
      changed(map).flatMap(([name, [, value]]) => (value === undefined ? [name] : []))
    return {
      version: this.version,
      keys: there(this.keys),
      groups: there(this.groups),
      goneKeys: gone(this.keys),
      goneGroups: gone(this.groups)
    }
  }

  readonly store: KeyStore = {
    snapshot: this.answer(() => this.since(0)),
    changesSince: (version) => this.answer(() => this.since(version)),
    changed: Effect.suspend(() => Deferred.await(this.notice)),
    putKey: (key) => this.answer(() => this.put(key)),
    deleteKeys: (hashes) =>
      this.answer(() => {
        for (const hash of hashes) this.delete(hash)
        return hashes.length
      }),
    rehashKey: (hash, next) =>
      this.answer(() => {
        this.delete(hash)
        this.put(next)
      }),
    putGroup: (group) => this.answer(() => this.putGroup(group)),
    deleteGroups: (kind, ids) =>
      this.answer(() => {
        for (const id of ids) this.groups.set(`${kind} ${id}`, [++this.version, undefined])
        return ids.length
      })
  }
}
