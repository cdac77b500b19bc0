/**
 * A recording of 64 MiB on its way: what of it is in memory, where the rest is, and that nothing is left however it ends. What a
 * gigabyte takes is measured by `npm run bench:uploads`.
 */
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs"
import { createServer, request as send } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as G from "../../support/gateways.js"
import { connectTo, head } from "../../support/rawHttp.js"

const mib = 1024 * 1024
const size = 64 * mib

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes that buffers hold, of all that is still needed. What one collection finds is freed beside what goes on, and at the latest by the next. */
const held = (): number => {
  collect()
  collect()
  return process.memoryUsage().arrayBuffers
}

/** A folder of this file's own: other threads of the process have uploads, too. */
const folder = mkdtempSync(join(tmpdir(), "large-uploads-"))
const usual = process.env["TMPDIR"]
process.env["TMPDIR"] = folder
afterAll(() => {
  if (usual === undefined) delete process.env["TMPDIR"]
  else process.env["TMPDIR"] = usual
  rmSync(folder, { recursive: true })
})

/** Files of uploads that this file has open; undefined where the system does not tell. */
const openFiles = (): number | undefined => {
  try {
    return readdirSync("/proc/self/fd").filter((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`)
        return path.startsWith(folder) && /switchyard-.*\.upload/.test(path)
      } catch {
        return false
      }
    }).length
  } catch {
    return undefined
  }
}

interface Upstream extends G.Upstream {
  /** Reads no further than this many bytes, until it is set higher. */
  readonly readTo: (bytes: number) => void
  readonly came: () => number
  readonly digest: () => string
}

/** An upstream that reads as far as it is told, and answers a form that it has read whole. */
const upstream = Effect.map(
  Effect.acquireRelease(
    Effect.async<Upstream & { readonly close: () => void }>((resume) => {
      let most = 0
      let came = 0
      let hash = createHash("sha256")
      let goOn = (): void => {}
      const server = createServer((request, response) => {
        came = 0
        hash = createHash("sha256")
        goOn = () => void request.resume()
        request.on("data", (piece: Buffer) => {
          came += piece.length
          hash.update(piece)
          if (came >= most) request.pause()
        })
        request.on("end", () => {
          response.writeHead(200, { "content-type": "application/json" })
          response.end('{"text":"Hello"}')
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(
          Effect.succeed({
            name: "up",
            url: `http://127.0.0.1:${port}/v1`,
            readTo: (bytes) => {
              most = bytes
              goOn()
            },
            came: () => came,
            digest: () => hash.digest("hex"),
            close: () => {
              server.closeAllConnections()
              server.close()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  ),
  (made): Upstream => made
)

const part = 'Content-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg'
const before = Buffer.from(`--b\r\n${part}\r\n\r\n`)
const after = Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nsmart\r\n--b--\r\n')
const headers = {
  ...G.authorized,
  "content-type": "multipart/form-data; boundary=b",
  "content-length": before.length + size + after.length
}

/** Sends it without ever holding it. */
const upload = (url: string): Effect.Effect<string> =>
  Effect.async<string>((resume) => {
    const piece = Buffer.alloc(mib, "x")
    const request = send(`${url}/v1/audio/transcriptions`, { method: "POST", headers }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
      })
      response.on("end", () => resume(Effect.succeed(`${response.statusCode} ${text}`)))
    })
    request.on("error", (error) => resume(Effect.succeed(error.message)))
    request.write(before)
    let sent = 0
    const more = (): void => {
      while (sent < size) {
        sent += piece.length
        if (!request.write(piece)) return void request.once("drain", more)
      }
      request.end(after)
    }
    more()
    return Effect.sync(() => request.destroy())
  })

const isGone = G.eventually(
  () => `${openFiles()} files are open`,
  () => (openFiles() ?? 0) === 0
)

describe("a large upload", () => {
  it.scopedLive("is in its file, and not in memory, while it waits for its provider, and goes there whole", () =>
    Effect.gen(function* () {
      const up = yield* upstream
      const gateway = yield* G.start([up])
      const idle = held()
      up.readTo(mib)
      const fiber = yield* Effect.fork(upload(gateway.url))
      yield* G.eventually(
        () => `${up.came()} bytes came`,
        () => up.came() >= mib
      )
      assert.isBelow(held() - idle, 16 * mib)
      assert.include([1, undefined], openFiles())
      up.readTo(Number.POSITIVE_INFINITY)
      assert.strictEqual(yield* fiber.await.pipe(Effect.flatten), '200 {"text":"Hello"}')
      assert.isAbove(up.came(), size)
      yield* isGone
      yield* G.holdsNothing(gateway)
    })
  )

  it.scopedLive("whose caller leaves is gone, while it comes and while it goes out", () =>
    Effect.gen(function* () {
      const up = yield* upstream
      const gateway = yield* G.start([up])
      const client = yield* connectTo(gateway)
      client.send(head("POST", "/v1/audio/transcriptions", headers))
      client.send(before)
      client.send(Buffer.alloc(12 * mib))
      if (openFiles() !== undefined) {
        yield* G.eventually(
          () => `${openFiles()} files are open`,
          () => openFiles() === 1
        )
      }
      client.destroy()
      yield* isGone
      up.readTo(mib)
      const fiber = yield* Effect.fork(upload(gateway.url))
      yield* G.eventually(
        () => `${up.came()} bytes came`,
        () => up.came() >= mib
      )
      yield* fiber.interruptAsFork(fiber.id())
      yield* isGone
      yield* G.holdsNothing(gateway)
    })
  )
})
