/**
 * Keys of a ledger by command: made, listed and revoked beside a gateway that runs on it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Schedule } from "effect"
import * as Key from "../../src/Key.js"
import { file, run, start } from "../support/process.js"
import { chat, listens } from "./support.js"

describe.concurrent("keys of the ledger by command", { timeout: 180_000 }, () => {
  it.scopedLive("are in force where a gateway runs: made, shown once, listed without themselves, revoked", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const config = yield* file(
        "c.yaml",
        `server: { port: 0 }
masterKey: sk-master-of-test-1
keys: [{ name: joe, key: sk-joe-of-test-1 }]
deployments: [{ id: east, group: smart, model: m, baseUrl: ${JSON.stringify(upstream.url)}, apiKey: sk-upstream-1 }]
`
      )
      const { data, until } = yield* start(["serve", "--config", config])
      const [, url = ""] = yield* until(listens)
      const key = (...words: ReadonlyArray<string>) => run(["key", ...words, "--config", config, "--data", data])
      const made = yield* key("create", "--name", "blog", "--models=smart,quick", "--budget", "2.5", "--per", "30d")
      assert.deepStrictEqual([made.code, made.stderr], [0, ""])
      const [, own = ""] = /\n {2}(sk-[\w-]{20,})\n$/.exec(made.stdout) ?? []
      const within = (status: number) =>
        Effect.repeat(chat(url, { key: own }), {
          until: (answer) => answer === status,
          schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(100))
        })
      yield* within(200)
      const [listed, again, taken] = yield* Effect.all(
        [key("list"), key("create", "--name", "blog"), key("create", "--name", "joe")],
        { concurrency: 3 }
      )
      assert.match(listed.stdout, /\nblog +sk-\.\.\..{4} +smart quick +2\.5 USD per 30 d\n1 key\n$/)
      assert.notInclude(listed.stdout, own)
      for (const { code, stderr } of [again, taken]) {
        assert.strictEqual(code, 1)
        assert.match(stderr, /^switchyard: key: There is another key of the name "(blog|joe)"\.\n$/)
      }
      const gone = yield* key("revoke", "blog")
      assert.match(gone.stdout, /^blog is gone/)
      yield* within(401)
      assert.match((yield* key("revoke", "blog")).stderr, /^switchyard: key: There is no such key\.\n$/)
    })
  )

  it.live("that make no sense are said in one line, before a ledger is made", () =>
    Effect.gen(function* () {
      const nothing: Key.Flags = {
        ...{ action: "", named: "", name: undefined, team: undefined, user: undefined, models: undefined },
        ...{ tags: undefined, budget: undefined, per: undefined, rpm: undefined, tpm: undefined, parallel: undefined },
        ...{ expires: undefined, url: undefined, json: false, config: undefined, data: "/dev/null/nowhere" },
        "from-litellm": false
      }
      for (const [asked, expected] of [
        [{ action: "crate" }, /^key: no action "crate"; did you mean create\?$/],
        [{ action: "list", named: "blog" }, /^key: list: "blog" is one word too many$/],
        [{ action: "create", budget: "much" }, /--budget: expected USD, found "much"/],
        [{ action: "create", rpm: "1.5" }, /--rpm: expected a whole number, found "1\.5"/],
        [{ action: "create", per: "1d" }, /--per means nothing without --budget/],
        [{ action: "import" }, /expected --from-litellm/],
        [{ action: "import", "from-litellm": true }, /expected --url postgresql/],
        [{ action: "revoke" }, /expected the name of a key/],
        [{ action: "list" }, /^key: There is no ledger at /],
        [{ name: " " }, /^key: --name: expected a name/]
      ] as const) {
        const { message } = yield* Effect.flip(Key.run({ ...nothing, ...asked }))
        assert.match(message, expected)
      }
    })
  )
})
