/**
 * What a served configuration keeps, and where: a process that serves, one that looks, and places that cannot be had.
 */
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { file, run, start } from "../support/process.js"
import { chat, listens, settings } from "./support.js"

describe.concurrent("what a gateway keeps", { timeout: 180_000 }, () => {
  it.scopedLive("is in a file of the data folder as soon as there is a key, and `spend` reads it while it runs", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const config = yield* file("c.yaml", settings(upstream.url))
      const { child, data, finished, until } = yield* start(["serve", "--config", config])
      const [, url = ""] = yield* until(listens)
      const where = join(data, "ledger.db")
      yield* until(/"event":"ledger".*"engine":"sqlite"/)
      assert.strictEqual(yield* chat(url, { content: "words nobody keeps" }), 200)
      assert.strictEqual(yield* chat(url, { model: "nobody-has-this" }), 404)
      const spend = (...words: ReadonlyArray<string>) => run(["spend", "--config", config, "--data", data, ...words])
      const seen = yield* Effect.repeat(spend("--export", "jsonl"), {
        until: ({ stdout }) => stdout.split("\n").length === 3,
        times: 20
      })
      const [second, first] = seen.stdout.split("\n").map((one) => (one === "" ? {} : (JSON.parse(one) as object)))
      assert.deepInclude(first, { caller: "joe", group: "smart", deployment: "east", outcome: "success", attempts: 1 })
      assert.deepInclude(second, { model: "nobody-has-this", outcome: "failure", reason: "UnknownModel", cost_usd: 0 })
      assert.isAbove((first as { readonly cost_usd: number }).cost_usd, 0)
      assert.notInclude(seen.stdout, "words nobody keeps")
      child.kill("SIGTERM")
      assert.strictEqual((yield* finished).code, 0)
      assert.strictEqual(statSync(data).mode & 0o777, 0o700)
      assert.strictEqual(statSync(where).mode & 0o777, 0o600)
      const sums = yield* spend("--by", "key")
      assert.strictEqual(sums.stderr, "")
      assert.match(sums.stdout, /\njoe +2 +1 /)
    })
  )

  it.scopedLive("is nothing without a place: a budget is a warning at the start, in /admin/config and in check", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east" })
      const config = yield* file("c.yaml", settings(upstream.url))
      const blocked = join(config, "below")
      const [checked, strict] = yield* Effect.all(
        [run(["check", config, "--data", blocked]), run(["check", config, "--data", blocked, "--strict", "--json"])],
        { concurrency: 2 }
      )
      const told = /what is spent of budgets is forgotten with each restart/
      assert.match(checked.stdout, told)
      assert.strictEqual(checked.code, 0)
      assert.strictEqual(strict.code, 1)
      assert.isNull((JSON.parse(strict.stdout) as { readonly ledger: unknown }).ledger)
      const { until } = yield* start(["serve", "--config", config, "--data", blocked])
      yield* until(told)
      const [, url = ""] = yield* until(listens)
      assert.strictEqual(yield* chat(url), 200)
      const shown = yield* Effect.promise(async () => {
        const response = await fetch(`${url}/admin/config`, {
          headers: { authorization: "Bearer sk-master-of-test-1" }
        })
        return response.text()
      })
      assert.match(shown, told)
    })
  )

  it.scopedLive(
    "named in the file and not to be had is an error; `ledger: false` and a file without keys make nothing",
    () =>
      Effect.gen(function* () {
        const named = yield* file("c.yaml", settings("http://127.0.0.1:9/v1", "ledger: { url: 'sqlite:own.db' }\n"))
        const off = yield* file("c.yaml", settings("http://127.0.0.1:9/v1", "ledger: false\n"))
        const refused = yield* run(["serve", "--config", named, "--data", join(named, "below")])
        assert.strictEqual(refused.code, 1)
        assert.match(
          refused.stderr,
          /switchyard: serve: the ledger can't be kept: .*own\.db: part of its path is no folder/
        )
        const checked = yield* run(["check", named, "--data", "/tmp/switchyard-not-made"])
        assert.include(checked.stdout, "keys, budgets and usage are kept in /tmp/switchyard-not-made/own.db\n")
        assert.isFalse(existsSync("/tmp/switchyard-not-made"))
        const { data, until } = yield* start(["serve", "--config", off])
        yield* until(listens)
        assert.isFalse(existsSync(data))
      })
  )
})
