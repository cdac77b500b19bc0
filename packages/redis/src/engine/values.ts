import type { ValueEngine } from "@switchyard/router/ValueEngine"
import { Effect } from "effect"
import type { RedisConnection, Script } from "../connection/RedisConnection.js"
import * as scripts from "../scripts/values.js"

const get: Script = { name: "switchyardValueGet", keys: 1, text: scripts.get }
const set: Script = { name: "switchyardValueSet", keys: 1, text: scripts.set }
const remove: Script = { name: "switchyardValueRemove", keys: 1, text: scripts.remove }

/** Before each text: emulations take an empty one for none. */
const mark = "="

/** Values in Redis: each is a key of its own, so that a cluster spreads them. */
export const make = ({ keysOf, run }: RedisConnection): ValueEngine => {
  const keyOf = (key: string) => keysOf(`value:${key}`, ["text"])
  return {
    get: (key) =>
      Effect.map(run(get, keyOf(key), []), (reply) =>
        typeof reply === "string" ? reply.slice(mark.length) : undefined
      ),
    set: (key, text, lasts) => Effect.asVoid(run(set, keyOf(key), [mark + text, Math.max(1, Math.ceil(lasts))])),
    remove: (key) => Effect.asVoid(run(remove, keyOf(key), []))
  }
}
