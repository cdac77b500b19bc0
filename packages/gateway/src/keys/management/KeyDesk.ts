/**
 * Makes, changes and deletes keys. A key is told once, when it is made; what is kept is its hash.
 */
import type { KeyBook } from "@switchyard/ledger/KeyBook"
import * as KeyHash from "@switchyard/ledger/KeyHash"
import type { Ledger } from "@switchyard/ledger/Ledger"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import type { LedgerKey } from "@switchyard/ledger/LedgerKey"
import { type Context, Effect, Redacted } from "effect"
import type { DeleteKeys, GenerateKey, KeyFields, RegenerateKey, UpdateKey } from "../../api/KeyAsks.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import { expiryOf, issuesOf, termsOf } from "./keyTerms.js"
import { invalid, missing, ofLedger, taken, wrong } from "./refusals.js"

/** What keys are managed with. */
export interface Desk {
  readonly book: Context.Tag.Service<KeyBook>
  readonly ledger: Pick<Context.Tag.Service<Ledger>, "store">
  /** Whether a key of the configuration has this name. */
  readonly isNamed: (name: string) => boolean
  /** Whether somebody comes in by this key already. */
  readonly isKnown: (key: string) => boolean
}

/** A key that was just made. */
export interface Made {
  readonly key: Redacted.Redacted
  readonly kept: LedgerKey
}

/** What is asked of the ledger, with its errors in an answer's words. */
export const asking = <A>(effect: Effect.Effect<A, LedgerError>): Effect.Effect<A, Refusal> =>
  Effect.mapError(effect, ofLedger)

/** Wall-clock ms, and never what was there: who changes something must be told from who has not seen that yet. */
export const changeTime = (before: number): Effect.Effect<number> =>
  Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => Math.max(now, before + 1)))

/** A key by itself or by its token. */
export const find = ({ book }: Desk, text: string): Effect.Effect<LedgerKey, Refusal> => {
  const found = book.find(text) ?? book.byHash(text) ?? book.byHash(KeyHash.ofSha256(text))
  return found === undefined ? Effect.fail(missing("key", "key")) : Effect.succeed(found)
}

/** Fails unless a key may have this name. */
export const checkName = ({ book, isNamed }: Desk, name: string, own?: LedgerKey): Effect.Effect<void, Refusal> => {
  const other = book.named(name)
  return isNamed(name) || name === "(master)" || (other !== undefined && other.hash !== own?.hash)
    ? Effect.fail(taken("key_alias", `There is another key of the name ${JSON.stringify(name)}.`))
    : Effect.void
}

/** Fails with everything that is wrong with fields of a key. */
export const checkFields = (asked: KeyFields): Effect.Effect<void, Refusal> => {
  const issues = issuesOf(asked)
  return issues.length === 0 ? Effect.void : Effect.fail(invalid(issues))
}

const tagsOf = ({ metadata, tags }: KeyFields, before: ReadonlyArray<string>): ReadonlyArray<string> => {
  const said = tags === undefined ? metadata?.["tags"] : (tags ?? [])
  return Array.isArray(said) ? said.filter((tag): tag is string => typeof tag === "string" && tag !== "") : before
}

const blank: Pick<LedgerKey, "aliases" | "alias" | "metadata" | "tags" | "team" | "user"> = {
  alias: undefined,
  team: undefined,
  user: undefined,
  aliases: {},
  tags: [],
  metadata: {}
}

const said = <A, B>(asked: A | null | undefined, before: B, none: B): A | B =>
  asked === undefined ? before : (asked ?? none)

/** What belongs to a key beside what it is known by. */
const fieldsOf = (asked: KeyFields, now: number, before?: LedgerKey) => {
  const was = before ?? blank
  return {
    ...termsOf(asked, before),
    alias: said(asked.key_alias, was.alias, undefined),
    team: said(asked.team_id, was.team, undefined),
    user: said(asked.user_id, was.user, undefined),
    aliases: said(asked.aliases, was.aliases, {}),
    tags: tagsOf(asked, was.tags),
    metadata: said(asked.metadata, was.metadata, {}),
    expiresAt: expiryOf(asked, now, before?.expiresAt)
  }
}

/** A key that nobody has: the one that is asked for, or another. */
const newKey = (
  desk: Desk,
  asked: string | null | undefined,
  param: string
): Effect.Effect<Redacted.Redacted, Refusal> =>
  typeof asked !== "string"
    ? KeyHash.makeKey
    : desk.isKnown(asked) || desk.book.find(asked) !== undefined
      ? Effect.fail(taken(param, "There is such a key already."))
      : Effect.succeed(Redacted.make(asked))

/** Makes a key. */
export const generate = (desk: Desk, asked: GenerateKey): Effect.Effect<Made, Refusal> =>
  Effect.gen(function* () {
    yield* checkFields(asked)
    const key = yield* newKey(desk, asked.key, "key")
    const now = yield* changeTime(0)
    const hash = desk.book.hashOf(Redacted.value(key))
    const fields = fieldsOf(asked, now)
    const name = fields.alias ?? KeyHash.nameOf(hash)
    yield* checkName(desk, name)
    const kept: LedgerKey = {
      ...fields,
      hash,
      name,
      hint: KeyHash.hintOf(Redacted.value(key)),
      createdAt: now,
      updatedAt: now
    }
    yield* asking(desk.book.putKey(kept, undefined))
    return { key, kept }
  })

const changedKey = (desk: Desk, asked: KeyFields, before: LedgerKey): Effect.Effect<LedgerKey, Refusal> =>
  Effect.gen(function* () {
    yield* checkFields(asked)
    const now = yield* changeTime(before.updatedAt)
    const fields = fieldsOf(asked, now, before)
    // A name without an alias stays when the hash that it was made of does not.
    const name = asked.key_alias === undefined ? before.name : (fields.alias ?? KeyHash.nameOf(before.hash))
    if (name !== before.name) yield* checkName(desk, name, before)
    return { ...before, ...fields, name, updatedAt: now }
  })

/** Changes what is said, and leaves what is not. */
export const update = (desk: Desk, { key, ...asked }: UpdateKey): Effect.Effect<LedgerKey, Refusal> =>
  Effect.gen(function* () {
    const before = yield* find(desk, key)
    const next = yield* changedKey(desk, asked, before)
    yield* asking(desk.book.putKey(next, before.updatedAt))
    return next
  })

/** Lets nobody in by a key, or its bearers again. */
export const setBlocked = (desk: Desk, text: string, isBlocked: boolean): Effect.Effect<LedgerKey, Refusal> =>
  update(desk, { key: text, blocked: isBlocked })

/** Another key in the place of one: it has its name, its limits and what it has spent; nobody comes in by the old one any more. */
export const regenerate = (
  desk: Desk,
  text: string | null | undefined,
  asked: RegenerateKey
): Effect.Effect<Made, Refusal> =>
  Effect.gen(function* () {
    const { key: named, new_key, ...fields } = asked
    const old = text ?? named
    if (typeof old !== "string") return yield* Effect.fail(wrong("key", old ?? undefined, "the key to replace"))
    const before = yield* find(desk, old)
    const key = yield* newKey(desk, new_key, "new_key")
    const changed = yield* changedKey(desk, fields, before)
    const kept: LedgerKey = {
      ...changed,
      hash: desk.book.hashOf(Redacted.value(key)),
      hint: KeyHash.hintOf(Redacted.value(key))
    }
    yield* asking(desk.book.rehashKey(before.hash, kept))
    return { key, kept }
  })

/** Deletes keys, all of them or none; what they have spent stays in the records. Gives them as they were named. */
export const remove = (desk: Desk, { key_aliases, keys }: DeleteKeys): Effect.Effect<ReadonlyArray<string>, Refusal> =>
  Effect.gen(function* () {
    const texts = [...(keys ?? [])]
    const aliases = [...(key_aliases ?? [])]
    if (texts.length + aliases.length === 0) {
      return yield* Effect.fail(wrong("keys", keys ?? undefined, "keys to delete, here or as `key_aliases`"))
    }
    const byKey = yield* Effect.forEach(texts, (text) => find(desk, text))
    const byAlias = yield* Effect.forEach(aliases, (alias) => {
      const found = desk.book.named(alias)
      return found === undefined ? Effect.fail(missing("key", "key_aliases")) : Effect.succeed(found)
    })
    yield* asking(desk.book.deleteKeys([...new Set([...byKey, ...byAlias].map(({ hash }) => hash))]))
    return [...texts, ...aliases]
  })
