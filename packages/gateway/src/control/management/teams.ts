import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type { LedgerGroup } from "@switchyard/ledger/LedgerKey"
import { Effect } from "effect"
import * as Asks from "../../api/KeyAsks.js"
import * as KeysApi from "../../api/KeysApi.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import * as GroupDesk from "../../keys/management/GroupDesk.js"
import * as TeamMembers from "../../keys/management/teamMembers.js"
import * as views from "../../keys/management/views.js"
import { type Answering, latestFirst, type ManagementDeps } from "./answering.js"

/** Teams. */
export const layer = ({ desk }: ManagementDeps, { groupView, groupViews, keyViews, posted, queried }: Answering) => {
  const { book } = desk
  const teamOf = (asked: Asks.NewTeam): GroupDesk.GroupFields => ({
    ...asked,
    alias: asked.team_alias,
    notes: { [TeamMembers.note]: undefined }
  })
  const shown = (changed: Effect.Effect<LedgerGroup, Refusal>) =>
    Effect.flatMap(changed, (team) => groupView(team, views.team))
  const setTeamBlocked = (blocked: boolean) =>
    posted(Asks.OneTeam, ({ team_id }) => shown(GroupDesk.update(desk, "team", team_id, { blocked })))
  return HttpApiBuilder.group(KeysApi.Api, "teams", (handling) =>
    handling
      .handleRaw(
        "newTeam",
        posted(Asks.NewTeam, (asked) => shown(GroupDesk.create(desk, "team", asked.team_id, teamOf(asked))))
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
        "addMembers",
        posted(Asks.NewMembers, (asked) => shown(TeamMembers.add(desk, asked)))
      )
      .handleRaw(
        "deleteMember",
        posted(Asks.OneMember, (asked) => shown(TeamMembers.remove(desk, asked)))
      )
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
          const isIn = (team: LedgerGroup) => TeamMembers.of(team).some(({ user_id }) => user_id === user)
          const found = book.groups("team").filter((team) => user === undefined || theirs.has(team.id) || isIn(team))
          return groupViews(latestFirst(found), views.team)
        })
      )
  )
}
