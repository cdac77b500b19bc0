import type { BoardEngine, Posted } from "@switchyard/router/BoardEngine"
import { Effect } from "effect"
import type { RedisConnection, Script } from "../connection/RedisConnection.js"
import * as boards from "../scripts/boards.js"

const post: Script = { name: "switchyardPost", keys: 2, text: boards.post }
const read: Script = { name: "switchyardRead", keys: 2, text: boards.read }

/** Boards in Redis: each lives in one place of a cluster. */
export const make = (connection: RedisConnection): BoardEngine => {
  const keysOf = (board: string) => connection.keysOf(`board:${board}`, ["words", "ends"])
  return {
    post: (board, member, json, lasts) =>
      Effect.asVoid(connection.run(post, keysOf(board), [member, Math.ceil(lasts), json])),
    read: (board) =>
      Effect.map(connection.run(read, keysOf(board), []), (reply) => {
        const parts = Array.isArray(reply) ? reply : []
        const found: Array<Posted> = []
        for (let index = 0; index + 2 < parts.length; index += 3) {
          found.push({ member: String(parts[index]), age: Number(parts[index + 1]), json: String(parts[index + 2]) })
        }
        return found
      })
  }
}
