/**
 * The keys of a snapshot, found by what their bearers send, by their hash and by their name.
 */
import * as crypto from "node:crypto"
import type { Redacted } from "effect"
import * as Bearer from "./Bearer.js"
import * as KeyHash from "./KeyHash.js"
import type { KeyChanges, KeySnapshot, LedgerGroup, LedgerKey } from "./LedgerKey.js"

/** Keys whose hash is remembered, so that it is not made for each call. */
const maxSeen = 10_000

const idOf = (kind: LedgerGroup["kind"], id: string): string => `${kind} ${id}`

/**
 * The index. How long a lookup takes tells nobody anything about a key: what is looked up is a hash that a secret of this
 * process goes into, and then the keys' own hashes are compared in constant time.
 */
export class KeyIndex {
  private readonly salt = crypto.randomBytes(32).toString("hex")
  private readonly byPlace = new Map<string, Bearer.Bearer>()
  private readonly byName = new Map<string, LedgerKey>()
  private readonly groups = new Map<string, LedgerGroup>()
  /** The place of what came, and the place of its key: only of keys that were found. */
  private readonly seen = new Map<string, string>()

  constructor(private readonly secret: Redacted.Redacted) {}

  get size(): number {
    return this.byPlace.size
  }

  private place(text: string): string {
    return KeyHash.sha256(this.salt + text)
  }

  /** The key that this text is; a hash is none. */
  find(sent: string): Bearer.Bearer | undefined {
    const place = this.place(sent)
    const seen = this.seen.get(place)
    if (seen !== undefined) {
      const found = this.byPlace.get(seen)
      if (found !== undefined) return found
      this.seen.delete(place)
    }
    return (
      this.findBy(place, KeyHash.ofKey(this.secret, sent)) ?? this.findBy(place, KeyHash.ofSha256(KeyHash.sha256(sent)))
    )
  }

  private findBy(sent: string, hash: string): Bearer.Bearer | undefined {
    const place = this.place(hash)
    const found = this.byPlace.get(place)
    if (found === undefined || !KeyHash.areEqual(found.key.hash, hash)) return undefined
    if (this.seen.size >= maxSeen) this.seen.clear()
    this.seen.set(sent, place)
    return found
  }

  /** The key that is kept under this hash. */
  byHash(hash: string): LedgerKey | undefined {
    return this.byPlace.get(this.place(hash))?.key
  }

  named(name: string): LedgerKey | undefined {
    return this.byName.get(name)
  }

  group(kind: LedgerGroup["kind"], id: string): LedgerGroup | undefined {
    return this.groups.get(idOf(kind, id))
  }

  keys(): ReadonlyArray<LedgerKey> {
    return [...this.byPlace.values()].map(({ key }) => key)
  }

  allGroups(kind: LedgerGroup["kind"]): ReadonlyArray<LedgerGroup> {
    return [...this.groups.values()].filter((group) => group.kind === kind)
  }

  put(key: LedgerKey): void {
    this.remove(key.hash)
    this.byPlace.set(
      this.place(key.hash),
      Bearer.make(key, (kind, id) => this.group(kind, id))
    )
    this.byName.set(key.name, key)
  }

  remove(hash: string): void {
    const place = this.place(hash)
    const known = this.byPlace.get(place)
    if (known === undefined) return
    this.byPlace.delete(place)
    if (this.byName.get(known.key.name) === known.key) this.byName.delete(known.key.name)
  }

  putGroup(group: LedgerGroup): void {
    this.groups.set(idOf(group.kind, group.id), group)
  }

  removeGroup(kind: LedgerGroup["kind"], id: string): void {
    this.groups.delete(idOf(kind, id))
  }

  /** Everything anew. */
  replace({ groups, keys }: KeySnapshot): void {
    this.byPlace.clear()
    this.byName.clear()
    this.groups.clear()
    for (const group of groups) this.putGroup(group)
    for (const key of keys) this.put(key)
  }

  apply({ goneGroups, goneKeys, groups, keys }: KeyChanges): void {
    for (const hash of goneKeys) this.remove(hash)
    for (const name of goneGroups) this.groups.delete(name)
    for (const group of groups) this.putGroup(group)
    for (const key of keys) this.put(key)
  }
}
