/**
 * Makes keys for callers. The key itself is shown once; the configuration holds its hash, so that nobody reads it there.
 */
import { createHash, randomBytes } from "node:crypto"
import { Effect } from "effect"
import { fail, print } from "../output.js"

/** A new key: 256 random bits. */
export const makeKey: Effect.Effect<string> = Effect.sync(() => `sk-${randomBytes(32).toString("base64url")}`)

/** The key with the entry that lets it in. */
export const render = (name: string, key: string): string =>
  [
    "The key. It is shown this once and stored nowhere; hand it to the caller:",
    "",
    `  ${key}`,
    "",
    "The entry for the configuration file. It holds the hash only:",
    "",
    "keys:",
    `  - name: ${JSON.stringify(name)}`,
    `    hash: "sha256:${createHash("sha256").update(key).digest("hex")}"`
  ].join("\n")

/** Prints a new key, and what a configuration says of it. */
export const printEntry = (name: string) =>
  name.trim() === ""
    ? fail("key: --name: expected a name that is not empty")
    : Effect.flatMap(makeKey, (key) => print(render(name, key)))
