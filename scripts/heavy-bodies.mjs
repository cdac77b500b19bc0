// Hostile bodies against a gateway with a small heap: `npm run heavy-bodies`, in a built checkout. Fails when the process
// dies, when health is answered late, when another caller's picture is not served, or when memory does not come back.
//   --requests 1000 --connections 8 --heap 512 --mb 30 --health 250 --rest 60
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { Agent, createServer, request as httpRequest } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values: given } = parseArgs({
  options: Object.fromEntries(
    ["requests", "connections", "heap", "mb", "health", "rest", "upstream"].map((name) => [name, { type: "string" }])
  )
})
const option = (name, otherwise) => Number(given[name] ?? otherwise)
const requests = option("requests", 1000)
const connections = option("connections", 8)
const heap = option("heap", 512)
const size = option("mb", 30) * 1e6
const maxHealth = option("health", 250)
const rest = option("rest", 60)

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** An upstream in a process of its own, which drops what it is sent. */
if (given.upstream !== undefined) {
  const answer = JSON.stringify({
    id: "x",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
  })
  const server = createServer((request, response) => {
    request.resume()
    request.on("error", () => {})
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end(answer)
    })
  })
  server.listen(0, "127.0.0.1", () =>
    console.log(/** @type {import("node:net").AddressInfo} */ (server.address()).port)
  )
} else await main()

function fill(before, unit, after, separator = ",") {
  const piece = unit + separator
  const count = Math.floor((size - before.length - after.length - unit.length) / piece.length)
  return Buffer.from(`${before}${piece.repeat(Math.max(0, count))}${unit}${after}`)
}

function* numbered(unitOf, most) {
  for (let at = 0, length = 0; length < most; at++) {
    const unit = unitOf(at)
    length += unit.length + 1
    yield unit
  }
}

/** Every kind of body by its name, made when it is first asked for. */
function shapes() {
  const asked = '"model":"m","messages":[{"role":"user","content":"hi"}]'
  const inField = (unit, separator) => fill(`{${asked},"x":[`, unit, "]}", separator)
  const made = {
    "one text": () => fill('{"model":"m","messages":[{"role":"user","content":"', "aaaaaaaaaa", '"}]}', ""),
    "a text of escapes": () => fill('{"model":"m","messages":[{"role":"user","content":"', "\\n\\u00e9", '"}]}', ""),
    "a text of umlauts": () =>
      Buffer.from(`{"model":"m","messages":[{"role":"user","content":"${"é漢".repeat(size / 5 - 100)}"}]}`),
    "empty messages": () => fill('{"model":"m","messages":[', '{"role":"user","content":""}', "]}"),
    "as many messages as may be": () =>
      Buffer.from(
        `{"model":"m","messages":[${`{"role":"user","content":"${"a".repeat(350)}"},`.repeat(80_000)}{"role":"user","content":""}]}`
      ),
    numbers: () => inField("1"),
    "token ids": () => Buffer.from(`{${asked},"input":[${"12345,".repeat(3.9e6)}1]}`),
    "empty objects": () => inField("{}"),
    "empty texts": () => inField('""'),
    "open brackets": () => fill(`{${asked},"x":`, "[", "", ""),
    "deep objects": () => fill(`{${asked},"x":`, '{"a":', "", ""),
    "many fields": () => Buffer.from(`{${[...numbered((at) => `"${at.toString(36)}":1`, size)].join(",")}}`),
    "many fields in a field": () =>
      Buffer.from(`{${asked},"x":{${[...numbered((at) => `"${at.toString(36)}":1`, size)].join(",")}}}`),
    "as many shapes as may be": () =>
      Buffer.from(
        `{${asked},"x":[${Array.from({ length: 120_000 }, (_, at) => `{"k${at}":1}`).join(",")}],"y":"${"a".repeat(size / 2)}"}`
      ),
    "long fields": () =>
      Buffer.from(`{${asked},"x":{${[...numbered((at) => `"${"k".repeat(100_000)}${at}":1`, size)].join(",")}}}`),
    "a field twice": () => fill(`{${asked},"y":"`, "aaaaaaaaaa", '","mod\\u0065l":"other"}', ""),
    "texts of 16 KB": () => inField(`"${"a".repeat(16_000)}"`),
    "escapes in small texts": () => Buffer.from(`{${asked},"x":[${`"${"\\n".repeat(50)}",`.repeat(240_000)}""]}`)
  }
  const kept = new Map()
  const names = Object.keys(made)
  return (number) => {
    const name = names[number % names.length]
    // All of them at once are half a gigabyte in this process, which is not the one that is measured.
    if (!kept.has(name)) kept.set(name, made[name]())
    return { name, body: kept.get(name) }
  }
}

function post(port, path, key, body, agent) {
  return new Promise((resolve) => {
    const sent = httpRequest(
      {
        host: "127.0.0.1",
        port,
        path,
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": body.length, authorization: `Bearer ${key}` }
      },
      (response) => {
        const parts = []
        response.on("data", (part) => parts.push(part))
        response.on("end", () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }))
        response.on("error", () => resolve({ status: 0, text: "" }))
      }
    )
    sent.on("error", (error) => resolve({ status: 0, text: String(error) }))
    sent.end(body)
  })
}

/** Health is asked for by a process of its own: what this one does with bodies must not count. */
function pinger(port) {
  const code = `
    const { request, Agent } = require("node:http")
    const agent = new Agent({ keepAlive: true })
    const times = []
    let late = 0, failed = 0
    const ping = () => {
      const from = performance.now()
      const end = (ok) => {
        const ms = performance.now() - from
        times.push(ms)
        if (!ok) failed++
        setTimeout(ping, 50)
      }
      const sent = request({ host: "127.0.0.1", port: ${port}, path: "/health/live", agent }, (response) => {
        response.resume()
        response.on("end", () => end(response.statusCode === 200))
      })
      sent.on("error", () => end(false))
      sent.end()
    }
    ping()
    process.stdin.on("data", () => {
      times.sort((a, b) => a - b)
      const at = (share) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))])
      console.log(JSON.stringify({ count: times.length, failed, p50: at(0.5), p99: at(0.99), max: at(1) }))
      process.exit(0)
    })`
  const child = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] })
  return () =>
    new Promise((resolve) => {
      child.stdout.once("data", (data) => resolve(JSON.parse(String(data))))
      child.stdin.write("end")
    })
}

async function main() {
  const root = fileURLToPath(new URL("..", import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), "heavy-bodies-"))
  const upstream = spawn(process.execPath, [fileURLToPath(import.meta.url), "--upstream", "1"], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const upstreamPort = await new Promise((resolve) => upstream.stdout.once("data", (data) => resolve(Number(data))))
  const config = join(folder, "config.yaml")
  await writeFile(
    config,
    `masterKey: sk-heavy-master-3f1c
keys:
  - { name: hostile, key: sk-heavy-hostile-77ab }
  - { name: friend, key: sk-heavy-friend-90de }
deployments:
  - { id: d, group: m, model: gpt-x, baseUrl: "http://127.0.0.1:${upstreamPort}/v1", apiKey: sk-heavy-upstream-1c }
`
  )
  const gateway = spawn(
    process.execPath,
    [
      `--max-old-space-size=${heap}`,
      join(root, "packages/cli/bin/switchyard.js"),
      "serve",
      "--config",
      config,
      "--data",
      join(folder, "data"),
      "--port",
      "0"
    ],
    { stdio: ["ignore", "pipe", "pipe"] }
  )
  let said = ""
  let exit
  gateway.on("exit", (code, signal) => {
    exit = signal ?? code
  })
  const port = await new Promise((resolve, reject) => {
    const hear = (data) => {
      said = (said + data).slice(-100_000)
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said)
      if (found !== null) resolve(Number(found[1]))
    }
    gateway.stdout.on("data", hear)
    gateway.stderr.on("data", hear)
    gateway.once("exit", () => reject(new Error(said)))
  })
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))?.[1] ?? 0) / 1024
  const picture = Buffer.from(
    JSON.stringify({
      model: "m",
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: `data:image/png;base64,${"iVBORw0KGgoA".repeat(20e6 / 12)}` } }
          ]
        }
      ]
    })
  )
  const bodyOf = shapes()
  // What a process needs to serve large bodies at all it keeps: before is measured after a friend's pictures.
  for (let at = 0; at < 5; at++) await post(port, "/v1/chat/completions", "sk-heavy-friend-90de", picture)
  await sleep(2000)
  const before = rss()
  const stopPinging = pinger(port)
  const pictures = []
  let isOver = false
  const friend = (async () => {
    while (!isOver) {
      const from = performance.now()
      const { status, text } = await post(port, "/v1/chat/completions", "sk-heavy-friend-90de", picture)
      pictures.push({
        status,
        ms: Math.round(performance.now() - from),
        text: status === 200 ? "" : text.slice(0, 200)
      })
      for (let ms = 0; ms < 5000 && !isOver; ms += 100) await sleep(100)
    }
  })()
  const outcomes = new Map()
  let next = 0
  let peak = before
  const watch = setInterval(() => {
    if (exit === undefined) peak = Math.max(peak, rss())
  }, 200)
  const from = performance.now()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      while (next < requests && exit === undefined) {
        const { body, name } = bodyOf(next++)
        const { status, text } = await post(port, "/v1/chat/completions", "sk-heavy-hostile-77ab", body, agent)
        const code = /"code":"([^"]*)"/.exec(text)?.[1]
        const outcome = `${status}${code === undefined ? "" : ` ${code}`}`
        const known = outcomes.get(name) ?? new Map()
        known.set(outcome, (known.get(outcome) ?? 0) + 1)
        outcomes.set(name, known)
      }
      agent.destroy()
    })
  )
  isOver = true
  await friend
  clearInterval(watch)
  const seconds = Math.round((performance.now() - from) / 1000)
  const health = await stopPinging()
  if (exit === undefined) await sleep(rest * 1000)
  const after = exit === undefined ? rss() : 0
  for (const [name, known] of outcomes) {
    console.log(`${name.padEnd(28)} ${[...known].map(([outcome, count]) => `${count}× ${outcome}`).join(", ")}`)
  }
  const served = pictures.filter(({ status }) => status === 200)
  console.log(`\n${next} bodies in ${seconds} s over ${connections} connections, heap ${heap} MB`)
  console.log(
    `health    ${health.count} asked, ${health.failed} failed, p50 ${health.p50} ms, p99 ${health.p99} ms, max ${health.max} ms`
  )
  console.log(
    `pictures  ${served.length} of ${pictures.length} served, slowest ${Math.max(0, ...served.map(({ ms }) => ms))} ms`
  )
  console.log(
    `memory    ${Math.round(before)} MB before, ${Math.round(peak)} MB at most, ${Math.round(after)} MB ${rest} s after`
  )
  const problems = [
    ...(exit === undefined ? [] : [`the gateway ended: ${exit}\n${said.slice(-2000)}`]),
    ...(health.failed === 0 ? [] : [`${health.failed} of health's answers failed`]),
    ...(health.max <= maxHealth ? [] : [`health took ${health.max} ms, more than ${maxHealth} ms`]),
    ...(served.length === pictures.length
      ? []
      : [`pictures failed: ${JSON.stringify(pictures.filter(({ status }) => status !== 200).slice(0, 5))}`]),
    ...(after <= before * 1.2 ? [] : [`memory is ${Math.round((after / before - 1) * 100)} % above what it was`])
  ]
  for (const problem of problems) console.log(`FAILED    ${problem}`)
  if (exit === undefined) {
    gateway.kill("SIGTERM")
    await new Promise((resolve) => gateway.once("exit", resolve))
  }
  upstream.kill()
  await rm(folder, { recursive: true, force: true })
  process.exit(problems.length === 0 ? 0 : 1)
}
