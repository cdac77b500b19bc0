/**
 * The subcommands that end by themselves, as processes: output, exit codes and mistakes.
 */
import { spawnSync } from "node:child_process"
import { accessSync, closeSync, constants, openSync } from "node:fs"
import { cp, open } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundled } from "../../../scripts/bundled.js"
import { file, run, start } from "./support/process.js"
import { view } from "./support/views.js"

const good = `
model_list:
  - model_name: smart
    litellm_params: { model: openai/gpt-4o, api_key: os.environ/SWITCHYARD_TEST_UNSET }
  - model_name: backup
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-test-secret-1234 }
router_settings:
  routing_strategy: simple-shuffle
  fallbacks: [{ smart: [backup] }]
`

const bad = `
deployments:
  - { id: a, group: smart, model: gpt-4o, apiKey: sk-test-secret-1234 }

server:
  prot: 4000
  maxBodyBytes: -1
`

/** A server that answers `/admin/deployments` with what `answer` says now. */
const admin = (answer: (key: string | undefined) => { readonly status: number; readonly body: unknown }) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        const { body, status } = answer(request.headers.authorization)
        response.writeHead(status, { "content-type": "application/json", connection: "close" })
        response.end(typeof body === "string" ? body : JSON.stringify(body))
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe.concurrent("a command that works", { timeout: 120_000 }, () => {
  it.live("providers and models list the catalogue, as tables and as JSON, one provider or a pattern of names", () =>
    Effect.gen(function* () {
      const [all, one, missing, unknown, table, json, nobody] = yield* Effect.all(
        [
          run(["providers"]),
          run(["providers", "groq", "--json"]),
          run(["providers", "replicate"]),
          run(["providers", "grok-x"]),
          run(["models", "gpt-4o*", "--provider", "openai", "--limit", "1"]),
          run(["models", "whisper-1", "--provider", "openai", "--json"]),
          run(["models", "--provider", "nobody"])
        ],
        { concurrency: 2 }
      )
      assert.match(all.stdout, /\ngroq +openai +https:\/\/api\.groq\.com\/openai\/v1 +GROQ_API_KEY +\d+\n/)
      assert.deepInclude(JSON.parse(one.stdout), { name: "groq", auth: "bearer", missing: null })
      assert.match(
        missing.stdout,
        /missing +replicate's own dialect cannot be spoken yet \(predictions that are started/
      )
      assert.deepStrictEqual([unknown.code, unknown.stdout], [1, ""])
      assert.match(unknown.stderr, /no provider is called grok-x/)
      assert.match(table.stdout, /\nopenai\/gpt-4o +chat +128000 +16384 .*2\.5\/10 \(cached 1\.25\)\n/)
      assert.match(
        table.stdout,
        /\n\d+ models, \d+ of them not shown \(--limit 0 shows all\)\. Data of \d{4}-\d\d-\d\d\.\n$/
      )
      assert.deepInclude(JSON.parse(json.stdout)[0], {
        provider: "openai",
        id: "whisper-1",
        mode: "audio_transcription"
      })
      assert.deepStrictEqual(
        [nobody.code, nobody.stderr],
        [1, "switchyard: models: --provider: no provider is called nobody\n"]
      )
    })
  )

  it.live("no command at all prints the help", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* run([])
      assert.deepStrictEqual([code, stderr], [0, ""])
      for (const name of ["serve", "check", "top", "route", "simulate", "providers", "models", "key", "schema"])
        assert.include(stdout, `\n  ${name} `)
      assert.notInclude(stdout, "\u001b")
    })
  )
  it.live("route --help says what can be typed", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["route", "--help"])
      assert.strictEqual(code, 0)
      assert.include(stdout, "$ switchyard route [--model M] [--stack] [--tag T]...")
      assert.notInclude(stdout, "user-defined")
    })
  )
  it.scopedLive("check: problems in their lines, then how many deployments there are", () =>
    Effect.gen(function* () {
      const path = yield* file("good.yaml", good)
      const { code, stderr, stdout } = yield* run(["check", path])
      assert.deepStrictEqual([code, stderr], [0, ""], stdout)
      assert.match(stdout, /good\.yaml:4:\d+ note .*SWITCHYARD_TEST_UNSET/)
      assert.match(stdout, /good\.yaml: ok, 2 deployments in 2 groups \(/)
    })
  )
  it.scopedLive(
    "check --env: as serve would start, without what has no key; --json: nothing but JSON, and no secret",
    () =>
      Effect.gen(function* () {
        const path = yield* file("good.yaml", good)
        for (const [flags, expected] of [
          [[], [0, true, 1]],
          [["--strict"], [1, false, 1]]
        ] as const) {
          const { code, stdout } = yield* run(["check", path, "--env", "--json", ...flags])
          const report = JSON.parse(stdout)
          assert.deepStrictEqual<ReadonlyArray<unknown>>([code, report.ok, report.deployments], expected)
          assert.match(stdout, /"warning"[^}]*SWITCHYARD_TEST_UNSET is not set/)
          assert.notInclude(stdout, "sk-test-secret")
        }
      })
  )
  it.scopedLive("check --env: an unset master key is an error", () =>
    Effect.gen(function* () {
      const path = yield* file(
        "locked.yaml",
        `${good}general_settings: { master_key: os.environ/SWITCHYARD_TEST_UNSET }\n`
      )
      const { code, stdout } = yield* run(["check", path, "--env"])
      assert.strictEqual(code, 1)
      assert.match(stdout, /error general_settings\.master_key: .*SWITCHYARD_TEST_UNSET/)
    })
  )
  it.scopedLive("check of a bad file: every problem at once, exit code 1, no secret", () =>
    Effect.gen(function* () {
      const path = yield* file("bad.yaml", bad)
      const { code, stderr, stdout } = yield* run(["check", path])
      assert.strictEqual(code, 1)
      assert.match(stdout, /bad\.yaml:6:3 error server\.prot: .*did you mean port\?/)
      assert.match(stdout, /bad\.yaml:7:\d+ error server\.maxBodyBytes/)
      assert.notInclude(`${stdout}${stderr}`, "sk-test-secret")
    })
  )
  it.scopedLive("route: a table of candidates, with no variable set and nobody called", () =>
    Effect.gen(function* () {
      const path = yield* file("good.yaml", good)
      const { code, stderr, stdout } = yield* run(["route", path, "--model", "smart"])
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, /gpt-4o +1 +candidate/)
      assert.match(stdout, /it fails +backup/)
    })
  )
  it.live("schema: JSON that describes the configuration", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["schema"])
      assert.strictEqual(code, 0)
      assert.include(stdout, "model_list")
      assert.isObject(JSON.parse(stdout))
    })
  )
  it.live("--completions prints a script for the shell", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["--completions", "bash"])
      assert.strictEqual(code, 0)
      assert.include(stdout, "switchyard,serve)")
    })
  )
  it.scopedLive("top --once: the table, with the key of the environment", () =>
    Effect.gen(function* () {
      const { url } = yield* admin((key) =>
        key === "Bearer sk-master-1"
          ? { status: 200, body: { deployments: [view({ id: "east", state: "isolated" })] } }
          : { status: 401, body: {} }
      )
      const { code, stderr, stdout } = yield* run(["top", url, "--once"], { SWITCHYARD_MASTER_KEY: "sk-master-1" })
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, /^smart +east +isolated/m)
      assert.notInclude(stdout, "\u001b")
    })
  )
  it.scopedLive.skipIf(process.platform === "win32")("check: ends at once on SIGINT, whatever it is doing", () =>
    Effect.gen(function* () {
      const pipe = join(dirname(yield* file("good.yaml", good)), "pipe.yaml")
      assert.strictEqual(spawnSync("mkfifo", [pipe]).status, 0)
      const { child, finished } = yield* start(["check", pipe])
      // Opened for writing once the command reads it, which then waits.
      const writer = yield* Effect.promise(() => open(pipe, "w"))
      child.kill("SIGINT")
      assert.strictEqual((yield* finished).signal, "SIGINT")
      yield* Effect.promise(() => writer.close())
    })
  )
  it.scopedLive("top: shows that the gateway is gone, goes on when it is back, and ends on SIGINT", () =>
    Effect.gen(function* () {
      let status = 200
      const { url } = yield* admin(() => ({ status, body: [view({ id: status === 200 ? "east" : "x" })] }))
      const { child, finished, stdout, until } = yield* start(["top", "--interval", "100ms", url])
      yield* until(/east/)
      status = 503
      yield* until(/no connection: it answers with status 503; trying again\n\n.*\n.*east/)
      const seen = stdout().length
      status = 200
      yield* until(new RegExp(`^[^]{${seen},}1 deployment\\n`))
      child.kill("SIGINT")
      assert.strictEqual((yield* finished).code, 0)
    })
  )
})

describe("the bin", () => {
  it.scopedLive("says how to build where nothing is built", () =>
    Effect.gen(function* () {
      const manifest = yield* file("package.json", '{ "type": "module" }')
      const bin = join(dirname(manifest), "bin", "switchyard.js")
      yield* Effect.promise(() =>
        cp(fileURLToPath(new URL("../bin", import.meta.url)), dirname(bin), { recursive: true })
      )
      const { status, stderr } = spawnSync(process.execPath, [bin, "--help"], { encoding: "utf8" })
      assert.deepStrictEqual([status, stderr], [1, "switchyard: not built yet; run `npm run build` first\n"])
      accessSync(bin, constants.X_OK)
    })
  )
})

describe.concurrent("a mistake is one line on stderr and exit code 1", { timeout: 120_000 }, () => {
  const mistakes: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["serv"], /no command "serv"; did you mean serve\?/],
    [["check"], /check: <file> is missing: .+ \(switchyard check --help\)/],
    [["serve", "--port", "many"], /--port: expected a whole number from 0 to 65535, found "many"/],
    [["serve", "--config", "/does/not/exist.yaml"], /\/does\/not\/exist\.yaml error no such file/],
    [["serve", "--host", "0.0.0.0", "--port", "0"], /server\.host: expected a loopback address, because no key/],
    [["top", "htp:/x"], /expected the gateway's address, like .*, found "htp:\/x"/],
    [["top", "ftp://x"], /expected the gateway's address, like .*, found "ftp:\/\/x"/],
    [["key", "--name", " "], /--name: expected a name/]
  ]
  for (const [args, says] of mistakes) {
    it.live(args.join(" "), () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* run(args)
        assert.deepStrictEqual([code, stdout], [1, ""])
        assert.match(stderr, says)
        assert.match(stderr, /^switchyard: .+\n$/)
      })
    )
  }
  it.live.skipIf(process.platform !== "linux")("output that cannot be written", () =>
    Effect.gen(function* () {
      const program = yield* Effect.promise(() => bundled("packages/cli/src/main.ts"))
      const full = openSync("/dev/full", "w")
      for (const args of [["--help"], ["providers"]]) {
        const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
          stdio: ["ignore", full, "pipe"],
          encoding: "utf8"
        })
        assert.deepStrictEqual([status, stderr], [1, "switchyard: the output cannot be written: the disk is full\n"])
      }
      closeSync(full)
    })
  )
  it.scopedLive("route --model with a name that nobody serves", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run(["route", yield* file("good.yaml", good), "--model", "smrt"])
      assert.strictEqual(code, 1)
      assert.match(stderr, /^switchyard: route: no group.*"smrt".*did you mean smart\?\n$/)
    })
  )
  it.scopedLive("top without the key that it needs, which no output repeats", () =>
    Effect.gen(function* () {
      const { url } = yield* admin(() => ({ status: 401, body: {} }))
      const [none, wrong] = yield* Effect.all([run(["top", url]), run(["top", url, "--key", "sk-wrong-1"])])
      assert.match(none.stderr, /^switchyard: top: .*give --key or set SWITCHYARD_MASTER_KEY\n$/)
      assert.match(wrong.stderr, /^switchyard: top: .*does not take this key as its master key\n$/)
      assert.deepStrictEqual([none.code, wrong.code], [1, 1])
    })
  )
  it.scopedLive("top where something else answers, or nothing", () =>
    Effect.gen(function* () {
      const { close, url } = yield* admin(() => ({ status: 200, body: "<html>" }))
      const other = yield* run(["top", url, "--once"])
      close()
      const nothing = yield* run(["top", url, "--once"])
      assert.deepStrictEqual([other.code, nothing.code], [1, 1])
      assert.match(other.stderr, /^switchyard: top: .*what answers there is no switchyard gateway\n$/)
      assert.match(nothing.stderr, /^switchyard: top: .*nothing listens there\n$/)
    })
  )
})
