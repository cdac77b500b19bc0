/**
 * The secret under which keys are hashed. Whoever has it, and the store, can tell whether a key that he guesses is one; so it is
 * kept apart from the keys where it can be: beside an SQLite file, not in it. Gateways that share a Postgres share it there.
 */
import * as crypto from "node:crypto"
import * as fs from "node:fs/promises"
import { Effect, Redacted } from "effect"
import { LedgerError } from "../errors/LedgerError.js"

/** Where small texts are kept by name, as a store does. */
export interface Notes {
  readonly note: (name: string) => Effect.Effect<string | undefined, LedgerError>
  /** Writes a text unless there is one; gives the one that is there then. */
  readonly keepNote: (name: string, text: string) => Effect.Effect<string, LedgerError>
}

/** The name of the note. */
export const noteName = "secret"

const make = Effect.sync(() => crypto.randomBytes(32).toString("base64url"))

const shortest = 32

const unusable = (path: string, why: string): LedgerError =>
  new LedgerError({
    reason: "place",
    description: `the ledger's secret can't be kept in ${path}: ${why}. Set ledger.secret, or make room for the file`
  })

const codeOf = (error: unknown): string => {
  const { code } = error as NodeJS.ErrnoException
  return code ?? "it failed"
}

const read = async (path: string): Promise<string | undefined> => {
  try {
    return (await fs.readFile(path, "utf8")).trim()
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** Written whole under another name and then linked: whoever comes second finds the first one's, and never half of it. */
const writeOnce = async (path: string, text: string): Promise<void> => {
  const beside = `${path}.${process.pid}.${crypto.randomBytes(4).toString("hex")}`
  await fs.writeFile(beside, `${text}\n`, { mode: 0o600, flag: "wx", flush: true })
  try {
    await fs.link(beside, path)
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  } finally {
    await fs.rm(beside, { force: true })
  }
}

/** Kept in a file that only its owner reads (0600); made with the first use. */
export const ofFile = (path: string): Effect.Effect<Redacted.Redacted, LedgerError> =>
  Effect.flatMap(make, (made) =>
    Effect.tryPromise({
      try: async () => {
        const known = await read(path)
        if (known !== undefined) return known
        await writeOnce(path, made)
        return (await read(path)) ?? ""
      },
      catch: (error) => unusable(path, codeOf(error))
    })
  ).pipe(
    Effect.filterOrFail(
      (text) => text.length >= shortest,
      () => unusable(path, `it holds fewer than ${shortest} characters; without the one that was there no key is known`)
    ),
    Effect.map((text) => Redacted.make(text))
  )

/** Kept as a note of the store, the same for all who share it; made with the first use. */
export const ofNotes = (notes: Notes): Effect.Effect<Redacted.Redacted, LedgerError> =>
  Effect.gen(function* () {
    const known = yield* notes.note(noteName)
    if (known !== undefined) return Redacted.make(known)
    return Redacted.make(yield* notes.keepNote(noteName, yield* make))
  })

/** The secret: what is given, else of a file beside a database that is one, else of the store's notes. */
export const find = (where: {
  readonly given: Redacted.Redacted | undefined
  /** The path of an SQLite file; undefined for a store elsewhere. */
  readonly database: string | undefined
  readonly notes: Notes
}): Effect.Effect<Redacted.Redacted, LedgerError> => {
  const { database, given, notes } = where
  if (given !== undefined) return Effect.succeed(given)
  return database === undefined ? ofNotes(notes) : ofFile(`${database}.secret`)
}
