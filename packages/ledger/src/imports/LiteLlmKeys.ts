/**
 * Keys, teams and users of LiteLLM's tables in our words: what is carried over, and what is not. A key comes as its hash; nobody
 * knows the key itself.
 */
import * as KeyHash from "../keys/KeyHash.js"
import type { Allowance, LedgerGroup, LedgerKey, Terms } from "../keys/LedgerKey.js"
import type { Spent } from "../money/Lease.js"
import * as Money from "../record/Money.js"

/** A row of a table, as JSON. */
export type Row = Readonly<Record<string, unknown>>

/** Rows of LiteLLM's tables; what a version does not have is empty. */
export interface Tables {
  /** `LiteLLM_VerificationToken` */
  readonly keys: ReadonlyArray<Row>
  /** `LiteLLM_TeamTable` */
  readonly teams: ReadonlyArray<Row>
  /** `LiteLLM_UserTable` */
  readonly users: ReadonlyArray<Row>
  /** `LiteLLM_BudgetTable` */
  readonly budgets: ReadonlyArray<Row>
}

/** What comes of them. */
export interface Imported {
  readonly keys: ReadonlyArray<LedgerKey>
  readonly groups: ReadonlyArray<LedgerGroup>
  /** What is spent of windows that are in force. */
  readonly spent: ReadonlyArray<Spent>
  /** What could not be carried over, in sentences; without a hash. */
  readonly notes: ReadonlyArray<string>
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const number = (value: unknown): number | undefined => {
  const found = typeof value === "string" && value !== "" ? Number(value) : value
  return typeof found === "number" && Number.isFinite(found) && found >= 0 ? found : undefined
}

const whole = (value: unknown): number | undefined => {
  const found = number(value)
  return found === undefined ? undefined : Math.min(Math.floor(found), Number.MAX_SAFE_INTEGER)
}

const texts = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.flatMap((one: unknown) => text(one) ?? []) : []

const map = (value: unknown): Row =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Row) : {}

/** Times of Prisma's are of UTC, and do not say so. */
const time = (value: unknown): number | undefined => {
  const given = text(value)
  if (given === undefined) return undefined
  const at = Date.parse(/(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(given) ? given : `${given}Z`)
  return Number.isNaN(at) ? undefined : at
}

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  mo: 2_592_000_000
}

const length = (value: unknown): number | undefined => {
  const [, digits = "", unit = ""] = /^(\d{1,9})(s|mo|m|h|d|w)$/.exec(text(value) ?? "") ?? []
  const ms = Number(digits) * (units[unit] ?? 0)
  return ms > 0 ? ms : undefined
}

const allowanceOf = (row: Row): Allowance | undefined => {
  const max = number(row["max_budget"])
  const soft = number(row["soft_budget"])
  if (max === undefined && soft === undefined) return undefined
  return {
    max: max === undefined ? Number.MAX_SAFE_INTEGER : Money.ofDollars(max),
    window: length(row["budget_duration"]),
    soft: soft === undefined ? undefined : Money.ofDollars(soft)
  }
}

const termsOf = (row: Row): Terms => {
  const models = texts(row["models"])
  return {
    models: models.length === 0 ? undefined : models,
    allowance: allowanceOf(row),
    rpm: whole(row["rpm_limit"]),
    tpm: whole(row["tpm_limit"]),
    maxParallel: whole(row["max_parallel_requests"]),
    isBlocked: row["blocked"] === true
  }
}

/** What is spent of the window in force at `now`; undefined where none is. */
const spentOf = (scope: string, key: string, terms: Terms, row: Row, now: number): Spent | undefined => {
  const cost = Money.ofDollars(number(row["spend"]) ?? 0)
  if (terms.allowance === undefined || cost === 0) return undefined
  const { window } = terms.allowance
  if (window === undefined) return { scope, key, length: Number.POSITIVE_INFINITY, cost, time: now }
  const ends = time(row["budget_reset_at"]) ?? now + window
  return ends <= now ? undefined : { scope, key, length: window, cost, time: Math.min(now, ends - window) }
}

/** Fields that limit something here or there, and mean nothing here. */
const uncarried = [
  "organization_id",
  "model_max_budget",
  "permissions",
  "allowed_routes",
  "allowed_cache_controls",
  "config",
  "object_permission_id",
  "router_settings",
  "access_group_ids"
]

const saysSomething = (value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  value !== "" &&
  value !== false &&
  (typeof value !== "object" || Object.keys(value).length > 0)

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

/** Sentences about what was left, the same one once with how many it is true of. */
class Notes {
  private readonly counts = new Map<string, number>()

  add(sentence: string): void {
    this.counts.set(sentence, (this.counts.get(sentence) ?? 0) + 1)
  }

  all(): ReadonlyArray<string> {
    return [...this.counts].map(([sentence, count]) => `${sentence}: ${counted(count, "time")}`)
  }
}

/** Reads rows; `isTaken` says whether a key of this name is there already. */
export const read = (tables: Tables, now: number, isTaken: (name: string) => boolean): Imported => {
  const notes = new Notes()
  const budgets = new Map(tables.budgets.map((row) => [text(row["budget_id"]), row]))
  const names = new Set<string>()
  const spent: Array<Spent> = []
  const looked = (row: Row, what: string): Row => {
    for (const field of uncarried) {
      if (saysSomething(row[field])) notes.add(`${field} of a ${what} means nothing here`)
    }
    const id = text(row["budget_id"])
    if (id === undefined) return row
    const budget = budgets.get(id)
    if (budget === undefined) notes.add(`a ${what} names a budget that is not there`)
    const given = Object.entries(row).filter(([, value]) => value !== null && value !== undefined)
    return { ...budget, ...Object.fromEntries(given) }
  }
  const note = (scope: string, name: string, terms: Terms, row: Row): void => {
    const one = spentOf(scope, name, terms, row, now)
    if (one !== undefined) spent.push(one)
    if (text(row["budget_duration"]) !== undefined && length(row["budget_duration"]) === undefined) {
      notes.add("a budget_duration is no length of time that is known: its budget never starts anew")
    }
  }

  const keys = tables.keys.flatMap((given): ReadonlyArray<LedgerKey> => {
    const row = looked(given, "key")
    const token = text(row["token"])
    if (token === undefined || !/^[0-9a-f]{64}$/i.test(token)) {
      notes.add("a key is kept in another way than as its SHA-256, and is left out")
      return []
    }
    const hash = KeyHash.ofSha256(token)
    const alias = text(row["key_alias"])?.slice(0, 256)
    const isFree = alias !== undefined && alias !== "(master)" && !names.has(alias) && !isTaken(alias)
    if (alias !== undefined && !isFree)
      notes.add("a key's alias is another key's name here, so it has a name of its own")
    const name = isFree ? alias : KeyHash.nameOf(hash)
    names.add(name)
    const terms = termsOf(row)
    note("caller", name, terms, row)
    const metadata = map(row["metadata"])
    const created = time(row["created_at"]) ?? now
    return [
      {
        ...terms,
        hash,
        name,
        alias: isFree ? alias : undefined,
        hint: text(row["key_name"])?.slice(0, 16) ?? "sk-...",
        team: text(row["team_id"]),
        user: text(row["user_id"]),
        aliases: Object.fromEntries(
          Object.entries(map(row["aliases"])).filter((one): one is [string, string] => typeof one[1] === "string")
        ),
        tags: texts(metadata["tags"]),
        metadata,
        expiresAt: time(row["expires"]),
        createdAt: created,
        updatedAt: now
      }
    ]
  })

  const groupsOf = (kind: "team" | "user", rows: ReadonlyArray<Row>): ReadonlyArray<LedgerGroup> =>
    rows.flatMap((given) => {
      const row = looked(given, kind)
      const id = text(row[`${kind}_id`])
      if (id === undefined) return []
      const terms = termsOf(row)
      note(kind, id, terms, row)
      return [
        {
          ...terms,
          kind,
          id,
          alias: text(row[`${kind}_alias`]),
          metadata: map(row["metadata"]),
          createdAt: time(row["created_at"]) ?? now,
          updatedAt: now
        }
      ]
    })

  const groups = [...groupsOf("team", tables.teams), ...groupsOf("user", tables.users)]
  return { keys, groups, spent, notes: notes.all() }
}
