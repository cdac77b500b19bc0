/**
 * `kill -9` under load: a real gateway with a ledger serves priced requests and is killed at random moments; after each start it
 * goes on. In the end the money of each key is held against what the upstream answered.
 *
 *   node --conditions=@switchyard/source --import tsx packages/cli/bench/kills.ts --kills 50 --requests 20000 --seed 7
 *
 * Ends with 1 where more is missing than was in flight at the kills, or a budget was exceeded by more than what is documented.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as SqliteStore from "@switchyard/ledger/SqliteStore"
import { Dice } from "@switchyard/testing/Dice"
import { Effect } from "effect"
import { bundled } from "../../../scripts/bundled.js"

const { values: given } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    requests: { type: "string", default: "20000" },
    parallel: { type: "string", default: "16" },
    seed: { type: "string", default: "7" }
  }
})
const [kills, requests, parallel, seed] = [given.kills, given.requests, given.parallel, given.seed].map(Number) as [
  number,
  number,
  number,
  number
]

const day = 86_400_000
const tokens = 50
/** Of one request, in nano-USD: 100 tokens at 40 USD a million, so that 250 of them are the budget of 1 USD. */
const cost = 4_000_000
const usd = 1_000_000_000
const keys = ["a", "b", "c", "tight"] as const
type Key = (typeof keys)[number]
const limitOf = (key: Key): number => (key === "tight" ? 1 : 1_000_000)

const perKey = (): Record<Key, number> => ({ a: 0, b: 0, c: 0, tight: 0 })

/** What the upstream has begun and answered: the witness. */
const witness = { begun: perKey(), answered: perKey() }

const dice = new Dice(seed)

const upstream = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { messages: [{ content: Key }] }
    const key = body.messages[0].content
    witness.begun[key]++
    const text = JSON.stringify({
      id: "c",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "ok" }, finish_reason: "stop" }],
      usage: { prompt_tokens: tokens, completion_tokens: tokens, total_tokens: 2 * tokens }
    })
    setTimeout(() => {
      if (response.destroyed) return
      witness.answered[key]++
      response.writeHead(200, { "content-type": "application/json" }).end(text)
    }, 5 * dice.roll())
  })
})

const folder = mkdtempSync(join(tmpdir(), "switchyard-kills-"))

const settings = (url: string): string => `server: { port: 0 }
masterKey: sk-master-of-the-kills
log: { level: warn }
keys:
${keys.map((key) => `  - { name: ${key}, key: sk-key-of-${key}-0123, budget: { limit: ${limitOf(key)}, window: 1 day } }`).join("\n")}
deployments:
  - { id: up, group: m, model: m, baseUrl: ${JSON.stringify(url)}, apiKey: sk-up, inputPrice: 40, outputPrice: 40, defaults: { max_tokens: ${tokens} } }
`

interface Started {
  readonly child: ChildProcess
  readonly url: string
  readonly took: number
}

const start = (program: string, config: string): Promise<Started> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    const child = spawn(process.execPath, [program, "serve", "--config", config, "--data", join(folder, "data")], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let text = ""
    const hear = (chunk: Buffer) => {
      text += chunk.toString()
      const [, url] = /switchyard listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(text) ?? []
      if (url !== undefined) resolve({ child, url, took: performance.now() - began })
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.on("exit", (code) => reject(new Error(`the gateway ended with ${code}:\n${text}`)))
  })

/** What callers saw: answers, refusals, and calls that were cut by a kill. */
const seen = { answered: perKey(), refused: perKey(), cut: perKey() }

const call = async (url: string, key: Key): Promise<void> => {
  try {
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer sk-key-of-${key}-0123` },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: key }] })
    })
    await answer.text()
    if (answer.status === 200) seen.answered[key]++
    else seen.refused[key]++
  } catch {
    seen.cut[key]++
  }
}

/** Calls, so many at once, until there are enough or the gateway is gone. */
const load = async (url: string, count: number, isOver: () => boolean): Promise<number> => {
  let begun = 0
  const worker = async () => {
    while (begun < count && !isOver()) {
      begun++
      await call(url, dice.pick(keys))
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return begun
}

const spentOf = (path: string): Promise<ReadonlyArray<number>> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* SqliteStore.make({ path, isReading: true })
        const now = Date.now()
        const grants = yield* store.lease(
          "witness",
          keys.map((key) => ({ scope: "caller", key, length: day, limit: 0, amount: 0, lasts: 0, now }))
        )
        return grants.map(({ spent }) => spent)
      })
    )
  )

const main = async (): Promise<boolean> => {
  const program = await bundled("packages/cli/src/main.ts")
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  const config = join(folder, "config.yaml")
  writeFileSync(config, settings(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`))
  let left = requests
  const starts: Array<number> = []
  for (let kill = 0; kill <= kills; kill++) {
    const { child, took, url } = await start(program, config)
    starts.push(took)
    const count = kill === kills ? left : Math.min(left, Math.round((requests / (kills + 1)) * (0.5 + dice.roll())))
    let isDead = false
    child.removeAllListeners("exit")
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()))
    const killed = (): void => {
      isDead = true
      child.kill("SIGKILL")
    }
    if (kill === kills) {
      await load(url, count, () => false)
      child.kill("SIGTERM")
    } else {
      // In the midst of it, wherever that is.
      const at = seen.answered.a + seen.answered.b + seen.answered.c + Math.floor((count * 3) / 5)
      const watch = setInterval(() => {
        if (seen.answered.a + seen.answered.b + seen.answered.c >= at) setTimeout(killed, 10 * dice.roll())
      }, 1)
      left -= await load(url, count, () => isDead)
      clearInterval(watch)
      if (!isDead) killed()
    }
    await gone
  }
  upstream.closeAllConnections()
  upstream.close()
  const spent = await spentOf(join(folder, "data", "ledger.db"))
  let isGood = true
  const line = (...cells: ReadonlyArray<string | number>) =>
    console.log(cells.map((cell) => String(cell).padStart(12)).join(""))
  line("key", "answered", "callers saw", "refused", "cut", "spent", "missing")
  let missing = 0
  for (const [index, key] of keys.entries()) {
    const kept = (spent[index] ?? 0) / cost
    const gap = witness.answered[key] - kept
    missing += Math.max(0, gap)
    line(key, witness.answered[key], seen.answered[key], seen.refused[key], seen.cut[key], kept, gap)
    // What was in flight at a kill is a call that was cut; what was settled in its last tick was answered to nobody yet, or just then.
    const lastTicks = kills * parallel
    if (gap > seen.cut[key] + lastTicks || kept > witness.begun[key]) isGood = false
  }
  const cut = keys.reduce((sum, key) => sum + seen.cut[key], 0)
  const over = witness.answered.tight * cost - usd
  // What is recorded was known: only what was lost at the kills, and one call, may be above the budget.
  const bound = (Math.max(0, witness.answered.tight - (spent[keys.indexOf("tight")] ?? 0) / cost) + 1) * cost
  if (over > bound) isGood = false
  starts.sort((a, b) => a - b)
  console.log(
    `${kills} kills, ${requests} requests, seed ${seed}: ${missing} answers are not in the ledger; in flight at the kills were ${cut}, the bound.`
  )
  console.log(
    `The budget of 1 USD: ${witness.answered.tight * cost} nano-USD were answered, ${over} above it; one call and what the kills lost are ${bound}.`
  )
  console.log(
    `Starts: median ${Math.round(starts[starts.length >> 1] ?? 0)} ms, longest ${Math.round(starts.at(-1) ?? 0)} ms`
  )
  rmSync(folder, { recursive: true, force: true })
  return isGood
}

process.exitCode = (await main()) ? 0 : 1
