/**
 * The example CLI as its users run it: a process of its own, real sockets, exit codes.
 */
import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { bundled } from "../../scripts/bundled.js"

interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs the CLI; the process is killed when the test is interrupted. */
const demo = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Effect.Effect<Finished> =>
  Effect.flatMap(
    Effect.promise(() => bundled("examples/cli/main.ts")),
    (program) =>
      Effect.async((resume) => {
        const child = execFile(
          process.execPath,
          [program, ...args],
          { cwd: root, env: { ...process.env, ...env, NO_COLOR: "1" }, maxBuffer: 2 ** 24 },
          (error, stdout, stderr) => {
            const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
            resume(Effect.succeed({ code, stdout, stderr }))
          }
        )
        return Effect.sync(() => child.kill())
      })
  )

const configFile = (content: unknown) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = await mkdtemp(join(tmpdir(), "switchyard-"))
      const path = join(folder, "config.json")
      await writeFile(path, typeof content === "string" ? content : JSON.stringify(content))
      return { folder, path }
    }),
    ({ folder }) => Effect.promise(() => rm(folder, { recursive: true }))
  ).pipe(Effect.map(({ path }) => path))

describe("the demo", { timeout: 180_000 }, () => {
  it.live("answers every request of the outage whole, and shows the breaker open and close", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* demo(["--json"])
      const summary = JSON.parse(stdout)
      assert.strictEqual(code, 0)
      assert.strictEqual(summary.answered, 300)
      assert.strictEqual(summary.streams, 100)
      assert.isAbove(summary.failovers, 0)
      const flaky = summary.shares.find((share: { readonly deployment: string }) => share.deployment === "flaky")
      assert.isAbove(flaky.cooldowns, 0)
      assert.isAbove(flaky.recoveries, 0)
    })
  )
  it.live("answers every request where prompts are too long or refused, by the typed fallback of each", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* demo(["--json", "--scenario", "fallback", "--requests", "66"])
      const summary = JSON.parse(stdout)
      assert.deepStrictEqual([code, summary.answered], [0, 66])
      assert.deepStrictEqual(Object.keys(summary.fallbacks).sort(), ["contentPolicy", "contextWindow"])
    })
  )
  it.live("answers every request although one upstream hangs now and then: hedges win", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* demo(["--json", "--scenario", "hedge", "--requests", "60"])
      const summary = JSON.parse(stdout)
      assert.deepStrictEqual([code, summary.answered], [0, 60])
      assert.isAbove(summary.hedgesWon, 0)
    })
  )
  it.live("answers every request within limits, without one failed attempt", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* demo(["--json", "--scenario", "limits", "--requests", "60"])
      const summary = JSON.parse(stdout)
      assert.deepStrictEqual([code, summary.answered, summary.attempts], [0, 60, 60])
    })
  )
})

describe("mistakes", { timeout: 180_000 }, () => {
  const mistakes: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: string]> = [
    [["--bogus"], "--bogus"],
    [["--requests", "many"], '--requests: expected a whole number from 1 to 100000, found "many"'],
    [["--strategy", "fastest"], "strategy: expected one of"],
    [["--scenario", "nothing"], "outage, hedge, fallback, limits"],
    [["--config", "/does/not/exist.json", "--prompt", "Hi"], "--config: expected a file that can be read"],
    [["--prompt", "Hi"], "--config: expected a file"]
  ]
  for (const [args, says] of mistakes) {
    it.live(`${args.join(" ")}: one clear line and exit code 2`, () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* demo(args)
        assert.strictEqual(code, 2)
        const output = `${stdout}${stderr}`.trim()
        assert.include(output, says)
        assert.strictEqual(output.split("\n").length, 1, output)
      })
    )
  }
})

describe("real endpoints", { timeout: 180_000 }, () => {
  it.scopedLive("streams the answer of the first endpoint that has one; keys come from the environment", () =>
    Effect.gen(function* () {
      const down = yield* FakeProvider.make({ name: "down", behaviour: { status: 503 } })
      const up = yield* FakeProvider.make({ name: "up", behaviour: { reply: "All aboard" } })
      const deployment = { group: "smart", model: "any", apiKey: ["$", "{TRIAL_KEY}"].join("") }
      const path = yield* configFile({
        deployments: [
          { ...deployment, id: "down", baseUrl: down.url, priority: 0 },
          { ...deployment, id: "up", baseUrl: up.url, priority: 1 }
        ],
        strategy: "ordered"
      })
      const { code, stdout } = yield* demo(["--config", path, "--prompt", "Where to?"], { TRIAL_KEY: "sk-trial-1234" })
      assert.strictEqual(code, 0)
      assert.include(stdout, "All aboard")
      assert.include(stdout, "up answered after 2 attempt(s)")
      assert.match(up.journal()[0]?.headers.authorization ?? "", /1234$/)
    })
  )
  it.scopedLive("every problem of the file is told at once, and no secret", () =>
    Effect.gen(function* () {
      const path = yield* configFile({
        deployments: [{ id: "a", gruop: "x", model: "m", weight: -2, apiKey: "sk-secret" }]
      })
      const { code, stderr } = yield* demo(["--config", path, "--prompt", "Hi"])
      assert.strictEqual(code, 2)
      assert.include(stderr, "deployments[0].gruop: no such key")
      assert.include(stderr, "deployments[0].weight: expected a finite number of at least 0, found -2")
      assert.notInclude(stderr, "sk-secret")
    })
  )
})
