/**
 * Coding agents as people run them: each is given a task that takes a tool, over providers of each API, and over two of which the
 * first dies in the middle of the task. They are large, so they are installed (into a temporary folder) only where
 * `SWITCHYARD_AGENTS=1` asks for it; `SWITCHYARD_AGENTS=DIR` takes a folder in which they are installed.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { masterKey, start } from "../support/gateways.js"
import * as FakeApi from "./fakeApi.js"
import { apis, deploymentsOf } from "./providers.js"

const asked = process.env.SWITCHYARD_AGENTS ?? ""
const versions = {
  "@openai/codex": "0.171.0",
  "@anthropic-ai/claude-code": "2.1.332",
  "@google/gemini-cli": "0.61.0"
} as const

if (asked === "") console.warn("SKIPPED: coding agents. SWITCHYARD_AGENTS=1 installs them and runs their tasks.")

interface Ran {
  readonly code: number
  readonly output: string
}

const run = (command: string, args: ReadonlyArray<string>, cwd: string, env: Readonly<Record<string, string>>) =>
  Effect.async<Ran>((resume) => {
    const child = execFile(
      command,
      [...args],
      { cwd, env: { PATH: process.env.PATH, ...env }, timeout: 120_000, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = typeof error?.code === "number" ? error.code : error === null ? 0 : -1
        resume(Effect.succeed({ code, output: `${stdout}\n${stderr}` }))
      }
    )
    child.stdin?.end()
    return Effect.sync(() => child.kill())
  })

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-agents-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

let installed: string | undefined

const install = Effect.suspend(() => {
  if (installed !== undefined) return Effect.succeed(installed)
  const folder = asked === "1" ? mkdtempSync(join(tmpdir(), "switchyard-agents-")) : asked
  installed = folder
  if (existsSync(join(folder, "node_modules"))) return Effect.succeed(folder)
  writeFileSync(join(folder, "package.json"), '{"private":true}')
  const packages = Object.entries(versions).map(([name, version]) => `${name}@${version}`)
  return Effect.map(
    run("npm", ["install", "--no-audit", "--no-fund", ...packages], folder, { HOME: folder }),
    () => folder
  )
})

interface Agent {
  readonly command: string
  readonly args: (model: string, url: string) => ReadonlyArray<string>
  readonly env: (url: string) => Readonly<Record<string, string>>
  /** Files of its home. */
  readonly files?: Readonly<Record<string, string>>
}

const task = "Write the word done into the file result.txt in this folder, then say what you did."

const agents: Readonly<Record<string, Agent>> = {
  codex: {
    command: "codex",
    args: (model, url) => [
      "exec",
      "--skip-git-repo-check",
      "--dangerously-bypass-approvals-and-sandbox",
      "-m",
      model,
      "-c",
      'model_provider="switchyard"',
      "-c",
      `model_providers.switchyard={name="switchyard",base_url="${url}/v1",env_key="SWITCHYARD_KEY",wire_api="responses"}`,
      task
    ],
    env: () => ({ SWITCHYARD_KEY: masterKey })
  },
  "claude-code": {
    command: "claude",
    args: (model) => ["-p", task, "--model", model, "--permission-mode", "acceptEdits", "--allowedTools", "Bash"],
    env: (url) => ({
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: masterKey,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1"
    })
  },
  "gemini-cli": {
    command: "gemini",
    args: (model) => ["-p", task, "-m", model, "--yolo"],
    env: (url) => ({
      GOOGLE_GEMINI_BASE_URL: url,
      GEMINI_API_KEY: masterKey,
      GEMINI_CLI_TRUST_WORKSPACE: "true",
      GEMINI_TELEMETRY_ENABLED: "false"
    }),
    files: { ".gemini/settings.json": '{"security":{"auth":{"selectedType":"gemini-api-key"}}}' }
  }
}

const shells = /^(bash|shell|shell_command|exec_command|local_shell|run_shell_command)$/i
const line = "printf done > result.txt"

/** The call of a shell as its own schema wants it. */
const shellCall: NonNullable<FakeApi.Script["call"]> = (offered, results) => {
  if (results.length > 0) return undefined
  const tool = offered.find(({ name }) => shells.test(name))
  if (tool === undefined) return undefined
  const properties = (tool.schema.properties ?? {}) as Readonly<Record<string, { readonly type?: string }>>
  const isList = String(properties.command?.type).toLowerCase() === "array"
  return {
    name: tool.name,
    arguments: {
      ...(properties.cmd === undefined ? { command: isList ? ["bash", "-lc", line] : line } : { cmd: line }),
      ...(properties.description === undefined ? {} : { description: "writes a file" })
    }
  }
}

const pairs = Object.keys(agents).flatMap((name) => apis.map((provider) => ({ name, provider })))

const finish = (name: string, deployments: ReadonlyArray<FakeApi.FakeApi>) =>
  Effect.gen(function* () {
    const folder = yield* install
    const agent = agents[name]
    if (agent === undefined) throw new Error(name)
    const work = yield* temporary
    for (const [path, content] of Object.entries(agent.files ?? {})) {
      mkdirSync(dirname(join(work, path)), { recursive: true })
      writeFileSync(join(work, path), content)
    }
    const gateway = yield* start([], {
      deployments: deploymentsOf(deployments, "gpt-5").map((one, order) => ({ ...one, order: order + 1 })),
      aliases: { "claude-sonnet-4-5": "gpt-5", "gemini-2.5-pro": "gpt-5" },
      retry: { attempts: 3, baseDelay: 1 }
    })
    const { code, output } = yield* run(
      join(folder, "node_modules", ".bin", agent.command),
      agent.args(
        name === "codex" ? "gpt-5" : name === "claude-code" ? "claude-sonnet-4-5" : "gemini-2.5-pro",
        gateway.url
      ),
      work,
      { HOME: work, ...agent.env(gateway.url) }
    )
    const result = join(work, "result.txt")
    assert.isTrue(existsSync(result), output.slice(-3000))
    assert.strictEqual(readFileSync(result, "utf8"), "done")
    assert.strictEqual(code, 0, output.slice(-3000))
    assert.include(output, "The task is at its end")
  })

const text = "The task is at its end"

describe.skipIf(asked === "")("a coding agent", () => {
  it.scopedLive.each(pairs)(
    "ends its task: $name over $provider",
    ({ name, provider }) =>
      Effect.gen(function* () {
        const fake = yield* FakeApi.make(provider, { text, call: shellCall })
        yield* finish(name, [fake])
      }),
    300_000
  )

  it.scopedLive.each(pairs.filter(({ provider }) => provider !== "chat"))(
    "ends its task although the first provider dies amid it: $name over $provider, then chat",
    ({ name, provider }) =>
      Effect.gen(function* () {
        let first: FakeApi.FakeApi | undefined
        first = yield* FakeApi.make(provider, {
          text,
          call: (offered, results) => {
            const call = shellCall(offered, results)
            if (call !== undefined) first?.isDown(true)
            return call
          }
        })
        const second = yield* FakeApi.make("chat", { text, call: shellCall })
        yield* finish(name, [first, second])
        assert.isAbove(second.journal().length, 0)
      }),
    300_000
  )
})
