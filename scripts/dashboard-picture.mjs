/**
 * `node scripts/dashboard-picture.mjs [--minutes 15]`: makes docs/dashboard.png anew. Starts the built command over upstreams of
 * its own that are slow, full or down now and then, sends requests for so long, and takes the picture with Chromium
 * (`CHROMIUM` says where that is).
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

// The gateway's tests have it.
const { chromium } = createRequire(new URL("../packages/gateway/package.json", import.meta.url))("playwright-core")

const { values } = parseArgs({ options: { minutes: { type: "string", default: "15" } } })
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new Error("--minutes: expected a number above 0")

const root = fileURLToPath(new URL("..", import.meta.url))
const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path)
)
if (executablePath === undefined)
  throw new Error("no Chromium: `apt-get install chromium`, or set CHROMIUM to its path")

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Deployments and how they behave; times in ms, `fails` is a share. */
const cast = [
  { id: "openai/gpt-4o", group: "smart", model: "gpt-4o", first: 350, words: 40, fails: 0.01, rpm: 400 },
  { id: "azure/gpt-4o@eu", group: "smart", model: "gpt-4o", first: 300, words: 40, fails: 0.01, rpm: 300 },
  { id: "azure/gpt-4o@us", group: "smart", model: "gpt-4o", first: 400, words: 40, fails: 0.01, isDownFrom: 0.6 },
  { id: "groq/llama-3.3-70b", group: "fast", model: "llama-3.3-70b", first: 90, words: 20, fails: 0.02, rpm: 300 },
  { id: "mistral/small", group: "fast", model: "mistral-small", first: 140, words: 20, fails: 0 },
  { id: "local/embeddings", group: "embeddings", model: "embed", first: 25, words: 0, fails: 0 }
]

const begun = Date.now()
const part = () => (Date.now() - begun) / (minutes * 60_000)

const answer = async (one, body, response) => {
  await sleep(one.first * (0.7 + Math.random()))
  const isDown = one.isDownFrom !== undefined && part() >= one.isDownFrom
  if (isDown || Math.random() < one.fails) {
    response.writeHead(isDown ? 503 : 429, { "content-type": "application/json" })
    return response.end(JSON.stringify({ error: { message: isDown ? "down" : "too many requests" } }))
  }
  const usage = { prompt_tokens: 40, completion_tokens: one.words, total_tokens: 40 + one.words }
  if (body.input !== undefined) {
    response.writeHead(200, { "content-type": "application/json" })
    const data = [{ object: "embedding", index: 0, embedding: [0.1, 0.2] }]
    return response.end(
      JSON.stringify({ object: "list", data, model: one.model, usage: { prompt_tokens: 8, total_tokens: 8 } })
    )
  }
  const base = { id: "chatcmpl-1", created: 1, model: one.model }
  response.writeHead(200, { "content-type": "text/event-stream" })
  const say = (delta, finish, more = {}) => {
    const choices = [{ index: 0, delta, finish_reason: finish }]
    const chunk = { ...base, object: "chat.completion.chunk", choices, ...more }
    response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  }
  for (let word = 0; word < one.words; word++) {
    say({ content: "word " }, null)
    await sleep(20)
  }
  say({}, "stop")
  response.end(
    `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [], usage })}\n\ndata: [DONE]\n\n`
  )
}

const upstream = (one) =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      let text = ""
      request.on("data", (chunk) => {
        text += chunk
      })
      request.on("end", () => void answer(one, JSON.parse(text), response))
    }).listen(0, "127.0.0.1", () => {
      const { id, group, model, rpm } = one
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      const baseUrl = `http://127.0.0.1:${port}/v1`
      resolve({
        server,
        deployment: { id, group, model, baseUrl, apiKey: "none", ...(rpm === undefined ? {} : { rpm }) }
      })
    })
  })

const folder = mkdtempSync(join(tmpdir(), "switchyard-picture-"))
const upstreams = await Promise.all(cast.map(upstream))
const file = join(folder, "config.yaml")
const deployments = upstreams.map(({ deployment }) => deployment)
writeFileSync(file, JSON.stringify({ deployments, ledger: false, log: { level: "error" } }))
const command = [join(root, "packages/cli/bin/switchyard.js"), "serve", "--config", file, "--port", "0"]
const gateway = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] })
const url = await new Promise((resolve) => {
  let said = ""
  gateway.stdout.on("data", (chunk) => {
    said += chunk
    const found = /listens on (\S+)/.exec(said)
    if (found !== null) resolve(found[1])
  })
})

const post = async (path, body) => {
  const headers = { "content-type": "application/json" }
  await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
    .then((response) => response.text())
    .catch(() => {})
}
const messages = [{ role: "user", content: "Hello!" }]
const asks = [
  { perSecond: 4, send: () => post("/v1/chat/completions", { model: "smart", stream: true, messages }) },
  { perSecond: 3, send: () => post("/v1/chat/completions", { model: "fast", stream: true, messages }) },
  { perSecond: 1.5, send: () => post("/v1/embeddings", { model: "embeddings", input: "Hello!" }) }
]
const sending = async ({ perSecond, send }) => {
  while (part() < 1) {
    void send()
    // More and less of it, as a day has.
    const tide = 1 + 0.5 * Math.sin(6 * part())
    await sleep((-Math.log(1 - Math.random()) * 1000) / (perSecond * tide))
  }
}
try {
  await Promise.all(asks.map(sending))
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] })
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  await page.goto(`${url}/`)
  await page.getByText("azure/gpt-4o@us").first().waitFor()
  // Samples come every two seconds.
  for (let round = 0; round < 30; round++) {
    for (const { send } of asks) void send()
    await sleep(100)
  }
  await page.screenshot({ path: join(root, "docs/dashboard.png") })
  await browser.close()
} finally {
  gateway.kill("SIGTERM")
  for (const { server } of upstreams) {
    server.close()
    server.closeAllConnections()
  }
  rmSync(folder, { recursive: true, force: true })
}
console.log("docs/dashboard.png written")
