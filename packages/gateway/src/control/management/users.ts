import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect, Redacted } from "effect"
import * as Asks from "../../api/KeyAsks.js"
import * as KeysApi from "../../api/KeysApi.js"
import * as GroupDesk from "../../keys/management/GroupDesk.js"
import * as KeyDesk from "../../keys/management/KeyDesk.js"
import * as views from "../../keys/management/views.js"
import { type Answering, latestFirst, type ManagementDeps, nothing, pageOf } from "./answering.js"

/** Users. */
export const layer = ({ desk }: ManagementDeps, { groupView, groupViews, keyViews, posted, queried }: Answering) => {
  const { book } = desk
  const userOf = (asked: Omit<Asks.NewUser, "user_id">): GroupDesk.GroupFields => ({
    ...asked,
    alias: asked.user_alias,
    notes: { user_email: asked.user_email, user_role: asked.user_role }
  })
  const newUser = posted(Asks.NewUser, (asked) =>
    Effect.gen(function* () {
      const { aliases, auto_create_key, duration, key_alias, team_id } = asked
      const ofKey = { aliases, duration, key_alias, team_id }
      // What can be wrong with its key is said before the user is there.
      yield* KeyDesk.checkFields(ofKey)
      if (typeof key_alias === "string") yield* KeyDesk.checkName(desk, key_alias)
      const user = yield* GroupDesk.create(desk, "user", asked.user_id, userOf(asked))
      const made = auto_create_key === false ? undefined : yield* KeyDesk.generate(desk, { ...ofKey, user_id: user.id })
      const key = made === undefined ? undefined : views.key(made.kept, nothing)
      return {
        ...(yield* groupView(user, views.user)),
        key: made === undefined ? null : Redacted.value(made.key),
        token: key?.token ?? null,
        key_name: key?.key_name ?? null,
        key_alias: key?.key_alias ?? null,
        expires: key?.expires ?? null,
        team_id: key?.team_id ?? null
      }
    })
  )
  return HttpApiBuilder.group(KeysApi.Api, "users", (handling) =>
    handling
      .handleRaw("newUser", newUser)
      .handleRaw(
        "updateUser",
        posted(Asks.UpdateUser, (asked) =>
          Effect.flatMap(GroupDesk.update(desk, "user", asked.user_id, userOf(asked)), (user) =>
            Effect.map(groupView(user, views.user), (data) => ({ user_id: user.id, data }))
          )
        )
      )
      .handleRaw(
        "deleteUsers",
        posted(Asks.UserIds, ({ user_ids }) =>
          Effect.map(GroupDesk.remove(desk, "user", user_ids), (gone) => ({
            deleted_users: user_ids,
            deleted_keys: gone
          }))
        )
      )
      .handleRaw(
        "userInfo",
        queried((query) =>
          Effect.gen(function* () {
            const id = query.needed("user_id", "the user")
            yield* query.checked
            const user = yield* GroupDesk.find(desk, "user", id)
            const own = latestFirst(GroupDesk.keysOf(desk, "user", id))
            const ids = new Set(own.map((key) => key.team))
            return {
              user_id: id,
              user_info: yield* groupView(user, views.user),
              keys: yield* keyViews(own),
              teams: yield* groupViews(
                book.groups("team").filter((team) => ids.has(team.id)),
                views.team
              )
            }
          })
        )
      )
      .handleRaw(
        "listUsers",
        queried((query) =>
          Effect.gen(function* () {
            const page = query.count("page", 1, 1_000_000)
            const size = query.count("page_size", 25, 1_000)
            yield* query.checked
            const all = latestFirst(book.groups("user"))
            return {
              users: yield* groupViews(pageOf(all, page, size), views.user),
              total: all.length,
              page,
              page_size: size,
              total_pages: Math.ceil(all.length / size)
            }
          })
        )
      )
  )
}
