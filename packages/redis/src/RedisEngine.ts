/**
 * What many processes share, kept in Redis or Valkey: each operation is one script over the keys of one name, so that it is
 * atomic there and fits into one place of a cluster.
 */
import { randomUUID } from "node:crypto"
import type { Engine } from "@switchyard/router/Engine"
import { Effect, type Scope } from "effect"
import * as RedisConnection from "./connection/RedisConnection.js"
import * as boards from "./engine/boards.js"
import * as borrowed from "./engine/borrowed.js"
import * as breakers from "./engine/breakers.js"
import * as spend from "./engine/spend.js"
import * as usage from "./engine/usage.js"
import * as values from "./engine/values.js"
import * as replicas from "./scripts/replicas.js"

const announceScript: RedisConnection.Script = { name: "switchyardAnnounce", keys: 1, text: replicas.announce }

/** How the server is reached. */
export type Options = RedisConnection.Options

/** An engine over a connection, for as long as the scope lives. */
export const fromConnection = (
  connection: RedisConnection.RedisConnection
): Effect.Effect<Engine, never, Scope.Scope> => {
  const news: Engine["news"] = { publish: connection.publish, listen: connection.listen }
  let replicasThere = 1
  // Callers know no id of a process, and so none of a loan.
  const lending = borrowed.make(randomUUID(), usage.make(connection), news, () => replicasThere)
  return Effect.map(lending, ({ lent, usage }) => ({
    name: `redis ${connection.place}`,
    usage,
    lent,
    spend: spend.make(connection),
    boards: boards.make(connection),
    news,
    breakers: breakers.make(connection),
    values: values.make(connection),
    announce: (id, lasts) =>
      Effect.map(connection.run(announceScript, connection.keysOf("replicas", ["alive"]), [id, lasts]), (reply) => {
        const [count = 1, place = 0] = Array.isArray(reply) ? reply.map(Number) : []
        replicasThere = count
        return { count, place }
      })
  }))
}

/** An engine over a connection of its own, for as long as the scope lives. */
export const make = (options: Options = {}): Effect.Effect<Engine, never, Scope.Scope> =>
  Effect.flatMap(RedisConnection.make(options), fromConnection)
