/**
 * Keys of a ledger, managed by hand beside a gateway that may run on it, which notices within two seconds.
 */
import type { GatewayConfig } from "@switchyard/gateway/GatewayConfig"
import type { Desk } from "@switchyard/gateway/KeyDesk"
import * as KeyDesk from "@switchyard/gateway/KeyDesk"
import * as KeyBook from "@switchyard/ledger/KeyBook"
import type { LedgerKey } from "@switchyard/ledger/LedgerKey"
import * as LedgerSecret from "@switchyard/ledger/LedgerSecret"
import * as LiteLlmKeys from "@switchyard/ledger/LiteLlmKeys"
import * as Money from "@switchyard/ledger/Money"
import { Clock, Effect, Redacted } from "effect"
import { CommandError, counted, fail, plain, print } from "../output.js"
import { table } from "../table.js"
import { commandError, type Flags as LedgerFlags, openLedger } from "./openLedger.js"

/** What `key` is asked beside what is to be done. */
export interface KeyFlags extends LedgerFlags {
  readonly name: string | undefined
  readonly team: string | undefined
  readonly user: string | undefined
  readonly models: string | undefined
  readonly tags: string | undefined
  readonly budget: string | undefined
  readonly per: string | undefined
  readonly rpm: string | undefined
  readonly tpm: string | undefined
  readonly parallel: string | undefined
  readonly expires: string | undefined
  readonly url: string | undefined
  readonly json: boolean
}

const refused = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({ message: `key: ${plain(message)}` })

const told = commandError("key")

const secretOf = (config: GatewayConfig | undefined): Redacted.Redacted | undefined => {
  const given = typeof config?.ledger === "object" ? config.ledger.secret : undefined
  const text = given ?? process.env["SWITCHYARD_LEDGER_SECRET"]?.trim()
  return text === undefined || text === "" ? undefined : typeof text === "string" ? Redacted.make(text) : text
}

/** The desk over the ledger of a configuration; `isReading` makes no ledger where there is none. */
const open = (flags: LedgerFlags, isReading: boolean) =>
  Effect.gen(function* () {
    const { config, place, store } = yield* openLedger("key", flags, isReading)
    const database = place._tag === "Sqlite" ? place.path : undefined
    const secret = yield* isReading
      ? Effect.succeed(Redacted.make(""))
      : Effect.mapError(LedgerSecret.find({ given: secretOf(config), database, notes: store }), told)
    const book = yield* Effect.mapError(KeyBook.make(store, secret), told)
    const names = new Set((config?.keys ?? []).map(({ name }) => name))
    const desk: Desk = {
      book,
      ledger: { store },
      isNamed: (name) => names.has(name),
      isKnown: () => false
    }
    return { desk, book, store }
  })

const list = (text: string | undefined): ReadonlyArray<string> | undefined => {
  const items = text?.split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]))
  return items === undefined || items.length === 0 ? undefined : items
}

const amount = (
  name: string,
  value: string | undefined,
  isWhole: boolean
): Effect.Effect<number | undefined, CommandError> => {
  if (value === undefined) return Effect.succeed(undefined)
  const found = /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : Number.NaN
  return Number.isNaN(found) || (isWhole && !Number.isInteger(found))
    ? fail(`key: --${name}: expected ${isWhole ? "a whole number" : "USD"}, found ${JSON.stringify(value)}`)
    : Effect.succeed(found)
}

/** Makes a key in the ledger, and shows it this once. */
export const create = (flags: KeyFlags) =>
  Effect.gen(function* () {
    const max_budget = yield* amount("budget", flags.budget, false)
    const rpm_limit = yield* amount("rpm", flags.rpm, true)
    const tpm_limit = yield* amount("tpm", flags.tpm, true)
    const max_parallel_requests = yield* amount("parallel", flags.parallel, true)
    if (flags.per !== undefined && max_budget === undefined)
      return yield* fail("key: --per means nothing without --budget")
    const { desk } = yield* open(flags, false)
    const { key, kept } = yield* Effect.mapError(
      KeyDesk.generate(desk, {
        key_alias: flags.name,
        team_id: flags.team,
        user_id: flags.user,
        models: list(flags.models),
        tags: list(flags.tags),
        max_budget,
        budget_duration: flags.per,
        rpm_limit,
        tpm_limit,
        max_parallel_requests,
        duration: flags.expires
      }),
      refused
    )
    const shown = Redacted.value(key)
    yield* print(
      flags.json
        ? JSON.stringify({ key: shown, name: kept.name })
        : `The key ${plain(kept.name)}. It is shown this once and stored nowhere; hand it to the caller:\n\n  ${shown}`
    )
  })

const shownModels = ({ models }: LedgerKey): string => (models === undefined ? "all" : models.join(" "))

const shownBudget = ({ allowance }: LedgerKey): string => {
  if (allowance === undefined || allowance.max === Number.MAX_SAFE_INTEGER) return ""
  const { max, window } = allowance
  return `${Money.toDollars(max)} USD${window === undefined ? "" : ` per ${window / 86_400_000} d`}`
}

const stateOf = ({ expiresAt, isBlocked }: LedgerKey, now: number): string =>
  isBlocked
    ? "blocked"
    : expiresAt === undefined
      ? ""
      : expiresAt <= now
        ? "expired"
        : `until ${new Date(expiresAt).toISOString().slice(0, 10)}`

/** Shows the ledger's keys, and none of them itself. */
export const show = (flags: KeyFlags) =>
  Effect.gen(function* () {
    const { book } = yield* open(flags, true)
    const now = yield* Clock.currentTimeMillis
    const keys = [...book.keys()].sort((a, b) => (a.name < b.name ? -1 : 1))
    yield* print(
      flags.json
        ? JSON.stringify(
            keys.map(({ hash: _, ...key }) => key),
            null,
            2
          )
        : [
            table(
              ["name", "key", "team", "user", "models", "budget", "state"].map((title) => ({ title })),
              keys.map((key) =>
                [
                  key.name,
                  key.hint,
                  key.team ?? "",
                  key.user ?? "",
                  shownModels(key),
                  shownBudget(key),
                  stateOf(key, now)
                ].map(plain)
              )
            ),
            counted(keys.length, "key")
          ].join("\n")
    )
  })

/** Deletes a key by its name. */
export const revoke = (flags: KeyFlags, named: string) =>
  Effect.gen(function* () {
    if (named === "") return yield* fail("key: revoke: expected the name of a key: switchyard key revoke NAME")
    const { desk } = yield* open(flags, false)
    yield* Effect.mapError(KeyDesk.remove(desk, { key_aliases: [named] }), refused)
    yield* print(`${plain(named)} is gone; gateways that run notice within 2 seconds`)
  })

/** Takes over the keys of a LiteLLM database, which stays as it is. */
export const importLiteLlm = (flags: KeyFlags) =>
  Effect.gen(function* () {
    const { url } = flags
    if (url === undefined)
      return yield* fail("key: import: expected --url postgresql://USER:PASSWORD@HOST/DATABASE, LiteLLM's database")
    const { book, store } = yield* open(flags, false)
    const LiteLlmDatabase = yield* Effect.promise(() => import("@switchyard/ledger/LiteLlmDatabase"))
    const tables = yield* Effect.mapError(LiteLlmDatabase.read(url), told)
    const now = yield* Clock.currentTimeMillis
    const isThere = (hash: string) => book.byHash(hash) !== undefined
    const fresh = {
      ...tables,
      keys: tables.keys.filter(({ token }) => !isThere(`sha256:${String(token).toLowerCase()}`)),
      teams: tables.teams.filter(({ team_id }) => book.group("team", String(team_id)) === undefined),
      users: tables.users.filter(({ user_id }) => book.group("user", String(user_id)) === undefined)
    }
    const { groups, keys, notes, spent } = LiteLlmKeys.read(fresh, now, (name) => book.named(name) !== undefined)
    yield* Effect.mapError(
      Effect.gen(function* () {
        // What is spent comes first: a key without its budget's past could spend it again.
        if (spent.length > 0) yield* store.write({ journal: `import-${now}`, from: 0, to: 1, records: [], spent })
        yield* Effect.forEach(groups, (group) => book.putGroup(group, undefined), { discard: true })
        yield* Effect.forEach(keys, (key) => book.putKey(key, undefined), { discard: true })
      }),
      told
    )
    const before = tables.keys.length - fresh.keys.length
    const teams = groups.filter(({ kind }) => kind === "team").length
    yield* print(
      [
        `${counted(keys.length, "key")}, ${counted(teams, "team")} and ${counted(groups.length - teams, "user")} taken over, ${counted(spent.length, "window")} with what is spent of them`,
        ...(before === 0 ? [] : [`${counted(before, "key")} were there already`]),
        ...notes.map((note) => `not carried over: ${plain(note)}`)
      ].join("\n")
    )
  })
