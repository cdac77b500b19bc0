/**
 * What was used and what it cost, of a ledger in a file: tables, exports, and command lines that make no sense.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { cell, line } from "@switchyard/ledger/Csv"
import * as SqliteStore from "@switchyard/ledger/SqliteStore"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"
import { Effect } from "effect"
import * as Spend from "../../src/Spend.js"
import { run } from "../support/process.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-spend-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const noon = Date.parse("2026-11-28T12:00:00Z")

const record = (n: number, more: Partial<UsageRecord> = {}): UsageRecord => ({
  id: `r${n}`,
  time: noon + n * 1000,
  caller: "joe",
  team: "blog",
  user: undefined,
  tags: ["web"],
  operation: "chat",
  model: "smart",
  group: "smart",
  deployment: "east",
  provider: "openai",
  attempts: 1,
  stream: false,
  isHit: false,
  input: 100,
  cacheRead: 20,
  cacheWrite: 0,
  output: 30,
  reasoning: 5,
  cost: 1_500_000_000,
  ending: "success",
  status: 200,
  reason: undefined,
  latency: 12.5,
  firstContent: 3,
  session: "s1",
  ...more
})

const filled = (path: string, records: ReadonlyArray<UsageRecord>) =>
  Effect.scoped(
    Effect.flatMap(SqliteStore.make({ path }), (store) =>
      store.write({ journal: "test", from: 0, to: 1, records, spent: [] })
    )
  )

describe("a cell of CSV", () => {
  it("that a spreadsheet would run begins with an apostrophe, and quotes are doubled", () => {
    for (const text of ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "  =x", "＝x"]) {
      assert.match(cell(text), /^"?'/, text)
    }
    assert.strictEqual(cell('=HYPERLINK("http://x","y")'), '"\'=HYPERLINK(""http://x"",""y"")"')
    assert.strictEqual(line(["a,b", -1.5, true, undefined, "plain", 'say "no"']), '"a,b",-1.5,true,,plain,"say ""no"""')
  })
})

describe.concurrent("switchyard spend", { timeout: 180_000 }, () => {
  it.scopedLive("tells sums by what is asked for, and writes records that a spreadsheet does not run", () =>
    Effect.gen(function* () {
      const data = yield* folder
      yield* filled(join(data, "ledger.db"), [
        record(1),
        record(2, { caller: "=cmd()", team: undefined, model: "tiny", group: "tiny", cost: 1 }),
        record(3, { time: noon - 86_400_000, ending: "failure", status: 503, reason: "Unavailable", cost: 0 })
      ])
      const spend = (...words: ReadonlyArray<string>) => run(["spend", "--data", data, ...words])
      const [table, json, csv, jsonl, sums, none, noRecords, noSums] = yield* Effect.all(
        [
          spend("--by", "day,key"),
          spend("--by=key", "--json", "--from", "2026-11-28"),
          spend("--export", "csv"),
          spend("--export", "jsonl", "--key", "joe", "--to", "2026-11-28", "--from=2026-11-28"),
          spend("--export", "csv", "--by", "key", "--model", "tiny"),
          spend("--team", "nobody"),
          spend("--export", "csv", "--team", "nobody"),
          spend("--export", "csv", "--by", "key", "--team", "nobody")
        ],
        { concurrency: 3 }
      )
      assert.deepStrictEqual([table.code, table.stderr], [0, ""])
      assert.match(table.stdout, /^day +key +requests +failed +input +cached +output +USD\n/)
      assert.match(table.stdout, /\n2026-11-27 +joe +1 +1 /)
      assert.match(table.stdout, /\n2026-11-28 +joe +1 +0 +100 +20 +35 +1\.5000\n/)
      assert.match(table.stdout, /\n3 requests, 1\.5000 USD\n$/)
      const keys = JSON.parse(json.stdout) as ReadonlyArray<{ readonly key: string; readonly cost_usd: number }>
      assert.sameDeepMembers(
        keys.map(({ cost_usd, key }) => [key, cost_usd]),
        [
          ["=cmd()", 1e-9],
          ["joe", 1.5]
        ]
      )
      const [head = "", ...lines] = csv.stdout.trimEnd().split("\n")
      assert.match(head, /^time,id,caller,team,user,tags,operation,model,.*,cost_usd,outcome,status,/)
      assert.lengthOf(lines, 3)
      assert.include(csv.stdout, ",r2,'=cmd(),,,web,chat,tiny,")
      const records = jsonl.stdout.trimEnd().split("\n")
      assert.lengthOf(records, 1)
      assert.deepInclude(JSON.parse(records[0] ?? ""), { id: "r1", caller: "joe", cost_usd: 1.5, tags: ["web"] })
      assert.match(sums.stdout, /^key,requests,.*\n'=cmd\(\),1,/)
      assert.match(none.stdout, /0 requests, 0\.0000 USD/)
      assert.strictEqual(noRecords.stdout, `${head}\n`)
      assert.strictEqual(noSums.stdout, `${sums.stdout.split("\n")[0]}\n`)
    })
  )

  it.scopedLive("says in one line what is wrong, and makes nothing", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const file = join(data, "none.yaml")
      writeFileSync(file, "deployments: [{ id: a, group: g, model: m, apiKey: sk-a-1234567 }]\n")
      const place = join(data, "not", "there")
      const of = (more: Partial<Spend.Flags>) =>
        Effect.map(
          Effect.flip(
            Spend.run({
              ...{ config: undefined, data: place, by: undefined, from: undefined, to: undefined, key: undefined },
              ...{ team: undefined, model: undefined, deployment: undefined, export: undefined, json: false, ...more }
            })
          ),
          ({ message }) => message
        )
      for (const [asked, expected] of [
        [{}, /^spend: There is no ledger at .*ledger\.db$/],
        [{ by: "dey" }, /^spend: --by: expected some of .*found "dey" \(did you mean day\?\)$/],
        [{ from: "2026-02-30" }, /^spend: --from: expected a day like .*found "2026-02-30"$/],
        [{ from: "2026-11-02", to: "2026-11-01" }, /^spend: --from 2026-11-02 is after --to 2026-11-01$/],
        [{ export: "xml" }, /^spend: --export: expected csv or jsonl, found "xml"$/],
        [{ config: file }, /^spend: this configuration keeps nothing: .*$/]
      ] as const) {
        assert.match(yield* of(asked), expected)
      }
      assert.isFalse(existsSync(place))
    })
  )
})
