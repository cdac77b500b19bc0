import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import * as Asks from "../../api/KeyAsks.js"
import * as KeysApi from "../../api/KeysApi.js"
import * as GroupDesk from "../../keys/management/GroupDesk.js"
import * as views from "../../keys/management/views.js"
import { type Answering, latestFirst, type ManagementDeps } from "./answering.js"

/** Teams. */
export const layer = ({ desk }: ManagementDeps, { groupView, groupViews, keyViews, posted, queried }: Answering) => {
  const { book } = desk
  const teamOf = (asked: Asks.NewTeam): GroupDesk.GroupFields => ({ ...asked, alias: asked.team_alias })
  const setTeamBlocked = (blocked: boolean) =>
    posted(Asks.OneTeam, ({ team_id }) =>
      Effect.flatMap(GroupDesk.update(desk, "team", team_id, { blocked }), (team) => groupView(team, views.team))
    )
  return HttpApiBuilder.group(KeysApi.Api, "teams", (handling) =>
    handling
      .handleRaw(
        "newTeam",
        posted(Asks.NewTeam, (asked) =>
          Effect.flatMap(GroupDesk.create(desk, "team", asked.team_id, teamOf(asked)), (team) =>
            groupView(team, views.team)
          )
        )
      )
      .handleRaw(
        "updateTeam",
        posted(Asks.UpdateTeam, (asked) =>
          Effect.flatMap(GroupDesk.update(desk, "team", asked.team_id, teamOf(asked)), (team) =>
            Effect.map(groupView(team, views.team), (data) => ({ team_id: team.id, data }))
          )
        )
      )
      .handleRaw(
        "deleteTeams",
        posted(Asks.TeamIds, ({ team_ids }) =>
          Effect.map(GroupDesk.remove(desk, "team", team_ids), (gone) => ({
            deleted_teams: team_ids,
            deleted_keys: gone
          }))
        )
      )
      .handleRaw("blockTeam", setTeamBlocked(true))
      .handleRaw("unblockTeam", setTeamBlocked(false))
      .handleRaw(
        "teamInfo",
        queried((query) =>
          Effect.gen(function* () {
            const id = query.needed("team_id", "the team")
            yield* query.checked
            const team = yield* GroupDesk.find(desk, "team", id)
            return {
              team_id: id,
              team_info: yield* groupView(team, views.team),
              keys: yield* keyViews(latestFirst(GroupDesk.keysOf(desk, "team", id)))
            }
          })
        )
      )
      .handleRaw(
        "listTeams",
        queried((query) => {
          const user = query.text("user_id")
          const theirs = new Set(user === undefined ? [] : GroupDesk.keysOf(desk, "user", user).map((key) => key.team))
          const shown = book.groups("team").filter(({ id }) => user === undefined || theirs.has(id))
          return groupViews(latestFirst(shown), views.team)
        })
      )
  )
}
