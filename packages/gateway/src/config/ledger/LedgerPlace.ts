/**
 * Where a configuration's keys, budgets and records are kept, found out without making or asking anything.
 */
import * as fs from "node:fs"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { maskUrl } from "@switchyard/core/Secret"
import { Redacted } from "effect"
import type { Variables } from "../Environment.js"
import type { GatewayConfig } from "../GatewayConfig.js"
import type { Problem } from "../Problem.js"
import { fileOf } from "./ledgerSettings.js"

/** The variable that names the data folder, where no command line does. */
export const dataVariable = "SWITCHYARD_DATA"

/** The file of the ledger in the data folder, where the configuration names none. */
export const usualFile = "ledger.db"

/** Where the ledger is. */
export type LedgerPlace =
  /** Nothing is kept: `unasked`, there is neither a key nor a budget; `false`, the configuration says so. */
  | { readonly _tag: "None"; readonly why: "unasked" | "false" }
  | {
      readonly _tag: "Sqlite"
      /** Absolute. */
      readonly path: string
      /** Where the journal is. */
      readonly data: string | undefined
      /** Nobody has asked for it by name: without a place for it all goes on in memory. */
      readonly isImplied: boolean
      /** Why nothing can be written there; undefined when it looks as if it could. */
      readonly unwritable: string | undefined
    }
  | {
      readonly _tag: "Postgres"
      readonly url: Redacted.Redacted<string>
      /** Without what nobody may read. */
      readonly shown: string
      /** Where the journal is: the spool for when the store is away. */
      readonly data: string | undefined
      /** Why no spool can be written. */
      readonly unwritable: string | undefined
    }
  /** There should be one, and no folder is known that it could lie in. */
  | { readonly _tag: "Homeless"; readonly isImplied: boolean; readonly unwritable: string }

/** What decides about the folder beside the configuration. */
export interface Surroundings {
  /** The folder that a command line names. */
  readonly data?: string | undefined
  readonly env: Variables
}

const isGiven = (text: string | undefined): text is string => text !== undefined && text.trim() !== ""

const home = (): string | undefined => {
  try {
    const found = homedir()
    return isAbsolute(found) ? found : undefined
  } catch {
    return undefined
  }
}

/** The data folder: as it was named, else the one of the XDG base directories for state; never beside a configuration. */
export const dataFolder = ({ data, env }: Surroundings): string | undefined => {
  if (isGiven(data)) return resolve(data)
  const named = env[dataVariable]
  if (isGiven(named)) return resolve(named)
  const state = env["XDG_STATE_HOME"]
  // The specification has relative ones ignored.
  if (isGiven(state) && isAbsolute(state)) return join(state, "switchyard")
  const own = isGiven(env["HOME"]) && isAbsolute(env["HOME"]) ? env["HOME"] : home()
  return own === undefined ? undefined : join(own, ".local", "state", "switchyard")
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "there is no permission to write it",
  EPERM: "there is no permission to write it",
  EROFS: "its file system is read-only",
  ENOTDIR: "part of its path is no folder"
}

const reasonOf = (error: unknown): string =>
  reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? "it cannot be written"

/** Why nothing can be written to a folder, or made on the way to it; undefined where it seems that it can. */
const unwritableFolder = (folder: string): string | undefined => {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const stat = fs.statSync(at)
      if (!stat.isDirectory()) return reasons["ENOTDIR"]
      fs.accessSync(at, fs.constants.W_OK | fs.constants.X_OK)
      return undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(at) === at) return reasonOf(error)
    }
  }
}

const unwritableFile = (path: string): string | undefined => {
  const folder = unwritableFolder(dirname(path))
  if (folder !== undefined) return folder
  try {
    if (!fs.statSync(path).isFile()) return "it is no file"
    fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : reasonOf(error)
  }
}

const isSome = (record: object | undefined): boolean => record !== undefined && Object.keys(record).length > 0

/** Whether anybody or anything has a limit of money. */
export const hasBudget = ({ keys, router }: Pick<GatewayConfig, "keys" | "router">): boolean => {
  const { callerBudget, spendLimits } = router
  return (
    keys.some(({ budget }) => budget !== undefined) ||
    (typeof callerBudget === "object" && (callerBudget.everyCaller !== undefined || isSome(callerBudget.callers))) ||
    (typeof spendLimits === "object" && Object.values(spendLimits).some((limits) => isSome(limits)))
  )
}

type Asking = Pick<GatewayConfig, "keys" | "ledger" | "masterKey" | "router">

const isAsked = (config: Asking): boolean =>
  config.ledger !== undefined || config.masterKey !== undefined || config.keys.length > 0 || hasBudget(config)

const noFolder = `no folder is known for it: name one with --data or ${dataVariable}`

/** Where the ledger of a configuration is. Looks at the file system; makes nothing, and asks no network. */
export const placeOf = (config: Asking, surroundings: Surroundings): LedgerPlace => {
  const { ledger } = config
  if (ledger === false) return { _tag: "None", why: "false" }
  if (!isAsked(config)) return { _tag: "None", why: "unasked" }
  const given = ledger?.url
  const url = given === undefined ? undefined : typeof given === "string" ? given : Redacted.value(given)
  const data = dataFolder(surroundings)
  const file = url === undefined ? usualFile : fileOf(url)
  if (url !== undefined && file === undefined) {
    const unwritable = data === undefined ? noFolder : unwritableFolder(data)
    return { _tag: "Postgres", url: Redacted.make(url), shown: maskUrl(url), data, unwritable }
  }
  const isImplied = url === undefined
  const name = file ?? usualFile
  if (!isAbsolute(name) && data === undefined) return { _tag: "Homeless", isImplied, unwritable: noFolder }
  const path = isAbsolute(name) ? name : join(data ?? "", name)
  return { _tag: "Sqlite", path, data: data ?? dirname(path), isImplied, unwritable: unwritableFile(path) }
}

/** Where it is, in words for people. */
export const shownPlace = (place: LedgerPlace): string => {
  switch (place._tag) {
    case "None":
      return place.why === "false"
        ? "in memory only (ledger: false)"
        : "nothing to keep: there is neither a key nor a budget"
    case "Homeless":
      return `in memory only: ${place.unwritable}`
    case "Sqlite":
      return place.unwritable === undefined ? place.path : `${place.path}, but ${place.unwritable}`
    case "Postgres":
      return place.shown
  }
}

const problem = (severity: Problem["severity"], path: string, message: string): Problem => ({
  severity,
  path,
  message,
  file: undefined,
  line: undefined,
  column: undefined
})

const mend = `name a folder with --data or ${dataVariable}, or say "ledger: false"`

/**
 * What is wrong with a place: a budget that nobody keeps is a warning, keys alone a note. A place that was asked for by name is an error at the start.
 */
export const problemsOf = (place: LedgerPlace, config: Asking): ReadonlyArray<Problem> => {
  if (place._tag === "None" || place.unwritable === undefined) return []
  if (place._tag === "Postgres") {
    return [
      problem(
        "warning",
        "ledger.spool",
        `nothing can be kept in ${place.data ?? "a data folder"} while the database is away, and its records are lost then: ${place.unwritable} (--data and ${dataVariable} name another one)`
      )
    ]
  }
  const where = place._tag === "Sqlite" ? `${place.path}: ${place.unwritable}` : place.unwritable
  return hasBudget(config)
    ? [
        problem(
          "warning",
          "ledger",
          `what is spent of budgets is forgotten with each restart, since it cannot be kept: ${where}; ${mend}`
        )
      ]
    : [problem(place.isImplied ? "note" : "warning", "ledger", `no keys and no usage are kept: ${where}; ${mend}`)]
}

const keyOf = (place: LedgerPlace): string =>
  place._tag === "Postgres" ? Redacted.value(place.url) : place._tag === "Sqlite" ? place.path : place._tag

/** What a reload says that asks for another ledger than the one in force. */
export const changed = (inForce: LedgerPlace, config: Asking, surroundings: Surroundings): ReadonlyArray<Problem> => {
  const next = placeOf(config, surroundings)
  return keyOf(next) === keyOf(inForce) || next._tag === "Homeless"
    ? []
    : [
        problem(
          "warning",
          "ledger",
          `read at the start: until the next one the ledger stays as it is (${shownPlace(inForce)})`
        )
      ]
}
