/**
 * Where keys, budgets and usage are kept beyond the end of the process, and for how long.
 */
import * as Field from "@switchyard/core/Field"
import { Redacted, Schema } from "effect"
import { secret } from "../callerSettings.js"

/** How a URL of Postgres begins. */
const postgres = /^postgres(?:ql)?:\/\/[^\s/]/i

/** How a file of SQLite is named. */
const sqlite = /^sqlite:(?:\/\/)?(?=[^\s])/i

const isPlace = (given: string | Redacted.Redacted<string>): boolean => {
  const text = (typeof given === "string" ? given : Redacted.value(given)).trim()
  return sqlite.test(text) ? fileOf(text) !== undefined : postgres.test(text) && URL.canParse(text)
}

/** The path that `sqlite:PATH` names; undefined for every other text, and where it ends in no name of a file. */
export const fileOf = (url: string): string | undefined => {
  if (!sqlite.test(url)) return undefined
  // Others write `sqlite:///./PATH` for a relative one.
  const path = url.replace(sqlite, "").replace(/^\/(?=\.{1,2}\/)/, "")
  return path === ":memory:" || /[\\/]$/.test(path) || path.includes("\0") ? undefined : path
}

const place = secret.pipe(Schema.filter(isPlace)).annotations({
  message: () => ({ message: "postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:PATH", override: true }),
  jsonSchema: { type: "string", pattern: "^(postgres(ql)?://|sqlite:)." }
})

const leastSecret = 16

const own = secret
  .pipe(
    Schema.filter((given) => (typeof given === "string" ? given : Redacted.value(given)).trim().length >= leastSecret)
  )
  .annotations({
    message: () => ({ message: `a secret of at least ${leastSecret} characters`, override: true }),
    jsonSchema: { type: "string", minLength: leastSecret }
  })

/** What is kept beyond the end of the process: keys, budgets and a record of each request. */
export const Ledger = Field.options(
  "What is kept beyond the end of the process: keys, budgets and a record of each request.",
  {
    /**
     * Where it is kept: `postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:PATH`, of which a relative one lies in the data
     * folder. Default `sqlite:ledger.db`, as soon as there is a key or a budget.
     */
    url: Field.option(
      place,
      "Where it is kept: `postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:PATH`, of which a relative one lies in the data folder. Default `sqlite:ledger.db`, as soon as there is a key or a budget."
    ),
    /** How long the record of a request is kept; sums by day stay. Default 90 days. */
    keep: Field.option(
      Field.duration,
      "How long the record of a request is kept; sums by day stay. Default 90 days.",
      90 * 86_400_000
    ),
    /**
     * Bytes in the data folder that wait for a store that is away; what finds no room there is lost, and counted. Default 256
     * MiB.
     */
    spool: Field.option(
      Field.positiveCount,
      "Bytes in the data folder that wait for a store that is away; what finds no room there is lost, and counted. Default 256 MiB.",
      256 * 1024 * 1024
    ),
    /**
     * How long keys that are known go on while the store is away; after that they are refused, too, with 503. Default 1 hour.
     */
    staleFor: Field.option(
      Field.durationOrZero,
      "How long keys that are known go on while the store is away; after that they are refused, too, with 503. Default 1 hour.",
      3_600_000
    ),
    /**
     * With what the keys of the ledger are hashed: at least 16 characters, the same for all who share a store. Default: a random
     * one, which is kept beside an SQLite file, and in Postgres.
     */
    secret: Field.option(
      own,
      "With what the keys of the ledger are hashed: at least 16 characters, the same for all who share a store. Default: a random one, which is kept beside an SQLite file, and in Postgres."
    )
  }
)
/** What is kept beyond the end of the process: keys, budgets and a record of each request. */
export type Ledger = typeof Ledger.Type

/** What the ledger's settings are when they are left out. */
export const ledgerDefaults = Field.defaults(Ledger)

/** The field of the configuration: `false` keeps nothing. */
export const ledgerField = Field.option(
  Schema.Union(Schema.Literal(false), Ledger),
  "What is kept beyond the end of the process: keys, budgets and a record of each request; `false`: nothing. Like `server`, it is read at the start and not at a reload."
)

const redact = (value: string | Redacted.Redacted<string>): Redacted.Redacted<string> =>
  Redacted.make((typeof value === "string" ? value : Redacted.value(value)).trim())

/** Settings whose address and secret nobody reads by accident. */
export const sealedLedger = (ledger: false | Ledger | undefined): false | Ledger | undefined =>
  ledger === undefined || ledger === false
    ? ledger
    : {
        ...ledger,
        ...(ledger.url === undefined ? {} : { url: redact(ledger.url) }),
        ...(ledger.secret === undefined ? {} : { secret: redact(ledger.secret) })
      }
