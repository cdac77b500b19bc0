/** What Postgres says, in words for people. */
import { LedgerError } from "../../errors/LedgerError.js"

interface Said {
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: ReadonlyArray<unknown>
}

/** The innermost error: the client wraps what the server or the socket said. */
const innermost = (thrown: unknown): Said => {
  let said = (thrown ?? {}) as Said
  for (let depth = 0; depth < 5; depth++) {
    const inner = said.cause ?? said.errors?.[0]
    if (typeof inner !== "object" || inner === null) break
    said = inner as Said
  }
  return said
}

type Reason = LedgerError["reason"]

const exact: Readonly<Record<string, readonly [Reason, string]>> = {
  "28P01": ["refused", "it refuses the user or the password of database_url"],
  "28000": ["refused", "it refuses the user or the address that we come from (pg_hba.conf)"],
  "3D000": ["refused", "it has no database of that name: create it, or correct database_url"],
  "42501": [
    "rights",
    "the role of database_url may not: give it CREATE on the database, or let its owner run CREATE SCHEMA switchyard AUTHORIZATION role"
  ],
  "25006": ["readOnly", "it can only be read: is it a replica?"],
  "53100": ["full", "its disk is full"],
  "53300": ["away", "it takes no more connections"],
  "23505": ["conflict", "it has such an entry already"],
  "55P03": ["locked", "another program holds its tables"],
  "57014": ["away", "it did not answer in time"]
}

/** A deadlock's victim, and one that came between two others: nothing was done, and done again it may well be. */
const turnedBack: ReadonlySet<unknown> = new Set(["40P01", "40001"])

/** A property and no set of errors: who fails with an error in a span passes on a proxy of it. */
const isVictim = Symbol("isVictim")

/** Whether the transaction only has to be done again: the server has undone it in favour of another. */
export const isTurnedBack = (error: LedgerError & { readonly [isVictim]?: true }): boolean => error[isVictim] === true

/** What was thrown about a server, as the ledger's error. Its own words are left out: they may hold values. */
export const of = (thrown: unknown, place: string): LedgerError => {
  if (thrown instanceof LedgerError) return thrown
  const { code, message } = innermost(thrown)
  const known = typeof code === "string" ? exact[code] : undefined
  if (known !== undefined) return new LedgerError({ reason: known[0], description: `${place}: ${known[1]}` })
  const isSql = typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^(08|53|57|58|XX)/.test(code)
  const why = typeof code === "string" ? code : String(message ?? "no answer")
  const error = new LedgerError({
    reason: isSql ? "place" : "away",
    description: isSql
      ? `${place} did not do what it was asked for (${code})`
      : `${place} can't be reached or did not answer in time (${why}): the journal goes on, and it is tried again`
  })
  return turnedBack.has(code) ? Object.assign(error, { [isVictim]: true as const }) : error
}
