/**
 * What the key management answers, in LiteLLM's shapes: nothing that is there for LiteLLM's own sake, and no field of its with
 * another meaning. Money is USD, times are ISO 8601.
 */
import { Schema } from "effect"

const text = Schema.NullOr(Schema.String)
const number = Schema.NullOr(Schema.Number)
const texts = Schema.Array(Schema.String)
const notes = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const limits = {
  models: texts,
  /** Spent in the window of its budget; without one, since it was made. */
  spend: Schema.Number,
  max_budget: number,
  soft_budget: number,
  budget_duration: text,
  budget_reset_at: text,
  rpm_limit: number,
  tpm_limit: number,
  max_parallel_requests: number,
  metadata: notes,
  blocked: Schema.Boolean,
  created_at: text,
  updated_at: text
}

const ofKey = {
  /** How it is kept: names the key in requests to this API, and lets nobody in. */
  token: Schema.String,
  token_id: Schema.String,
  /** How it begins and ends. */
  key_name: Schema.String,
  key_alias: text,
  /** What limits, logs and reports call it. */
  name: Schema.String,
  ...limits,
  expires: text,
  aliases: Schema.Record({ key: Schema.String, value: Schema.String }),
  tags: texts,
  user_id: text,
  team_id: text
}

/** A key, without the key. */
export const KeyView = Schema.Struct(ofKey)
export type KeyView = typeof KeyView.Type

/** A key that was made: the only time that it is told. */
export const MadeKey = Schema.Struct({ key: Schema.String, ...ofKey })

/** A key, as whoever asked for it named it. */
export const KeyInfo = Schema.Struct({ key: Schema.String, info: KeyView })

/** A page of keys: their tokens, or all of them. */
export const KeyPage = Schema.Struct({
  keys: Schema.Array(Schema.Union(Schema.String, KeyView)),
  total_count: Schema.Number,
  current_page: Schema.Number,
  total_pages: Schema.Number
})

/** Keys that are gone. */
export const DeletedKeys = Schema.Struct({ deleted_keys: texts })

/** A team. */
export const TeamView = Schema.Struct({
  team_id: Schema.String,
  team_alias: text,
  ...limits,
  members_with_roles: Schema.Array(
    Schema.Struct({ user_id: text, user_email: text, role: Schema.Literal("admin", "user") })
  )
})
export type TeamView = typeof TeamView.Type

/** A team with its keys. */
export const TeamInfo = Schema.Struct({ team_id: Schema.String, team_info: TeamView, keys: Schema.Array(KeyView) })

/** A team as it is now. */
export const ChangedTeam = Schema.Struct({ team_id: Schema.String, data: TeamView })

/** Teams that are gone. */
export const DeletedTeams = Schema.Struct({ deleted_teams: texts, deleted_keys: Schema.Number })

const ofUser = { user_id: Schema.String, user_alias: text, user_email: text, user_role: text, ...limits }

/** A user. */
export const UserView = Schema.Struct(ofUser)
export type UserView = typeof UserView.Type

/** A user that was made, and the key that was made with it, if one was. */
export const MadeUser = Schema.Struct({
  ...ofUser,
  key: text,
  token: text,
  key_name: text,
  key_alias: text,
  expires: text,
  team_id: text
})

/** A user with its keys. */
export const UserInfo = Schema.Struct({
  user_id: Schema.String,
  user_info: UserView,
  keys: Schema.Array(KeyView),
  teams: Schema.Array(TeamView)
})

/** A user as it is now. */
export const ChangedUser = Schema.Struct({ user_id: Schema.String, data: UserView })

/** A page of users. */
export const UserPage = Schema.Struct({
  users: Schema.Array(UserView),
  total: Schema.Number,
  page: Schema.Number,
  page_size: Schema.Number,
  total_pages: Schema.Number
})

/** Users that are gone. */
export const DeletedUsers = Schema.Struct({ deleted_users: texts, deleted_keys: Schema.Number })

/** One request. */
export const SpendLog = Schema.Struct({
  request_id: Schema.String,
  call_type: Schema.String,
  /** The key's token, where it is still there; else its name. */
  api_key: text,
  key_alias: text,
  user: text,
  team_id: text,
  model: text,
  model_group: text,
  model_id: text,
  custom_llm_provider: text,
  spend: Schema.Number,
  total_tokens: Schema.Number,
  prompt_tokens: Schema.Number,
  completion_tokens: Schema.Number,
  startTime: Schema.String,
  endTime: Schema.String,
  completionStartTime: text,
  request_tags: texts,
  cache_hit: Schema.Boolean,
  status: Schema.Literal("success", "failure")
})
export type SpendLog = typeof SpendLog.Type

/** A day of spending. */
export const SpendDay = Schema.Struct({
  startTime: Schema.String,
  spend: Schema.Number,
  users: Schema.Record({ key: Schema.String, value: Schema.Number }),
  models: Schema.Record({ key: Schema.String, value: Schema.Number })
})

const part = Schema.Struct({ model: text, api_key: text, spend: Schema.Number, total_tokens: Schema.Number })

/** A day of spending by team. */
export const TeamDay = Schema.Struct({
  group_by_day: Schema.String,
  teams: Schema.Array(
    Schema.Struct({
      team_name: Schema.String,
      team_id: text,
      total_spend: Schema.Number,
      metadata: Schema.Array(part)
    })
  )
})

/** What a key has spent, by model. */
export const KeySpend = Schema.Struct({
  api_key: text,
  key_alias: text,
  total_cost: Schema.Number,
  total_input_tokens: Schema.Number,
  total_output_tokens: Schema.Number,
  model_details: Schema.Array(
    Schema.Struct({
      model: text,
      total_cost: Schema.Number,
      total_input_tokens: Schema.Number,
      total_output_tokens: Schema.Number
    })
  )
})
