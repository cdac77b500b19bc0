/** `serve --workers` that can't serve: it says why, once, and ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { file, run, start } from "../support/process.js"
import { linesOf, workers } from "./support.js"

describe("serve with workers, of which nothing can come", { timeout: 180_000 }, () => {
  it.scopedLive("what is wrong is told once: a port that is taken, a bad file, a number that is none", () =>
    Effect.gen(function* () {
      const { url } = yield* workers(2)
      const { port } = new URL(url)
      const taken = yield* run(["serve", "--port", port, "--workers", "2"])
      assert.deepInclude(taken, {
        code: 1,
        stderr: `switchyard: serve: cannot listen on 127.0.0.1:${port}: another program listens there\n`
      })
      const bad = yield* file("bad.yaml", "nonsense: 1\n")
      const refused = yield* run(["serve", "--config", bad, "--workers", "2"])
      assert.strictEqual(refused.code, 1)
      assert.lengthOf(refused.stderr.match(/nonsense/g) ?? [], 1, refused.stderr)
      const counts = ["0", "-1", "many", "1.5"]
      const all = yield* Effect.forEach(counts, (count) => run(["serve", "--port", "0", "--workers", count]), {
        concurrency: 2
      })
      for (const wrong of all) {
        assert.strictEqual(wrong.code, 1)
        assert.match(
          wrong.stderr,
          /^switchyard: serve: --workers: expected a whole number from 1 to 512, or auto, found "/
        )
      }
    })
  )

  it.scopedLive("workers that end as soon as they begin are begun ever more seldom, and then no more: 1", () =>
    Effect.gen(function* () {
      const hook = yield* file("hook.cjs", `if (require("node:cluster").isWorker) process.exit(9)`)
      const { finished } = yield* start(["serve", "--port", "0", "--workers", "2"], {
        NODE_OPTIONS: `--require ${hook}`
      })
      const { code, stderr } = yield* finished
      assert.strictEqual(code, 1)
      const pauses = linesOf(stderr, "worker_ended").map((line) => line["next_in_ms"])
      assert.deepStrictEqual(pauses.slice(0, 5), [100, 200, 400, 800, 1600])
      assert.match(
        stderr,
        /\nswitchyard: serve: workers end as soon as they begin \(6 times in a row, the last with exit code 9\)\n$/
      )
    })
  )
})
