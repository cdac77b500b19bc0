/** Keys, teams and users as they are told. */
import { noMax } from "@switchyard/ledger/KeyTerms"
import type { LedgerGroup, LedgerKey, Terms } from "@switchyard/ledger/LedgerKey"
import * as Money from "@switchyard/ledger/Money"
import type { KeyView, TeamView, UserView } from "../../api/KeyViews.js"
import * as Durations from "./durations.js"
import type { Spent } from "./Spend.js"
import * as TeamMembers from "./teamMembers.js"

const dateOf = (time: number | undefined): string | null =>
  time === undefined || !Number.isFinite(time) || time >= 8.64e15 ? null : new Date(time).toISOString()

const orNull = <A>(value: A | undefined): A | null => value ?? null

const dollars = (nano: number | undefined): number | null =>
  nano === undefined || nano === noMax ? null : Money.toDollars(nano)

type Kept = Terms & Pick<LedgerGroup, "createdAt" | "metadata" | "updatedAt">

const limitsOf = (kept: Kept, { endsAt, spent }: Spent) => ({
  models: kept.models ?? [],
  spend: Money.toDollars(spent),
  max_budget: dollars(kept.allowance?.max),
  soft_budget: dollars(kept.allowance?.soft),
  budget_duration: kept.allowance?.window === undefined ? null : Durations.write(kept.allowance.window),
  budget_reset_at: dateOf(endsAt),
  rpm_limit: orNull(kept.rpm),
  tpm_limit: orNull(kept.tpm),
  max_parallel_requests: orNull(kept.maxParallel),
  metadata: kept.metadata,
  blocked: kept.isBlocked,
  created_at: dateOf(kept.createdAt),
  updated_at: dateOf(kept.updatedAt)
})

/** A key, without the key. */
export const key = (kept: LedgerKey, spent: Spent): KeyView => ({
  token: kept.hash,
  token_id: kept.hash,
  key_name: kept.hint,
  key_alias: orNull(kept.alias),
  name: kept.name,
  ...limitsOf(kept, spent),
  expires: dateOf(kept.expiresAt),
  aliases: kept.aliases,
  tags: kept.tags,
  user_id: orNull(kept.user),
  team_id: orNull(kept.team)
})

/** A team. */
export const team = (kept: LedgerGroup, spent: Spent): TeamView => {
  const { [TeamMembers.note]: _, ...metadata } = kept.metadata
  return {
    team_id: kept.id,
    team_alias: orNull(kept.alias),
    ...limitsOf({ ...kept, metadata }, spent),
    members_with_roles: TeamMembers.of(kept)
  }
}

/** A user, whose address and role are kept among the notes. */
export const user = (kept: LedgerGroup, spent: Spent): UserView => {
  const { user_email, user_role, ...metadata } = kept.metadata
  return {
    user_id: kept.id,
    user_alias: orNull(kept.alias),
    user_email: typeof user_email === "string" ? user_email : null,
    user_role: typeof user_role === "string" ? user_role : null,
    ...limitsOf({ ...kept, metadata }, spent)
  }
}
