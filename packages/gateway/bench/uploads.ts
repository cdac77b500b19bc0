/**
 * How much memory a gateway takes while a large recording passes: one of 1 GiB (`-- --mib 256` for less), with the file before the
 * model, to an upstream that reads it all. The gateway is a process of its own, so that neither client nor upstream counts. Needs
 * Linux's /proc. Exits 1 where it grows by 64 MiB or more, or where what arrives is not what was sent.
 */
import { type ChildProcess, fork } from "node:child_process"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import { Effect, Either } from "effect"

const mib = 1024 * 1024
const most = 64

/** The gateway's own process. */
const serve = (upstream: string): Promise<never> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const settings = {
          masterKey: "sk-bench",
          log: { format: "off" },
          server: { port: 0, maxUpload: 4096 * mib },
          deployments: [{ id: "a", group: "whisper", model: "whisper-1", baseUrl: `${upstream}/v1` }]
        }
        const { url } = yield* Gateway.make({ config: Either.getOrThrow(GatewayConfig.decode(settings)) })
        yield* Effect.sync(() => process.send?.({ url }))
        return yield* Effect.never
      })
    )
  )

interface Arrived {
  bytes: number
}

/** An upstream that reads all that it is sent, and remembers how much of the last request that was. */
const upstream = async (arrived: Arrived): Promise<string> => {
  const server = createServer((request, response) => {
    let bytes = 0
    request.on("data", (piece: Buffer) => {
      bytes += piece.length
    })
    request.on("end", () => {
      arrived.bytes = bytes
      response.writeHead(200, { "content-type": "application/json" })
      response.end('{"text":"Hello"}')
    })
  })
  await new Promise<void>((resume) => server.listen(0, "127.0.0.1", resume))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const residentOf = ({ pid }: ChildProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** Temporary files that a process holds open. */
const filesOf = ({ pid }: ChildProcess): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return /switchyard-.*\.upload/.test(readlinkSync(`/proc/${pid}/fd/${fd}`))
    } catch {
      return false
    }
  }).length

const chunk = Buffer.alloc(mib, "x")

const upload = (url: string, size: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const part = 'content-disposition: form-data; name="file"; filename="a.mp3"\r\ncontent-type: audio/mpeg'
    const head = Buffer.from(`--b\r\n${part}\r\n\r\n`)
    const tail = Buffer.from('\r\n--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b--\r\n')
    const request = send(`${url}/v1/audio/transcriptions`, {
      method: "POST",
      headers: {
        authorization: "Bearer sk-bench",
        "content-type": "multipart/form-data; boundary=b",
        "content-length": head.length + size * mib + tail.length
      }
    })
    request.on("error", reject)
    request.on("response", (response) => {
      const parts: Array<Buffer> = []
      response.on("data", (bytes: Buffer) => parts.push(bytes))
      response.on("end", () => resolve(`${response.statusCode} ${Buffer.concat(parts).toString()}`))
    })
    request.write(head)
    let sent = 0
    const more = (): void => {
      for (; sent < size; ) {
        sent++
        if (!request.write(chunk)) return void request.once("drain", more)
      }
      request.end(tail)
    }
    more()
  })

const measure = async (): Promise<number> => {
  const at = process.argv.indexOf("--mib")
  const size = at === -1 ? 1024 : Number(process.argv[at + 1])
  const arrived: Arrived = { bytes: 0 }
  const child = fork(fileURLToPath(import.meta.url), ["--serve", await upstream(arrived)])
  const url = await new Promise<string>((resolve) => {
    child.once("message", (message: { readonly url: string }) => resolve(message.url))
  })
  // What is loaded once is no upload's.
  for (let round = 0; round < 5; round++) await upload(url, 0)
  const before = residentOf(child)
  let peak = before
  let files = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, residentOf(child))
    files = Math.max(files, filesOf(child))
  }, 20)
  const from = performance.now()
  const answer = await upload(url, size)
  const seconds = (performance.now() - from) / 1000
  clearInterval(timer)
  // The gateway lets go of it when its answer is out, which we may have read before.
  for (let look = 0; look < 50 && filesOf(child) > 0; look++) await new Promise((resume) => setTimeout(resume, 20))
  const left = filesOf(child)
  child.kill()
  const isWhole = answer === '200 {"text":"Hello"}' && arrived.bytes >= size * mib
  const grown = peak - before
  console.log(
    `${size} MiB in ${seconds.toFixed(1)} s: ${before.toFixed(0)} MiB before, ${peak.toFixed(0)} MiB at most, ${grown.toFixed(0)} MiB more; ` +
      `${files} temporary file, ${left} left; ${answer}, ${arrived.bytes} bytes arrived`
  )
  return isWhole && grown < most && left === 0 ? 0 : 1
}

const [, , mode, address = ""] = process.argv
if (mode === "--serve") await serve(address)
else process.exit(await measure())
