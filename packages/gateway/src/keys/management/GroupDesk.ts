/**
 * Makes, changes and deletes teams and users: their limits hold for all their keys together.
 */
import { randomUUID } from "node:crypto"
import type { LedgerGroup, LedgerKey } from "@switchyard/ledger/LedgerKey"
import { Effect } from "effect"
import type { Limits } from "../../api/KeyAsks.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import { asking, changeTime, type Desk } from "./KeyDesk.js"
import { issuesOf, termsOf } from "./keyTerms.js"
import { invalid, missing } from "./refusals.js"

type Kind = LedgerGroup["kind"]

/** What is asked of a group, whichever kind it is. */
export interface GroupFields extends Limits {
  readonly alias?: string | null | undefined
  /** Notes that have fields of their own in the API; kept among the others. */
  readonly notes?: Readonly<Record<string, unknown>>
}

const idOf: Readonly<Record<Kind, string>> = { team: "team_id", user: "user_id" }

/** A team or a user. */
export const find = ({ book }: Desk, kind: Kind, id: string): Effect.Effect<LedgerGroup, Refusal> => {
  const found = book.group(kind, id)
  return found === undefined ? Effect.fail(missing(kind, idOf[kind])) : Effect.succeed(found)
}

/** Its keys. */
export const keysOf = ({ book }: Desk, kind: Kind, id: string): ReadonlyArray<LedgerKey> =>
  book.keys().filter((key) => key[kind] === id)

const metadataOf = (
  { metadata, notes = {} }: GroupFields,
  before: LedgerGroup["metadata"]
): Readonly<Record<string, unknown>> => {
  const own = Object.keys(notes)
  const kept = Object.fromEntries(own.flatMap((name) => (name in before ? [[name, before[name]]] : [])))
  const base = metadata === undefined ? before : { ...kept, ...(metadata ?? {}) }
  const told = Object.entries(notes).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    Object.entries({ ...base, ...Object.fromEntries(told) }).filter(([, value]) => value !== null)
  )
}

const made = (kind: Kind, id: string, asked: GroupFields, now: number, before?: LedgerGroup): LedgerGroup => ({
  ...termsOf(asked, before),
  kind,
  id,
  alias: asked.alias === undefined ? before?.alias : (asked.alias ?? undefined),
  metadata: metadataOf(asked, before?.metadata ?? {}),
  createdAt: before?.createdAt ?? now,
  updatedAt: now
})

const check = (asked: GroupFields): Effect.Effect<void, Refusal> => {
  const issues = issuesOf(asked)
  return issues.length === 0 ? Effect.void : Effect.fail(invalid(issues))
}

/** Makes a group; without an id it gets one. */
export const create = (
  desk: Desk,
  kind: Kind,
  id: string | null | undefined,
  asked: GroupFields
): Effect.Effect<LedgerGroup, Refusal> =>
  Effect.gen(function* () {
    yield* check(asked)
    const group = made(kind, id ?? randomUUID(), asked, yield* changeTime(0))
    yield* asking(desk.book.putGroup(group, undefined))
    return group
  })

/** Changes what is said, and leaves what is not. */
export const update = (desk: Desk, kind: Kind, id: string, asked: GroupFields): Effect.Effect<LedgerGroup, Refusal> =>
  Effect.gen(function* () {
    const before = yield* find(desk, kind, id)
    yield* check(asked)
    const group = made(kind, id, asked, yield* changeTime(before.updatedAt), before)
    yield* asking(desk.book.putGroup(group, before.updatedAt))
    return group
  })

/** Deletes groups, all of them or none, and their keys before them: no key may go on without its group's limits. */
export const remove = (desk: Desk, kind: Kind, ids: ReadonlyArray<string>): Effect.Effect<number, Refusal> =>
  Effect.gen(function* () {
    yield* Effect.forEach(ids, (id) => find(desk, kind, id), { discard: true })
    const hashes = new Set(ids.flatMap((id) => keysOf(desk, kind, id).map(({ hash }) => hash)))
    if (hashes.size > 0) yield* asking(desk.book.deleteKeys([...hashes]))
    yield* asking(desk.book.deleteGroups(kind, ids))
    return hashes.size
  })
