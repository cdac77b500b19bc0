/**
 * Other gateways beside ours, the same work in the same run. Whatever is found on the machine takes part: Portkey's, where npm
 * put it below this folder or PORTKEY names its `build/start-server.js`; liter-llm, where cargo did, or LITER_LLM names it.
 * `-- --install` has both installed first, below node_modules/.cache, and compiles for minutes; without it nothing is. `--write` puts the
 * table into docs/performance.md.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { memoryOf, type Program, startCommand, startGateway, startScript } from "./programs.js"
import { intoDocument, row, table } from "./tables.js"
import { busyConnections, compete, type Rival, workloads } from "./workloads.js"

/** Ports that nobody tells us back. */
const portkeyPort = 18_787
const literPort = 18_788

const portkeyPackage = "@portkey-ai/gateway"

const cache = join(process.cwd(), "node_modules/.cache/peers")

/** What is not there, or whose registry does not answer, takes no part. */
const install = (): void => {
  mkdirSync(cache, { recursive: true })
  const npm = ["install", "--prefix", cache, "--no-audit", "--no-fund", "--ignore-scripts", `${portkeyPackage}@1.15.2`]
  const cargo = ["install", "liter-llm-cli@2.4.4", "--locked", "--root", cache]
  for (const [command, args] of [
    ["npm", npm],
    ["cargo", cargo]
  ] as const) {
    const { status } = spawnSync(command, args, { stdio: "inherit" })
    if (status !== 0) console.log(`${command} ${args.join(" ")}: ${status ?? "not there"}`)
  }
}
if (process.argv.includes("--install")) install()

const portkeyIn = (folder: string): string =>
  createRequire(join(folder, "package.json")).resolve(`${portkeyPackage}/build/start-server.js`)

const portkeyScript = (): string | undefined => {
  const given = process.env.PORTKEY
  if (given !== undefined) return given
  for (const folder of [process.cwd(), cache]) {
    try {
      return portkeyIn(folder)
    } catch {
      // It may be in the other one.
    }
  }
  return undefined
}

const literCommand = (): string | undefined =>
  [process.env.LITER_LLM, join(cache, "bin/liter-llm"), join(homedir(), ".cargo/bin/liter-llm")].find(
    (path) => path !== undefined && existsSync(path)
  )

const portkey = async (upstream: number): Promise<Rival | undefined> => {
  const script = portkeyScript()
  if (script === undefined) return undefined
  const args = [
    "--import",
    new URL("mutableAnswers.mjs", import.meta.url).href,
    script,
    `--port=${portkeyPort}`,
    "--headless"
  ]
  const env = { NODE_ENV: "production", TRUSTED_CUSTOM_HOSTS: "127.0.0.1,localhost" }
  const program = await startCommand("Portkey (Node)", process.execPath, args, { env, port: portkeyPort })
  const target = { provider: "openai", api_key: "sk-upstream", custom_host: `http://127.0.0.1:${upstream}/v1` }
  const config = JSON.stringify({ strategy: { mode: "loadbalance" }, targets: [target, target] })
  return { program, isOther: true, headers: { "x-portkey-config": config, authorization: "Bearer sk-bench" } }
}

const liter = async (upstream: number): Promise<Rival | undefined> => {
  const command = literCommand()
  if (command === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), "liter-llm-"))
  const file = join(folder, "config.toml")
  const model = `[[models]]\nname = "smart"\nprovider_model = "openai/gpt-4o"\nbase_url = "http://127.0.0.1:${upstream}/v1"\napi_key = "sk-upstream"\n`
  writeFileSync(file, `[general]\nmaster_key = "sk-bench"\n\n[security]\noutbound_policy = "off"\n\n${model}\n${model}`)
  const args = ["api", "--config", file, "--host", "127.0.0.1", "--port", String(literPort)]
  const also = (): void => rmSync(folder, { recursive: true, force: true })
  return { program: await startCommand("liter-llm (Rust)", command, args, { port: literPort, also }), isOther: true }
}

/** One who cannot be started takes no part. */
const invited = async (name: string, start: () => Promise<Rival | undefined>): Promise<ReadonlyArray<Rival>> => {
  try {
    const rival = await start()
    if (rival === undefined) console.log(`${name}: not found`)
    return rival === undefined ? [] : [rival]
  } catch (cause) {
    console.log(`${name}: ${String(cause).split("\n", 1)[0]}`)
    return []
  }
}

const upstream = await startScript("upstream.ts")
const driver = await startScript("driver.ts")
const bare = await startScript("bare.ts", [`http://127.0.0.1:${upstream.port}`])
const gateway = await startGateway(upstream.port, "Switchyard (Node)")
const rivals: ReadonlyArray<Rival> = [
  { program: bare },
  { program: gateway },
  ...(await invited("Portkey", () => portkey(upstream.port))),
  ...(await invited("liter-llm", () => liter(upstream.port)))
]
const rows: Array<string> = []
for (const workload of workloads) {
  const few = { ...workload, requests: Math.ceil(workload.requests / 3) }
  const figures = await compete(driver, rivals, few, busyConnections)
  figures.forEach((own, index) => {
    const program: Program | undefined = rivals[index]?.program
    const name = index === 0 ? "bare proxy" : (program?.name ?? "")
    const of = (own.cpu / (figures[0]?.cpu ?? Number.NaN)).toFixed(2)
    const memory = program === undefined ? "" : memoryOf(program).toFixed(0)
    if (own.all.length === 0) {
      rows.push(row("", name, "fails", "", "", "", memory))
      return
    }
    rows.push(
      row(
        index === 0 ? workload.name : "",
        name,
        own.cpu.toFixed(0),
        of,
        own.perSecond.toFixed(0),
        own.p50.toFixed(2),
        memory
      )
    )
  })
}
const text = table(["request", "program", "CPU µs", "of bare", "requests a second", "p50 ms", "resident MiB"], rows)
console.log(text)
if (process.argv.includes("--write")) intoDocument("peers", text)
for (const { program } of rivals) program.stop()
for (const { stop } of [driver, upstream]) stop()
process.exit(0)
