import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect, Redacted } from "effect"
import * as Asks from "../../api/KeyAsks.js"
import * as KeysApi from "../../api/KeysApi.js"
import * as KeyDesk from "../../keys/management/KeyDesk.js"
import { missing } from "../../keys/management/refusals.js"
import * as answers from "../controlAnswers.js"
import { type Answering, latestFirst, type ManagementDeps, pageOf } from "./answering.js"

/** Keys. */
export const layer = ({ callerOf, desk }: ManagementDeps, { keyView, keyViews, posted, queried }: Answering) => {
  const { book } = desk
  const made = ({ kept, key }: KeyDesk.Made) =>
    Effect.map(keyView(kept), (view) => ({ key: Redacted.value(key), ...view }))

  const keyInfo = queried((query, { request }) =>
    Effect.gen(function* () {
      const caller = yield* callerOf(request)
      const text = query.text("key")
      const own = caller?.isMaster === true || caller?.name === undefined ? undefined : book.named(caller.name)
      if (text === undefined && own === undefined) return yield* Effect.fail(missing("key", "key"))
      const found = text === undefined ? own : yield* KeyDesk.find(desk, text)
      if (found === undefined || (caller?.isMaster !== true && found.hash !== own?.hash)) {
        return yield* Effect.fail(answers.notMaster(true))
      }
      return { key: text ?? found.hash, info: yield* keyView(found) }
    })
  )

  const listKeys = queried((query) =>
    Effect.gen(function* () {
      const page = query.count("page", 1, 1_000_000)
      const size = query.count("size", 10, 1_000)
      const isWhole = query.flag("return_full_object")
      query.flag("include_team_keys")
      yield* query.checked
      const [user, team, alias, hash] = ["user_id", "team_id", "key_alias", "key_hash"].map((name) => query.text(name))
      const keys = latestFirst(book.keys()).filter(
        (key) =>
          (user === undefined || key.user === user) &&
          (team === undefined || key.team === team) &&
          (alias === undefined || key.alias === alias) &&
          (hash === undefined || key.hash === hash)
      )
      const shown = pageOf(keys, page, size)
      return {
        keys: isWhole === true ? yield* keyViews(shown) : shown.map((key) => key.hash),
        total_count: keys.length,
        current_page: page,
        total_pages: Math.ceil(keys.length / size)
      }
    })
  )

  return HttpApiBuilder.group(KeysApi.Api, "keys", (handling) =>
    handling
      .handleRaw(
        "generateKey",
        posted(Asks.GenerateKey, (asked) => Effect.flatMap(KeyDesk.generate(desk, asked), made))
      )
      .handleRaw(
        "updateKey",
        posted(Asks.UpdateKey, (asked) => Effect.flatMap(KeyDesk.update(desk, asked), keyView))
      )
      .handleRaw(
        "deleteKeys",
        posted(Asks.DeleteKeys, (asked) => Effect.map(KeyDesk.remove(desk, asked), (gone) => ({ deleted_keys: gone })))
      )
      .handleRaw(
        "blockKey",
        posted(Asks.OneKey, ({ key }) => Effect.flatMap(KeyDesk.setBlocked(desk, key, true), keyView))
      )
      .handleRaw(
        "unblockKey",
        posted(Asks.OneKey, ({ key }) => Effect.flatMap(KeyDesk.setBlocked(desk, key, false), keyView))
      )
      .handleRaw(
        "regenerateKey",
        posted(Asks.RegenerateKey, (asked) => Effect.flatMap(KeyDesk.regenerate(desk, undefined, asked), made))
      )
      .handleRaw("regenerateThisKey", ({ path, request }) =>
        posted(Asks.RegenerateKey, (asked) => Effect.flatMap(KeyDesk.regenerate(desk, path.key, asked), made))({
          request
        })
      )
      .handleRaw("keyInfo", keyInfo)
      .handleRaw("listKeys", listKeys)
      .handleRaw("keysDocument", () => Effect.sync(() => answers.json(KeysApi.document())))
  )
}
