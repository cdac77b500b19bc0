import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chat, fileKey, master, start } from "../keys/management/desk.js"

const sheet = ({ url }: { readonly url: string }) =>
  Effect.promise(async () => {
    const answer = await fetch(`${url}/admin/spend.csv`, { headers: { authorization: `Bearer ${master}` } })
    const lines = (await answer.text()).split("\r\n")
    return { lines, type: answer.headers.get("content-type"), as: answer.headers.get("content-disposition") }
  })

describe("what was spent", () => {
  it.scopedLive(
    "in the last thirty days, by day, key, team, model and deployment, adds up to what single requests cost",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start()
        yield* ask(gateway, "/team/new", { team_id: "t1", team_alias: "Shop <b>" })
        const { key } = (yield* ask(gateway, "/key/generate", { key_alias: "=1+1", team_id: "t1" })).json
        for (const [bearer, model] of [
          [key, "cheap"],
          [key, "dear"],
          [fileKey, "cheap"]
        ] as const) {
          assert.strictEqual((yield* chat(gateway, bearer, model)).status, 200)
        }
        const { json } = yield* ask(gateway, "/admin/spend")
        const logs = (yield* ask(gateway, "/spend/logs")).json as ReadonlyArray<{ spend: number; total_tokens: number }>
        const cost = logs.reduce((sum, log) => sum + log.spend, 0)
        assert.strictEqual(json.hasLedger, true)
        assert.isAbove(cost, 0)
        assert.closeTo(json.total.cost, cost, 1e-12)
        assert.deepStrictEqual([json.total.requests, json.total.failures], [3, 0])
        assert.strictEqual(
          json.total.tokens,
          logs.reduce((sum, log) => sum + log.total_tokens, 0)
        )
        assert.strictEqual(json.days.length, 30)
        assert.deepStrictEqual([json.days[0].name, json.days[29].name], [json.from, json.to])
        assert.closeTo(json.days[29].cost, cost, 1e-12)
        const requests = (rows: ReadonlyArray<{ name: string; alias: string | null; requests: number }>) =>
          rows.map(({ alias, name, requests: count }) => [name, alias, count])
        assert.deepStrictEqual(requests(json.keys.rows), [
          ["=1+1", null, 2],
          ["of-the-file", null, 1]
        ])
        assert.deepStrictEqual(requests(json.teams.rows), [
          ["t1", "Shop <b>", 2],
          ["", null, 1]
        ])
        assert.deepStrictEqual(requests(json.deployments.rows), [
          ["cheap", null, 2],
          ["dear", null, 1]
        ])
        assert.strictEqual(json.models.total, json.models.rows.length)

        const { as, lines, type } = yield* sheet(gateway)
        assert.deepStrictEqual([type, as], ["text/csv; charset=utf-8", 'attachment; filename="spend.csv"'])
        assert.strictEqual(
          lines[0],
          "day,key,team,user,model,deployment,requests,failures,input,cache_read,cache_write,output,reasoning,cost_usd"
        )
        assert.deepStrictEqual(
          lines
            .slice(1, -1)
            .map((line) => line.split(",")[1])
            .sort(),
          ["'=1+1", "'=1+1", "of-the-file"]
        )
      })
  )

  it.scopedLive("is 503 with a time to come back while the ledger does not answer", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      gateway.test.isAway = true
      for (const path of ["/admin/spend", "/admin/spend.csv"]) {
        const answer = yield* ask(gateway, path)
        assert.deepStrictEqual([answer.status, answer.json.error.code], [503, "ledger_unavailable"])
        assert.isNotNull(answer.headers.get("retry-after"))
      }
    })
  )
})
