/**
 * Keys as they are kept: under a hash that a secret of the ledger goes into, so that whoever reads the store, or a copy of it,
 * can neither use a key nor tell whether one that he has is in there.
 */
import * as crypto from "node:crypto"
import { Effect, Redacted } from "effect"

/** SHA-256 in hex. */
export const sha256 = (text: string): string => crypto.hash("sha256", text, "hex")

/** How a key is kept that was made here: HMAC-SHA256 under the secret, hex. */
export const ofKey = (secret: Redacted.Redacted, key: string): string =>
  crypto.createHmac("sha256", Redacted.value(secret)).update(key).digest("hex")

/** How a key is kept of which another program knew the SHA-256 alone. */
export const ofSha256 = (hash: string): string => `sha256:${hash.replace(/^sha256:/i, "").toLowerCase()}`

/** A key that nobody can guess: 192 random bits. */
export const makeKey: Effect.Effect<Redacted.Redacted> = Effect.sync(() =>
  Redacted.make(`sk-${crypto.randomBytes(24).toString("base64url")}`)
)

/** How a key is told apart by people: `sk-...1a2b`. Of a short one, which a caller chose, its end is not told. */
export const hintOf = (key: string): string => {
  const start = key.startsWith("sk-") ? "sk-" : ""
  return key.length < 16 ? `${start}...` : `${start}...${key.slice(-4)}`
}

/** The name of a key without an alias. */
export const nameOf = (hash: string): string => `key-${hash.replace(/^sha256:/, "").slice(0, 12)}`

/** Whether two texts of ASCII are the same, in a time that tells nothing about where they differ. */
export const areEqual = (a: string, b: string): boolean =>
  a.length === b.length && crypto.timingSafeEqual(Buffer.from(a), Buffer.from(b))
