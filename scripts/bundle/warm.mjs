// @ts-check
// Starts the command as users do, and asks it for an answer and a stream: what V8 has compiled by then it keeps beside the
// programs, for every start that follows.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const command = fileURLToPath(new URL("../../packages/cli/bin/switchyard.js", import.meta.url))
const key = "sk-warm"
const chunk = (/** @type {unknown} */ delta, /** @type {string | null} */ reason) =>
  JSON.stringify({
    id: "x",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason: reason }]
  })
const answer = JSON.stringify({
  id: "x",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
})

const listening = async () => {
  const server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text) => (body += text))
    request.on("end", () => {
      if (!body.includes('"stream":true')) {
        response.writeHead(200, { "content-type": "application/json" }).end(answer)
        return
      }
      const chunks = [chunk({ role: "assistant", content: "hel" }, null), chunk({ content: "lo" }, "stop"), "[DONE]"]
      response
        .writeHead(200, { "content-type": "text/event-stream" })
        .end(chunks.map((one) => `data: ${one}\n\n`).join(""))
    })
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)))
  return { server, port: /** @type {import("node:net").AddressInfo} */ (server.address()).port }
}

const ask = async (/** @type {string} */ url, /** @type {boolean} */ stream) => {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "m", stream, messages: [{ role: "user", content: "hi" }] })
  })
  if (!response.ok) throw new Error(`the command answers ${response.status}: ${await response.text()}`)
  await response.text()
}

/** Starts it and keeps what is compiled; fails when it does not serve. `isKept` says whether that is written. */
export const warm = async (/** @type {() => boolean} */ isKept) => {
  const { port, server } = await listening()
  const place = mkdtempSync(join(tmpdir(), "switchyard-warm-"))
  const config = join(place, "config.json")
  const deployments = [{ id: "a", group: "m", model: "m", baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: "sk" }]
  writeFileSync(config, JSON.stringify({ masterKey: key, deployments }))
  const args = [command, "serve", "--config", config, "--data", join(place, "data"), "--port", "0"]
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", SWITCHYARD_START_TAKES: "3000" }
  })
  try {
    let said = ""
    const url = await new Promise((resolve, reject) => {
      const hear = (/** @type {Buffer} */ bytes) => {
        said += bytes
        const found = /listens on (\S+)/.exec(said)?.[1]
        if (found !== undefined) resolve(found)
      }
      child.stdout.on("data", hear)
      child.stderr.on("data", hear)
      child.once("exit", () => reject(new Error(`the command does not start: ${said}`)))
    })
    for (const stream of [false, true, false, true]) await ask(url, stream)
    for (let turn = 0; turn < 150 && !isKept(); turn++) await sleep(100)
  } finally {
    const gone = new Promise((resolve) => child.once("exit", resolve))
    if (child.exitCode === null) {
      child.kill("SIGTERM")
      await gone
    }
    server.close()
    rmSync(place, { recursive: true, force: true })
  }
}
