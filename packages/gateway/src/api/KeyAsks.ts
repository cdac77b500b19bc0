/**
 * What is asked of the key management, as LiteLLM's users write it. A field that is left out stays as it is, `null` takes what is
 * set away.
 */
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"

const nullable = <S extends Schema.Schema.Any>(schema: S, description: string) =>
  Field.option(Schema.NullOr(schema), description)

const texts = Schema.Array(Field.text)

/** A name that a caller chose. */
const name = Field.text.pipe(Schema.maxLength(256)).annotations({
  message: () => ({ message: "a string of 1 to 256 characters", override: true })
})

/** A key that a caller chose: long enough that nobody guesses it. */
const ownKey = Schema.String.pipe(Schema.pattern(/^[\x21-\x7e]{16,512}$/)).annotations({
  message: () => ({ message: "a key of 16 to 512 characters without white space", override: true })
})

const limits = {
  models: nullable(
    texts,
    "Model groups that may be asked for; `*` stands for any text, `all-team-models` and `all-proxy-models` for what they say. Empty: all."
  ),
  max_budget: nullable(Field.nonNegative, "USD that may be spent in `budget_duration`. 0: nothing."),
  soft_budget: nullable(Field.nonNegative, "USD at which a warning is due."),
  budget_duration: nullable(Field.text, "Length of a budget's window, like `30d`. Unset: it never ends."),
  rpm_limit: nullable(Field.count, "Requests per 60 s."),
  tpm_limit: nullable(Field.count, "Tokens per 60 s."),
  max_parallel_requests: nullable(Field.count, "Requests in progress at once."),
  metadata: nullable(
    Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    "Notes; told back, read by nothing but for `tags`."
  ),
  blocked: nullable(Field.flag, "Whether nobody may come in by it.")
}

const ofKey = {
  ...limits,
  key_alias: nullable(name, "Its name in limits, logs and reports. Unique."),
  team_id: nullable(name, "The team that it belongs to."),
  user_id: nullable(name, "The user that it belongs to."),
  aliases: nullable(
    Schema.Record({ key: Field.text, value: Field.text }),
    "Models by other names, for this key alone: what is asked for, and what is meant."
  ),
  tags: nullable(texts, "Tags that its requests bear beside their own."),
  duration: nullable(Field.text, "How long it is good for, like `30d`. Unset: forever."),
  expires: nullable(Field.text, "Until when it is good, as a date of ISO 8601; in place of `duration`.")
}

const thisKey = Field.required(Field.text, "The key, or its `token`.")

/** A key to make. */
export const GenerateKey = Schema.Struct({
  ...ofKey,
  key: nullable(ownKey, "The key itself. Unset: one is made.")
})
export type GenerateKey = typeof GenerateKey.Type

/** What is to be another at a key. */
export const UpdateKey = Schema.Struct({ ...ofKey, key: thisKey })
export type UpdateKey = typeof UpdateKey.Type

/** A key to put another in the place of. */
export const RegenerateKey = Schema.Struct({
  ...ofKey,
  key: nullable(Field.text, "The key, or its `token`, where the path does not name it."),
  new_key: nullable(ownKey, "The key that takes its place. Unset: one is made.")
})
export type RegenerateKey = typeof RegenerateKey.Type

/** Keys to delete. */
export const DeleteKeys = Schema.Struct({
  keys: nullable(texts, "Keys, or their `token`s."),
  key_aliases: nullable(texts, "The names of keys.")
})
export type DeleteKeys = typeof DeleteKeys.Type

/** One key. */
export const OneKey = Schema.Struct({ key: thisKey })

const ofTeam = { ...limits, team_alias: nullable(name, "Its name, for people.") }

/** A team to make. */
export const NewTeam = Schema.Struct({ ...ofTeam, team_id: nullable(name, "Unset: one is made.") })
export type NewTeam = typeof NewTeam.Type

const teamId = Field.required(name, "The team.")

/** What is to be another at a team. */
export const UpdateTeam = Schema.Struct({ ...ofTeam, team_id: teamId })
/** Teams to delete, and their keys with them. */
export const TeamIds = Schema.Struct({
  /** The teams. */
  team_ids: Field.required(texts, "The teams.")
})
/** One team. */
export const OneTeam = Schema.Struct({ team_id: teamId })

const named = {
  user_id: nullable(name, "The user."),
  user_email: nullable(name, "The user's address, where the id is not known.")
}

const member = Schema.Struct({
  ...named,
  role: nullable(Schema.Literal("admin", "user"), "Told back: nobody but the master key manages teams. Default `user`.")
})
/** Somebody in a team. */
export type Member = typeof member.Type

/** Members for a team: one, or several. */
export const NewMembers = Schema.Struct({
  team_id: teamId,
  /** Who comes in: one member, or a list. */
  member: Field.required(Schema.Union(member, Schema.Array(member)), "Who comes in: one member, or a list.")
})
export type NewMembers = typeof NewMembers.Type

/** One member of a team. */
export const OneMember = Schema.Struct({ ...named, team_id: teamId })
export type OneMember = typeof OneMember.Type

const ofUser = {
  ...limits,
  user_alias: nullable(name, "The user's name, for people."),
  user_email: nullable(name, "Told back."),
  user_role: nullable(name, "Told back: nobody but the master key manages keys.")
}

/** A user to make, with a key unless `auto_create_key` is false. */
export const NewUser = Schema.Struct({
  ...ofUser,
  user_id: nullable(name, "Unset: one is made."),
  auto_create_key: nullable(Field.flag, "Whether a key is made, too. Default true."),
  key_alias: ofKey.key_alias,
  team_id: ofKey.team_id,
  aliases: ofKey.aliases,
  duration: ofKey.duration
})
export type NewUser = typeof NewUser.Type

const userId = Field.required(name, "The user.")

/** What is to be another at a user. */
export const UpdateUser = Schema.Struct({ ...ofUser, user_id: userId })
/** Users to delete, and their keys with them. */
export const UserIds = Schema.Struct({
  /** The users. */
  user_ids: Field.required(texts, "The users.")
})

/** Limits and notes that keys, teams and users have in common. */
export type Limits = Omit<NewTeam, "team_id" | "team_alias">

/** What is said of a key, whatever is done with it. */
export type KeyFields = Omit<GenerateKey, "key">
