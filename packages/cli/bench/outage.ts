/**
 * A database that freezes and dies under load: a real gateway on a real PostgreSQL serves keys with budgets while the server is
 * stopped (SIGSTOP), goes on, is killed (SIGKILL) and comes back.
 *
 *   node --conditions=@switchyard/source --import tsx packages/cli/bench/outage.ts --rate 60 --seconds 10
 *
 * Ends with 1 where a request of a known key failed or took more than 100 ms longer than the longest with the database there, a
 * blocked key was let in, or a record is lost that was not told.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as PostgresServer from "@switchyard/testing/PostgresServer"
import { bundled } from "../../../scripts/bundled.js"

const { values: given } = parseArgs({
  options: { rate: { type: "string", default: "60" }, seconds: { type: "string", default: "10" } }
})
const [rate, seconds] = [Number(given.rate), Number(given.seconds)]
const master = "sk-master-of-the-outage"
const tokens = 50
/** USD of one call. */
const cost = 0.004

let answered = 0
const upstream = createServer((incoming, response) => {
  incoming.resume()
  incoming.on("end", () => {
    answered++
    const text = JSON.stringify({
      id: "c",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "ok" }, finish_reason: "stop" }],
      usage: { prompt_tokens: tokens, completion_tokens: tokens, total_tokens: 2 * tokens }
    })
    response.writeHead(200, { "content-type": "application/json" }).end(text)
  })
})

const folder = mkdtempSync(join(tmpdir(), "switchyard-outage-"))

const settings = (own: string, database: string): string => `server: { port: 0 }
masterKey: ${master}
log: { level: warn }
ledger: { url: ${JSON.stringify(database)} }
deployments:
  - { id: up, group: m, model: m, baseUrl: ${JSON.stringify(own)}, apiKey: sk-up, inputPrice: 40, outputPrice: 40, defaults: { max_tokens: ${tokens} } }
`

const start = (program: string, config: string): Promise<{ readonly child: ChildProcess; readonly url: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, "serve", "--config", config, "--data", join(folder, "data")], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let text = ""
    const hear = (chunk: Buffer) => {
      text += chunk.toString()
      const [, url] = /switchyard listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(text) ?? []
      if (url !== undefined) resolve({ child, url })
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}:\n${text}`)))
  })

const main = async (): Promise<boolean> => {
  const missing = PostgresServer.missing()
  if (missing !== undefined) {
    console.error(missing)
    return true
  }
  const server = await PostgresServer.start()
  try {
    const program = await bundled("packages/cli/src/main.ts")
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
    const config = join(folder, "config.yaml")
    writeFileSync(config, settings(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`, server.url()))
    const { child, url } = await start(program, config)
    const ask = async (path: string, key: string, body?: object) => {
      const answer = await fetch(`${url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await answer.text()
      return { status: answer.status, text }
    }
    /** On a busy machine the ledger may be late at the start: it is asked again. */
    const told = async (path: string, body: object): Promise<{ readonly key?: string }> => {
      for (let left = 20; ; left--) {
        const { status, text } = await ask(path, master, body)
        if (status === 200) return JSON.parse(text) as { readonly key?: string }
        if (left === 0) throw new Error(`${path}: ${status} ${text}`)
        await pause(500)
      }
    }
    const generate = async (name: string): Promise<string> =>
      (await told("/key/generate", { key_alias: name, max_budget: 100_000, budget_duration: "1d" })).key ?? ""
    const names = ["a", "b", "c"]
    const keys = await Promise.all(names.map(generate))
    const blocked = await generate("blocked")
    await told("/key/block", { key: blocked })
    const chat = (key: string) =>
      ask("/v1/chat/completions", key, { model: "m", messages: [{ role: "user", content: "Hi" }] })

    let isGood = true
    let asked = 0
    const took = async (label: string, lasts = seconds): Promise<number> => {
      const times: Array<number> = []
      const statuses = new Map<string, number>()
      const calls: Array<Promise<void>> = []
      const begun = performance.now()
      for (let n = 0; performance.now() - begun < lasts * 1_000; n++) {
        await pause(Math.max(0, begun + (n * 1_000) / rate - performance.now()))
        const isBlocked = n % 10 === 9
        calls.push(
          (async () => {
            const at = performance.now()
            const { status, text } = await chat(isBlocked ? blocked : (keys[n % keys.length] ?? ""))
            if (status !== (isBlocked ? 403 : 200)) {
              if (isGood) console.error(`${label}: ${isBlocked ? "blocked" : "known"} ${status} ${text}`)
              isGood = false
            }
            if (!isBlocked) {
              asked++
              times.push(performance.now() - at)
            }
            const name = `${isBlocked ? "blocked" : "known"} ${status}`
            statuses.set(name, (statuses.get(name) ?? 0) + 1)
          })()
        )
      }
      await Promise.all(calls)
      times.sort((x, y) => x - y)
      const at = (share: number) =>
        (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1)
      console.log(
        `${label.padEnd(28)} p50 ${at(0.5).padStart(6)}  p99 ${at(0.99).padStart(6)}  longest ${at(1).padStart(6)} ms   ${[...statuses].map(([name, count]) => `${name}: ${count}`).join(", ")}`
      )
      return times.at(-1) ?? 0
    }

    await took("(warming up)", 5)
    const usual = await took("with the database")
    const longest: Array<number> = []
    server.freeze()
    longest.push(await took("frozen"))
    server.thaw()
    longest.push(await took("thawed"))
    await server.kill()
    longest.push(await took("killed"))
    await server.restart()
    longest.push(await took("back"))
    const more = Math.max(...longest) - usual
    if (more > 100) isGood = false
    console.log(`longest during and after: ${more.toFixed(1)} ms above the longest with the database (bound 100)`)

    const spentOf = async () => {
      const told = await Promise.all(keys.map((key) => ask(`/key/info?key=${key}`, master)))
      return told.reduce((sum, { text }, at) => {
        const info = JSON.parse(text) as { readonly info?: { readonly spend: number } }
        if (info.info === undefined) throw new Error(`no /key/info of ${names[at]}: ${text}`)
        return sum + Math.round(info.info.spend / cost)
      }, 0)
    }
    let kept = 0
    for (let at = 0; at < 60 && kept !== answered; at++) {
      await pause(500)
      kept = await spentOf().catch(() => 0)
    }
    const health = (await ask("/metrics", master)).text
    const lost = Number(/^switchyard_ledger_\w*lost\w*(?:\{[^}]*\})? (\d+)/m.exec(health)?.[1] ?? 0)
    console.log(
      `${asked} calls of known keys, ${answered} answered by the upstream, ${kept} in the ledger, ${lost} told as lost`
    )
    if (kept + lost < answered) isGood = false
    child.removeAllListeners("exit")
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGTERM")
    await gone
    return isGood
  } finally {
    upstream.closeAllConnections()
    upstream.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = (await main()) ? 0 : 1
