/**
 * Keys from the environment: `SWITCHYARD_MASTER_KEY`, `SWITCHYARD_ID_SECRET` (`server.idSecret`), and `SWITCHYARD_KEYS` as a JSON list of virtual keys or as
 * `name=key,name2=key2`; and `SWITCHYARD_LEDGER_URL` and `SWITCHYARD_LEDGER_SECRET` (`ledger.url`, `ledger.secret`). They beat
 * the file's, so that a file need not hold any, and work without a file.
 */
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { Option } from "effect"
import type { Variables } from "./Environment.js"
import { VirtualKey } from "./GatewayConfig.js"

/** The variable that holds the master key. */
export const masterKeyVariable = "SWITCHYARD_MASTER_KEY"

/** The variable that holds virtual keys. */
export const keysVariable = "SWITCHYARD_KEYS"

/** The variable that holds `server.idSecret`. */
export const idSecretVariable = "SWITCHYARD_ID_SECRET"

/** The variable that holds `ledger.url`. */
export const ledgerUrlVariable = "SWITCHYARD_LEDGER_URL"

/** The variable that holds `ledger.secret`. */
export const ledgerSecretVariable = "SWITCHYARD_LEDGER_SECRET"

/** Settings with the environment's keys laid over them. */
export interface WithKeys {
  readonly settings: Readonly<Record<string, unknown>>
  /** What is wrong with the variables; paths begin with a variable's name. Never with a key in them. */
  readonly issues: ReadonlyArray<ConfigIssue>
}

interface Keys {
  readonly keys: ReadonlyArray<VirtualKey>
  readonly issues: ReadonlyArray<ConfigIssue>
}

const wrong = (path: string, expected: string): Keys => ({ keys: [], issues: [{ path, value: "<secret>", expected }] })

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const fromJson = (text: string): Keys => {
  const list = Option.getOrUndefined(parseJson(text))
  if (!Array.isArray(list)) return wrong(keysVariable, "a JSON list of keys, or name=key,name2=key2")
  const issues = list.flatMap((entry: unknown, index) =>
    Field.issuesOf(VirtualKey, entry, `${keysVariable}[${index}]`).map((found) => ({ ...found, value: "<secret>" }))
  )
  return { keys: issues.length === 0 ? (list as ReadonlyArray<VirtualKey>) : [], issues }
}

const fromPairs = (text: string): Keys => {
  const pairs = text.split(",").filter((pair) => pair.trim() !== "")
  const parsed = pairs.map((pair) => /^\s*([^=\s]+)\s*=\s*(\S+)\s*$/.exec(pair))
  const first = parsed.indexOf(null)
  if (first !== -1) return wrong(`${keysVariable}[${first}]`, "name=key")
  return { keys: parsed.map((match) => ({ name: match?.[1] ?? "", key: match?.[2] ?? "" })), issues: [] }
}

const parseKeys = (text: string | undefined): Keys => {
  if (text === undefined) return { keys: [], issues: [] }
  if (text.trim() === "") return { keys: [], issues: [issue(keysVariable, "", "keys; unset it if there are none")] }
  return /^\s*[[{]/.test(text) ? fromJson(text) : fromPairs(text)
}

const nameOf = (key: unknown): unknown => (key as { readonly name?: unknown } | null)?.name

/** An empty variable is a secret that did not arrive: the decoder says so. */
const withIdSecret = (server: unknown, secret: string | undefined): object =>
  secret === undefined || (server !== undefined && (typeof server !== "object" || server === null))
    ? {}
    : { server: { ...server, idSecret: secret.trim() } }

/** A ledger that the file switches off stays off. */
const withLedger = (ledger: unknown, url: string | undefined, secret: string | undefined): object => {
  const given = {
    ...(url === undefined ? {} : { url: url.trim() }),
    ...(secret === undefined ? {} : { secret: secret.trim() })
  }
  return Object.keys(given).length === 0 || (ledger !== undefined && (typeof ledger !== "object" || ledger === null))
    ? {}
    : { ledger: { ...ledger, ...given } }
}

/** Lays the environment's keys over settings: a key replaces the one of its name, else it comes after the file's. */
export const overlay = (settings: Readonly<Record<string, unknown>>, variables: Variables): WithKeys => {
  const { issues, keys } = parseKeys(variables[keysVariable])
  const masterKey = variables[masterKeyVariable]?.trim()
  const before: ReadonlyArray<unknown> = Array.isArray(settings["keys"]) ? settings["keys"] : []
  const kept = before.map((entry) => keys.find(({ name }) => name === nameOf(entry)) ?? entry)
  const added = keys.filter(({ name }) => !before.some((entry) => nameOf(entry) === name))
  return {
    settings: {
      ...settings,
      ...withIdSecret(settings["server"], variables[idSecretVariable]),
      ...withLedger(settings["ledger"], variables[ledgerUrlVariable], variables[ledgerSecretVariable]),
      ...(keys.length === 0 ? {} : { keys: [...kept, ...added] }),
      ...(masterKey === undefined || masterKey === "" ? {} : { masterKey })
    },
    issues: masterKey === "" ? [...issues, issue(masterKeyVariable, "", "a key; unset it if there is none")] : issues
  }
}
