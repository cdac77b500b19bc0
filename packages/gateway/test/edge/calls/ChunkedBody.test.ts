import { createServer, type ServerResponse } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { ChunkedBody } from "../../../src/edge/calls/chunkedBody.js"

/** All that a client is sent for these requests, which go out at once. */
const answers = (requests: string, answer: (response: ServerResponse, path: string) => void): Promise<string> =>
  new Promise((resolve, reject) => {
    const server = createServer(({ url = "" }, response) => answer(response, url))
    server.listen(0, "127.0.0.1", () => {
      const socket = connect((server.address() as AddressInfo).port, "127.0.0.1", () => socket.write(requests))
      let text = ""
      socket.setEncoding("utf8")
      socket.on("data", (piece: string) => {
        text += piece
      })
      socket.on("error", reject)
      socket.on("close", () => {
        server.close()
        resolve(text)
      })
    })
  })

const bodyOf = (response: ServerResponse): ChunkedBody => {
  response.sendDate = false
  response.writeHead(200, {})
  const body = new ChunkedBody(response)
  body.begin()
  return body
}

const source = Buffer.from("xxGrüßexx")
const stretch = { source, start: 2, end: source.length - 2 }
const last = "GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"

describe("a streamed body", () => {
  it("comes in HTTP's chunks, each with all that was written at once, the last in one with the end", async () => {
    const text = await answers(last, (response) => {
      const body = bodyOf(response)
      body.write("one")
      body.write([])
      setImmediate(() => {
        body.write(["ä", stretch])
        body.end("end")
      })
    })
    assert.match(text, /^HTTP\/1.1 200 OK\r\n.*\r\n\r\n3\r\none\r\n9\r\näGrüße\r\n3\r\nend\r\n0\r\n\r\n$/s)
  })

  it("waits for the answers before it, and nothing of it comes between theirs", async () => {
    let first = (): void => {}
    const text = await answers(`GET /first HTTP/1.1\r\nhost: a\r\n\r\n${last}`, (response, path) => {
      const body = bodyOf(response)
      body.write(path)
      const rest = (): void => {
        body.write([stretch])
        body.hold()
        body.write("held")
        body.end("")
      }
      // The second has said all before the first goes on.
      if (path === "/first") first = rest
      else {
        rest()
        setImmediate(first)
      }
    })
    const rest = "7\r\nGrüße\r\n4\r\nheld\r\n0\r\n\r\n"
    assert.deepStrictEqual(
      text.split(/HTTP\/1.1 200 OK\r\n.*?\r\n\r\n/s).filter((body) => body !== ""),
      [`6\r\n/first\r\n${rest}`, `5\r\n/last\r\n${rest}`]
    )
  })

  it("has no chunks for a client that does not know them", async () => {
    const text = await answers("GET / HTTP/1.0\r\n\r\n", (response) => {
      const body = bodyOf(response)
      body.write([stretch, "!"])
      body.end("end")
    })
    assert.match(text, /\r\n\r\nGrüße!end$/)
  })

  it("tells a writer who is too fast to wait, and when there is room again", async () => {
    let waited = false
    const text = await answers(last, (response) => {
      const body = bodyOf(response)
      body.write("one")
      setImmediate(() => {
        const hasRoom = body.write("x".repeat(8_000_000))
        body.onRoom(() => {
          waited = !hasRoom
          body.end("end")
        })
      })
    })
    assert.isTrue(waited)
    assert.match(text, /x\r\n3\r\nend\r\n0\r\n\r\n$/)
  })
})
