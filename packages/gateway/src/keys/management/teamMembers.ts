/**
 * Who is in a team. Members are told back, and listed with their teams; what a key may do is said by the team that the key belongs to,
 * and nobody but the master key manages either. They are kept among the team's notes.
 */
import type { LedgerGroup } from "@switchyard/ledger/LedgerKey"
import { Effect, Option, Schema } from "effect"
import type { Member, NewMembers, OneMember } from "../../api/KeyAsks.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import * as GroupDesk from "./GroupDesk.js"
import type { Desk } from "./KeyDesk.js"
import { missing, taken, wrong } from "./refusals.js"

/** A member, as teams tell of one. */
export interface TeamMember {
  readonly user_id: string | null
  readonly user_email: string | null
  readonly role: "admin" | "user"
}

/** The note that they are kept in. */
export const note = "members_with_roles"

const text = Schema.NullOr(Schema.String)
const decode = Schema.decodeUnknownOption(
  Schema.Array(Schema.Struct({ user_id: text, user_email: text, role: Schema.Literal("admin", "user") }))
)

/** The members of a team. */
export const of = ({ metadata }: LedgerGroup): ReadonlyArray<TeamMember> =>
  Option.getOrElse(decode(metadata[note]), () => [])

type Named = Pick<OneMember, "user_id" | "user_email">

const isSame = (one: Named, other: Named): boolean =>
  (typeof one.user_id === "string" && one.user_id === other.user_id) ||
  (typeof one.user_email === "string" && one.user_email === other.user_email)

const isNamed = ({ user_email, user_id }: Named): boolean =>
  typeof user_id === "string" || typeof user_email === "string"

const unnamed = (path: string): Refusal => wrong(path, undefined, "`user_id` or `user_email`")

const change = (
  desk: Desk,
  team: string,
  changed: (members: ReadonlyArray<TeamMember>) => Effect.Effect<ReadonlyArray<TeamMember>, Refusal>
): Effect.Effect<LedgerGroup, Refusal> =>
  Effect.gen(function* () {
    const before = yield* GroupDesk.find(desk, "team", team)
    const members = yield* changed(of(before))
    return yield* GroupDesk.update(desk, "team", team, { notes: { [note]: members } })
  })

const memberOf = ({ role, user_email, user_id }: Member): TeamMember => ({
  user_id: user_id ?? null,
  user_email: user_email ?? null,
  role: role ?? "user"
})

/** Puts members into a team, all of them or none. */
export const add = (desk: Desk, { member, team_id }: NewMembers): Effect.Effect<LedgerGroup, Refusal> => {
  const asked = "length" in member ? member : [member]
  return change(desk, team_id, (members) => {
    const all = [...members]
    for (const [index, one] of asked.entries()) {
      const path = "length" in member ? `member.${index}` : "member"
      if (!isNamed(one)) return Effect.fail(unnamed(path))
      if (all.some((other) => isSame(one, other))) return Effect.fail(taken(path, "The user is in the team already."))
      all.push(memberOf(one))
    }
    return Effect.succeed(all)
  })
}

/** Takes a member out of a team. Keys of the two stay: they are deleted as keys. */
export const remove = (desk: Desk, asked: OneMember): Effect.Effect<LedgerGroup, Refusal> => {
  if (!isNamed(asked)) return Effect.fail(unnamed("user_id"))
  return change(desk, asked.team_id, (members) => {
    const left = members.filter((member) => !isSame(asked, member))
    return left.length === members.length
      ? Effect.fail(missing("member", typeof asked.user_id === "string" ? "user_id" : "user_email"))
      : Effect.succeed(left)
  })
}
