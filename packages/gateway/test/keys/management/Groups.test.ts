import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chat, start } from "./desk.js"

describe("teams and users over HTTP", () => {
  it.scopedLive("a team's models, limits and block hold for its keys; its keys go with it", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const limits = { team_alias: "Core", models: ["cheap"], max_budget: 5, budget_duration: "1mo", tpm_limit: 9 }
      const made = yield* ask(gateway, "/team/new", { team_id: "core", ...limits, metadata: { a: 1 } })
      assert.deepInclude(made.json, {
        team_id: "core",
        ...limits,
        budget_duration: "30d",
        rpm_limit: null,
        blocked: false
      })
      assert.strictEqual((yield* ask(gateway, "/team/new", { team_id: "core" })).status, 409)
      const other = yield* ask(gateway, "/team/new", {})
      assert.match(other.json.team_id, /^[\da-f-]{36}$/)
      yield* ask(gateway, "/team/update", { team_id: "core", tpm_limit: null, max_budget: null, budget_duration: null })
      const { json: info } = yield* ask(gateway, "/team/info?team_id=core")
      assert.deepInclude(info.team_info, { tpm_limit: null, max_budget: null, models: ["cheap"], metadata: { a: 1 } })

      const { key, token } = (yield* ask(gateway, "/key/generate", {
        team_id: "core",
        user_id: "ann",
        models: ["all-team-models"]
      })).json
      assert.deepStrictEqual(
        [(yield* chat(gateway, key)).status, (yield* chat(gateway, key, "dear")).json.error.code],
        [200, "model_not_allowed"]
      )
      assert.deepStrictEqual(
        (yield* ask(gateway, "/team/info?team_id=core")).json.keys.map((one: { token: string }) => one.token),
        [token]
      )
      const listed = (query: string) =>
        Effect.map(ask(gateway, `/team/list${query}`), ({ json }) =>
          json.map((team: { team_id: string }) => team.team_id)
        )
      assert.sameMembers(yield* listed(""), ["core", other.json.team_id])
      assert.deepStrictEqual(yield* listed("?user_id=ann"), ["core"])

      assert.isTrue((yield* ask(gateway, "/team/block", { team_id: "core" })).json.blocked)
      assert.strictEqual((yield* chat(gateway, key)).json.error.code, "team_blocked")
      yield* ask(gateway, "/team/unblock", { team_id: "core" })
      assert.strictEqual((yield* chat(gateway, key)).status, 200)

      assert.strictEqual((yield* ask(gateway, "/team/delete", { team_ids: ["core", "none"] })).status, 404)
      const gone = yield* ask(gateway, "/team/delete", { team_ids: ["core"] })
      assert.deepStrictEqual(gone.json, { deleted_teams: ["core"], deleted_keys: 1 })
      assert.strictEqual((yield* chat(gateway, key)).status, 401)
      const report = yield* ask(gateway, "/global/spend/report?start_date=2020-01-01&end_date=2100-01-01")
      assert.deepStrictEqual(report.json[0].teams[0].team_id, "core")
      assert.isAbove(report.json[0].teams[0].total_spend, 0)
    })
  )

  it.scopedLive("members of a team are told back, outlive what is changed of it, and keep no key from anybody", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const of = (team: string) =>
        Effect.map(ask(gateway, `/team/info?team_id=${team}`), ({ json }) => json.team_info.members_with_roles)
      const ann = { user_id: "ann", user_email: null, role: "admin" }
      const bob = { user_id: null, user_email: "bob@example.com", role: "user" }
      yield* ask(gateway, "/team/new", { team_id: "core", metadata: { a: 1 } })
      const one = yield* ask(gateway, "/team/member_add", {
        team_id: "core",
        member: { role: "admin", user_id: "ann" }
      })
      assert.deepInclude(one.json, { members_with_roles: [ann], metadata: { a: 1 } })
      const refused = (path: string, body: object) =>
        Effect.map(ask(gateway, path, body), ({ json, status }) => [status, json.error.param, json.error.message])
      const several = [{ user_email: "bob@example.com" }, { user_id: "ann" }]
      assert.deepStrictEqual(yield* refused("/team/member_add", { team_id: "core", member: several }), [
        409,
        "member.1",
        "The user is in the team already."
      ])
      assert.deepStrictEqual(yield* refused("/team/member_add", { team_id: "core", member: {} }), [
        400,
        "member",
        "member: expected `user_id` or `user_email`, found nothing"
      ])
      assert.strictEqual((yield* refused("/team/member_add", { team_id: "core", member: { role: "boss" } }))[0], 400)
      assert.strictEqual((yield* refused("/team/member_add", { team_id: "none", member: several }))[0], 404)
      assert.deepStrictEqual(yield* of("core"), [ann])

      yield* ask(gateway, "/team/member_add", { team_id: "core", member: several.slice(0, 1) })
      yield* ask(gateway, "/team/update", { team_id: "core", metadata: { b: 2 } })
      assert.deepStrictEqual(yield* of("core"), [ann, bob])
      const teams = yield* ask(gateway, "/team/list?user_id=ann")
      assert.deepStrictEqual(
        teams.json.map((team: { team_id: string; metadata: object }) => [team.team_id, team.metadata]),
        [["core", { b: 2 }]]
      )

      const { key } = (yield* ask(gateway, "/key/generate", { team_id: "core", user_id: "ann" })).json
      const left = yield* ask(gateway, "/team/member_delete", { team_id: "core", user_id: "ann" })
      assert.deepStrictEqual(left.json.members_with_roles, [bob])
      assert.strictEqual((yield* chat(gateway, key)).status, 200)
      const again = yield* refused("/team/member_delete", { team_id: "core", user_id: "ann" })
      assert.deepStrictEqual(again, [404, "user_id", "There is no such member."])
    })
  )

  it.scopedLive("a user is made with a key, unless told not to, and may be blocked", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const made = yield* ask(gateway, "/user/new", {
        user_id: "ann",
        user_email: "ann@example.com",
        user_role: "internal_user",
        models: ["cheap"],
        key_alias: "anns",
        duration: "1d",
        metadata: { floor: 3 },
        teams: []
      })
      const { key } = made.json
      assert.deepInclude(made.json, {
        user_id: "ann",
        user_email: "ann@example.com",
        key_alias: "anns",
        models: ["cheap"],
        metadata: { floor: 3 }
      })
      assert.deepStrictEqual(
        [(yield* chat(gateway, key)).status, (yield* chat(gateway, key, "dear")).status],
        [200, 403]
      )
      const bare = yield* ask(gateway, "/user/new", { auto_create_key: false })
      assert.isNull(bare.json.key)
      const changed = yield* ask(gateway, "/user/update", { user_id: "ann", metadata: { floor: 4 }, blocked: true })
      assert.deepInclude(changed.json.data, { user_email: "ann@example.com", metadata: { floor: 4 }, blocked: true })
      assert.strictEqual((yield* chat(gateway, key)).json.error.code, "user_blocked")
      const { json: info } = yield* ask(gateway, "/user/info?user_id=ann")
      assert.isAbove(info.user_info.spend, 0)
      assert.deepStrictEqual(
        info.keys.map((one: { name: string }) => one.name),
        ["anns"]
      )
      const { json: users } = yield* ask(gateway, "/user/list?page_size=1&page=2")
      assert.deepInclude(users, { total: 2, page: 2, page_size: 1, total_pages: 2 })
      assert.strictEqual(users.users[0].user_id, "ann")
      assert.deepStrictEqual((yield* ask(gateway, "/user/delete", { user_ids: ["ann"] })).json, {
        deleted_users: ["ann"],
        deleted_keys: 1
      })
      assert.strictEqual((yield* chat(gateway, key)).status, 401)
    })
  )

  it.scopedLive("limits of keys and teams bind, and those that are changed bind at once", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      yield* ask(gateway, "/team/new", { team_id: "t", rpm_limit: 3 })
      const generate = (more: object) => Effect.map(ask(gateway, "/key/generate", more), ({ json }) => json.key)
      const a = yield* generate({ team_id: "t", rpm_limit: 1 })
      const b = yield* generate({ team_id: "t" })
      const statuses = (key: string, count: number) =>
        Effect.forEach(Array.from({ length: count }), () => Effect.map(chat(gateway, key), ({ status }) => status))
      assert.deepStrictEqual(yield* statuses(a, 2), [200, 429])
      assert.deepStrictEqual(yield* statuses(b, 3), [200, 200, 429])
      const broke = yield* generate({ max_budget: 0 })
      const refused = yield* chat(gateway, broke)
      assert.strictEqual(refused.status, 429, JSON.stringify(refused.json))
      yield* ask(gateway, "/key/update", { key: broke, max_budget: 1 })
      assert.strictEqual((yield* chat(gateway, broke)).status, 200)
    })
  )

  it.scopedLive("spending is told by request, day, team, key and user", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const { key, token } = (yield* ask(gateway, "/key/generate", { key_alias: "k", user_id: "u", team_id: "t" })).json
      yield* chat(gateway, key)
      yield* chat(gateway, key, "dear")
      const { json: logs } = yield* ask(gateway, "/spend/logs?user_id=u")
      assert.deepStrictEqual(
        logs.map((one: { model_group: string }) => one.model_group),
        ["dear", "cheap"]
      )
      const [last] = logs
      assert.deepInclude(last, { api_key: token, key_alias: "k", user: "u", team_id: "t", status: "success" })
      assert.strictEqual(last.total_tokens, last.prompt_tokens + last.completion_tokens)
      assert.deepStrictEqual((yield* ask(gateway, `/spend/logs?request_id=${last.request_id}`)).json, [last])
      const dates = "start_date=2020-01-01&end_date=2100-01-01"
      const { json: days } = yield* ask(gateway, `/spend/logs?api_key=${key}&${dates}`)
      assert.strictEqual(days.length, 1)
      assert.sameMembers(Object.keys(days[0].models), ["cheap", "dear"])
      assert.strictEqual((yield* ask(gateway, `/spend/logs?api_key=k&${dates}&summarize=false&limit=1`)).json.length, 1)
      for (const asked of [`api_key=${key}`, "internal_user_id=u", "team_id=t"]) {
        const { json } = yield* ask(gateway, `/global/spend/report?${dates}&${asked}`)
        assert.strictEqual(json[0].api_key, token)
        assert.approximately(json[0].total_cost, days[0].spend, 1e-12)
        assert.sameMembers(
          json[0].model_details.map(({ model }: { model: string }) => model),
          ["cheap", "dear"]
        )
      }
      assert.deepStrictEqual((yield* ask(gateway, `/global/spend/report?${dates}&internal_user_id=v`)).json, [])
    })
  )
})
