import * as crypto from "node:crypto"
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { Redacted } from "effect"

type Secret = string | Redacted.Redacted<string>

/** A virtual key, as far as its secret goes. */
interface Bearer {
  readonly name: string
  readonly key?: Secret | undefined
  readonly hash?: string | undefined
}

const textOf = (secret: Secret): string => (typeof secret === "string" ? secret : Redacted.value(secret)).trim()

/** SHA-256 in hex, in one step where Node has it (20.12): no object to make and to clean up for each request. */
export const sha256: (text: string) => string =
  typeof crypto.hash === "function"
    ? (text) => crypto.hash("sha256", text, "hex")
    : (text) => crypto.createHash("sha256").update(text).digest("hex")

/** The hash under which a secret is known: what stands around it by mistake does not count. */
export const hashOfSecret = (secret: Secret): string => sha256(textOf(secret))

/** The same of a virtual key, which may hold the hash alone; undefined where it has neither. */
export const hashOfKey = ({ hash, key }: Omit<Bearer, "name">): string | undefined =>
  hash !== undefined ? hash.replace(/^sha256:/i, "").toLowerCase() : key === undefined ? undefined : hashOfSecret(key)

/** A master key that nobody can send, and secrets that two bear: whose rights a request had would be anybody's guess. */
export const secretIssues = (
  keys: ReadonlyArray<Bearer>,
  masterKey: Secret | undefined
): ReadonlyArray<ConfigIssue> => {
  const issues: Array<ConfigIssue> = []
  const bearers = new Map<string, string>()
  if (masterKey !== undefined) {
    if (textOf(masterKey) === "") issues.push(issue("masterKey", masterKey, "a key, not only white space"))
    bearers.set(hashOfSecret(masterKey), "masterKey")
  }
  keys.forEach((key, index) => {
    const at = `keys[${index}]`
    if (key.key !== undefined && textOf(key.key) === "") {
      issues.push(issue(`${at}.key`, key.key, "a key, not only white space"))
    }
    const hash = hashOfKey(key)
    if (hash === undefined) return
    const bearer = bearers.get(hash)
    if (bearer === undefined) bearers.set(hash, at)
    else issues.push(issue(at, { name: key.name }, `a secret of its own: ${bearer} has the same`))
  })
  return issues
}
