import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Top from "../../src/top/Top.js"
import { view } from "../support/views.js"

const serve = (answer: (request: IncomingMessage, response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer(answer)
      const close = () => {
        server.close()
        server.closeAllConnections()
      }
      server.listen(0, "127.0.0.1", () => {
        resume(Effect.succeed({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const { tokens: _tokens, ...incomplete } = view({ id: "a" })

describe("what top says of what answers", () => {
  it.scopedLive("in words: a wrong key, another product, another version, a broken connection", () =>
    Effect.gen(function* () {
      let status = 200
      let body = ""
      const { close, url } = yield* serve((_, response) => {
        const cut = () => void response.socket?.destroy()
        if (body === "cut") return cut()
        response.writeHead(status, { "content-type": "text/html" })
        if (body === "half") response.write("{", cut)
        else response.end(body)
      })
      const none = "what answers there is no switchyard gateway"
      const page = "<html>nginx</html>"
      for (const [code, text, key, says] of [
        [401, page, undefined, "it wants the master key: give --key or set SWITCHYARD_MASTER_KEY"],
        [401, "", "sk-1", "it does not take this key as its master key"],
        [403, '{"error":{"message":"no"}}', "sk-1", "it does not take this key as its master key"],
        [403, page, undefined, "it wants the master key: give --key or set SWITCHYARD_MASTER_KEY"],
        [404, page, undefined, "no switchyard gateway answers there (404)"],
        [500, "{}", undefined, "it answers with status 500"],
        [503, page, "sk-1", "it answers with status 503"],
        [200, page, undefined, none],
        [200, "", undefined, none],
        [204, "", undefined, none],
        [200, "null", undefined, none],
        [200, '{"deployments":{}}', undefined, none],
        [200, "[1]", undefined, none],
        [
          200,
          JSON.stringify({ deployments: [view({ id: "b" }), incomplete] }),
          undefined,
          `${none} of this version: deployments[1].tokens does not fit`
        ],
        [200, "cut", undefined, "the connection was cut"],
        [200, "half", undefined, "the connection was cut"]
      ] as const) {
        status = code
        body = text
        assert.strictEqual(yield* Effect.flip(Top.look(url, key)), says, `${code} ${text}`)
      }
      close()
      assert.strictEqual(yield* Effect.flip(Top.look(url, undefined)), "nothing listens there")
      const nowhere = yield* Effect.flip(Top.look("http://host.invalid", undefined))
      assert.match(nowhere, /^no such host$|^no answer/)
    })
  )
  it.scopedLive(
    "asks below the address's path with its key and no more, and reads older and newer gateways' lists",
    () =>
      Effect.gen(function* () {
        const asked: Array<unknown> = []
        let body: unknown
        const { url } = yield* serve(({ headers, method, url: path }, response) => {
          asked.push([method, path, headers.authorization, headers.accept])
          asked.push(Object.keys(headers).filter((name) => /trace|^b3/.test(name)))
          response.end(JSON.stringify(body))
        })
        for (const told of [
          [view({ id: "a" })],
          { deployments: [view({ id: "a" })] },
          { deployments: [{ ...view({ id: "a" }), later: 1 }], connectionsWaiting: 2, later: 1 }
        ]) {
          body = told
          assert.deepStrictEqual(yield* Top.look(`${url}/llm`, "sk-1"), [view({ id: "a" })])
          assert.deepStrictEqual(asked.splice(0), [
            ["GET", "/llm/admin/deployments", "Bearer sk-1", "application/json"],
            []
          ])
        }
      })
  )
})
