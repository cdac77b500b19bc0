/** A disk that is full while a form is kept on it: `/dev/full` is one, as far as who writes can tell. */
import * as fs from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { Heartbeat } from "../../../src/edge/heartbeat.js"
import { readUpload } from "../../../src/edge/uploads/uploadReader.js"
import type { Refusal } from "../../../src/errors/ErrorBody.js"

const sound = Buffer.alloc(3_000_000, 7)

/** Uploads a form to nothing but the reader of forms; gives its refusal and what became of its file. */
const upload = async (device: string): Promise<{ readonly refusal: Refusal | undefined; readonly isOpen: boolean }> => {
  let held = 0
  let file: number | undefined
  let refusal: Refusal | undefined
  const isDone = new Promise<void>((resolve) => {
    const server = createServer((request, response) => {
      const reading = readUpload(
        request,
        {
          maxBytes: 10_000_000,
          memory: 100_000,
          hasModel: false,
          patience: 10_000,
          heartbeat: new Heartbeat(),
          place: {
            open: (done) => {
              fs.open(device, "r+", (_, fd) => {
                file = fd
                done(fd)
              })
            },
            sweep: () => {}
          },
          hold: {
            grow: (bytes) => {
              held += bytes
              return undefined
            },
            shrink: (bytes) => {
              held -= bytes
            },
            release: () => {
              held = 0
            }
          }
        },
        (received) => {
          if (Either.isLeft(received)) refusal = received.left
          response.writeHead(refusal?.status ?? 200).end()
        }
      )
      response.on("close", () => {
        reading.stop()
        server.close(() => resolve())
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const form = new FormData()
      form.append("file", new Blob([sound]), "a.mp3")
      form.append("model", "whisper")
      const { port } = server.address() as AddressInfo
      void fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: form, headers: { connection: "close" } })
    })
  })
  await isDone
  assert.isAtLeast(held, 0)
  const isOpen = await new Promise<boolean>((resolve) => {
    fs.fstat(file ?? -1, (error, stat) => resolve(error === null && stat.isCharacterDevice()))
  })
  return { refusal, isOpen }
}

const hasFull = fs.existsSync("/dev/full")
if (!hasFull) console.warn("SKIPPED: /dev/full is not there; only Linux has it")

describe.skipIf(!hasFull)("a disk that is full", () => {
  it("refuses the form with a word that waiting helps, and lets its file go", async () => {
    const { isOpen, refusal } = await upload("/dev/full")
    assert.deepInclude(refusal, { status: 503, code: "overloaded", retryAfter: 10_000 })
    assert.match(refusal?.message ?? "", /no room for a file as large as the form's/)
    assert.isFalse(isOpen, "the temporary file is closed")
  })
})
