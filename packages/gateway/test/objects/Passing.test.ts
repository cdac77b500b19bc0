import { type IncomingMessage, request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { deploymentOf, errorIn, eventually, holdsNothing, masterKey, start } from "../support/gateways.js"
import * as FakeObjects from "./fakeObjects.js"

const authorization = `Bearer ${masterKey}`

describe("an answer that is passed through", () => {
  it.scopedLive("comes no faster than it is read, and ends at the provider when its caller leaves", () =>
    Effect.gen(function* () {
      const fake = yield* FakeObjects.make("eu")
      const passThrough = [{ method: "GET", path: "/evals/*" } as const]
      const gateway = yield* start([], { deployments: [deploymentOf(fake, { passThrough })] })
      const total = 256 * 1024 * 1024
      const block = Buffer.alloc(256 * 1024, "x")
      let written = 0
      let waited = 0
      let isClosed = false
      fake.next((response) => {
        response.writeHead(200, { "content-type": "application/octet-stream" })
        response.on("close", () => {
          isClosed = true
        })
        const more = (): void => {
          while (written < total) {
            written += block.length
            if (response.write(block)) continue
            waited++
            response.once("drain", more)
            return
          }
          response.end()
        }
        more()
      })
      const answer = yield* Effect.promise(
        () =>
          new Promise<IncomingMessage>((resolve) => {
            request(`${gateway.url}/v1/evals/one`, { headers: { authorization } }, (answered) => {
              answered.on("error", () => {})
              answered.pause()
              resolve(answered)
            }).end()
          })
      )
      yield* eventually(
        () => "the provider waits",
        () => waited > 0
      )
      answer.destroy()
      yield* eventually(
        () => "the provider's answer is closed",
        () => isClosed
      )
      assert.isBelow(written, total)
      yield* holdsNothing(gateway)
    })
  )

  it.scopedLive("is the provider's own, whatever it says, and a provider that fails is told in OpenAI's words", () =>
    Effect.gen(function* () {
      const fake = yield* FakeObjects.make("eu")
      const gateway = yield* start([], {
        deployments: [deploymentOf(fake, { passThrough: true })],
        retry: { attempts: 1 }
      })
      const ask = (method: string) =>
        Effect.promise(async () => {
          const answer = await fetch(`${gateway.url}/v1/vector_stores/x/files`, { method, headers: { authorization } })
          return { status: answer.status, text: await answer.text() }
        })
      for (const status of [400, 404, 409, 422]) {
        fake.next((response) => {
          response.writeHead(status, { "content-type": "application/json" }).end(`{"error":{"message":"no ${status}"}}`)
        })
        assert.deepStrictEqual(yield* ask("GET"), { status, text: `{"error":{"message":"no ${status}"}}` })
      }
      for (const [status, code] of [
        [500, 503],
        [401, 503],
        [429, 429]
      ] as const) {
        fake.next((response) => void response.writeHead(status).end("it fails"))
        const failed = yield* ask("POST")
        assert.isAtLeast(failed.status, Math.min(code, 429))
        assert.isString(errorIn(failed.text).code)
      }
      yield* holdsNothing(gateway)
    })
  )
})
