/**
 * The way to the provider: proxies, certificates, and connections that have died of age.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { createServer as createSecureServer } from "node:https"
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import { Effect } from "effect"
import { proxyFor } from "../../src/transport/proxies.js"
import { certificate, privateKey } from "../support/certificate.js"
import * as S from "../support/support.js"

const whole = (text: string): string =>
  JSON.stringify({ choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }] })

const answering =
  (text: string, seen: Array<string> = []): RequestListener =>
  (request, response) => {
    seen.push(`${request.url} ${request.headers.host} ${request.headers["proxy-authorization"] ?? ""}`.trim())
    request.resume()
    request.on("end", () => response.setHeader("content-type", "application/json").end(whole(text)))
  }

const open: Array<Server> = []
const sockets = new Set<Socket>()
const listening = (server: Server): Promise<number> => {
  open.push(server)
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
  })
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)))
}

let folder = ""
let secure = ""
let plainPort = 0
const proxied: Array<string> = []
const tunnels: Array<string> = []
let proxyPort = 0

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-tls-"))
  writeFileSync(join(folder, "ca.pem"), certificate)
  const tls = createSecureServer({ cert: certificate, key: privateKey }, answering("secure"))
  secure = `https://127.0.0.1:${await listening(tls)}/v1`
  plainPort = await listening(createServer(answering("direct")))
  const proxy = createServer(answering("by proxy", proxied))
  proxy.on("connect", (request, socket) => {
    tunnels.push(`${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim())
    socket.on("error", () => {})
    if (request.url === "refused.example:443") return void socket.end("HTTP/1.1 403 No\r\n\r\n")
    const on = connect(Number(new URL(secure).port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      on.pipe(socket)
      socket.pipe(on)
    })
    on.on("error", () => socket.destroy())
    sockets.add(on)
  })
  proxyPort = await listening(proxy)
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of open) server.close()
  rmSync(folder, { recursive: true })
})

const ask = (config: Partial<DeploymentConfig>, options: UndiciTransport.Options = {}) =>
  Effect.gen(function* () {
    const service = OpenAiCompatible.make(yield* Effect.orDie(UndiciTransport.make(options)))
    const { raw } = S.complete(yield* S.call(service, S.chat(), config))
    return JSON.parse(raw).choices[0].message.content as string
  })

describe("the proxy for an origin", () => {
  const both = { http: "http://p:1", https: "http://s:2" }
  it.each<readonly [string, ReadonlyArray<string>, string | undefined]>([
    ["http://api.example", [], "http://p:1"],
    ["https://api.example", [], "http://s:2"],
    ["https://api.example", ["*"], undefined],
    ["https://api.example", ["api.example"], undefined],
    ["https://API.example", ["Api.Example"], undefined],
    ["https://eu.api.example", ["api.example"], undefined],
    ["https://eu.api.example", [".example"], undefined],
    ["https://eu.api.example", ["*.example"], undefined],
    ["https://notapi.example", ["api.example"], "http://s:2"],
    ["https://api.example:8443", ["api.example:8443"], undefined],
    ["https://api.example", ["api.example:443"], undefined],
    ["https://api.example", ["api.example:8443"], "http://s:2"],
    ["http://10.1.2.3", ["10.0.0.0/8"], undefined],
    ["http://11.1.2.3", ["10.0.0.0/8"], "http://p:1"],
    ["http://[fd00::1]", ["fd00::/8"], undefined],
    ["http://[fd00::1]:80", ["[fd00::1]:80"], undefined],
    ["http://10.1.2.3", ["1.2.3"], "http://p:1"],
    ["http://10.1.2.3", ["nonsense/99", "10.0.0.0/77", ""], "http://p:1"],
    ["http://localhost:8080", [], undefined],
    ["https://a.localhost", [], undefined],
    ["http://127.9.9.9", [], undefined],
    ["http://[::1]:1", [], undefined]
  ])("%s, except %j: %s", (origin, except, expected) => {
    assert.strictEqual(proxyFor({ ...both, except }, origin), expected)
  })

  it("is read from the environment in both spellings; what makes no sense is said without its value", () => {
    assert.deepStrictEqual(
      UndiciTransport.fromEnvironment({
        HTTP_PROXY: "http://upper",
        http_proxy: "proxy.corp:3128",
        HTTPS_PROXY: " http://u:p@s:1 ",
        NO_PROXY: "a, b c,,",
        SSL_CERT_FILE: "/etc/ca.pem"
      }),
      {
        options: {
          proxy: { http: "http://proxy.corp:3128", https: "http://u:p@s:1", except: ["a", "b", "c"] },
          tls: { ca: "/etc/ca.pem" }
        },
        warnings: []
      }
    )
    assert.deepStrictEqual(UndiciTransport.fromEnvironment({ all_proxy: "http://any", HTTP_PROXY: "" }).options, {
      proxy: { http: "http://any", https: "http://any" }
    })
    assert.deepStrictEqual(UndiciTransport.fromEnvironment({ NO_PROXY: "*" }), { options: {}, warnings: [] })
    assert.deepStrictEqual(UndiciTransport.fromEnvironment({ HTTPS_PROXY: "socks5://u:geheim@x" }), {
      options: {},
      warnings: ["HTTPS_PROXY is not used: expected the http or https URL of a proxy"]
    })
  })
})

describe("a proxy", () => {
  const through = (userinfo = "") => {
    const url = `http://${userinfo}127.0.0.1:${proxyPort}`
    return { proxy: { http: url, https: url, except: ["direct.example"] } }
  }

  it.scopedLive("is asked for the whole URL of a plain provider, with its own credentials", () =>
    Effect.gen(function* () {
      proxied.length = 0
      const baseUrl = "http://upstream.example:8080/v1"
      assert.strictEqual(yield* ask({ baseUrl }, through("joe:s%40fe@")), "by proxy")
      const token = Buffer.from("joe:s@fe").toString("base64")
      assert.deepStrictEqual(proxied, [
        `http://upstream.example:8080/v1/chat/completions upstream.example:8080 Basic ${token}`
      ])
    })
  )

  it.scopedLive("tunnels to a secure one, whose certificate is checked as ever", () =>
    Effect.gen(function* () {
      tunnels.length = 0
      const config = { baseUrl: "https://upstream.example/v1" }
      const untrusted = yield* Effect.flip(ask(config, through()))
      assert.strictEqual(untrusted.code, "DEPTH_ZERO_SELF_SIGNED_CERT")
      assert.strictEqual(yield* ask({ ...config, tls: { verify: false } }, through()), "secure")
      assert.deepStrictEqual(tunnels, ["upstream.example:443", "upstream.example:443"])
    })
  )

  it.scopedLive("is not asked for loopback, and one that refuses is an outage that is not the provider's words", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* ask({ baseUrl: `http://127.0.0.1:${plainPort}/v1` }, through()), "direct")
      const refused = yield* Effect.flip(ask({ baseUrl: "https://refused.example/v1" }, through()))
      assert.deepInclude(refused, { reason: "Unavailable", code: "PROXY_REFUSED" })
    })
  )
})

describe("a base URL", () => {
  const echo = (config: Partial<DeploymentConfig>, userinfo: string, query = "") =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const server = createServer((request, response) => {
        seen.push(request.headers.authorization ?? "none")
        request.resume()
        request.on("end", () => {
          response.writeHead(400, { "content-type": "application/json" })
          response.end(JSON.stringify({ error: { message: `no ${request.url} for ${request.headers.authorization}` } }))
        })
      })
      const port = yield* Effect.promise(() => listening(server))
      const error = yield* Effect.flip(
        ask({ baseUrl: `http://${userinfo}127.0.0.1:${port}/v1${query}`, apiKey: undefined, ...config })
      )
      return { seen, said: `${error.message} ${error.providerMessage ?? ""}` }
    })

  it.scopedLive("with a name and a password sends them, unless there is a key", () =>
    Effect.gen(function* () {
      const basic = Buffer.from("joe:p@ss").toString("base64")
      const { said, seen } = yield* echo({}, "joe:p%40ss@")
      assert.deepStrictEqual(seen, [`Basic ${basic}`])
      assert.notInclude(said, basic)
      assert.deepStrictEqual((yield* echo({ apiKey: S.key }, "joe:geheim@")).seen, [`Bearer ${S.key}`])
      assert.deepStrictEqual((yield* echo({ headers: { Authorization: "Token abcdef" } }, "joe:geheim@")).seen, [
        "Token abcdef"
      ])
    })
  )

  it.scopedLive("with a key in its query shows it in no error", () =>
    Effect.gen(function* () {
      const { said } = yield* echo({}, "", "?api-version=2024-10-21&api-key=geheim%2Bgeheim&sig=ab12cd34")
      assert.include(said, "api-version=2024-10-21")
      for (const secret of ["geheim", "ab12cd34"]) assert.notInclude(said, secret)
    })
  )
})

describe("a certificate", () => {
  it.scopedLive("that is not trusted is refused, and the error says why", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask({ baseUrl: secure }))
      assert.deepInclude(error, { reason: "Unavailable", code: "DEPTH_ZERO_SELF_SIGNED_CERT" })
      assert.match(error.message, /self-signed \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
    })
  )

  it.scopedLive("is trusted by a file, or not looked at, for one deployment or for all", () =>
    Effect.gen(function* () {
      const ca = join(folder, "ca.pem")
      assert.strictEqual(yield* ask({ baseUrl: secure, tls: { ca } }), "secure")
      assert.strictEqual(yield* ask({ baseUrl: secure, tls: { verify: false } }), "secure")
      assert.strictEqual(yield* ask({ baseUrl: secure }, { tls: { ca } }), "secure")
      assert.strictEqual(yield* ask({ baseUrl: secure }, { tls: { verify: false } }), "secure")
    })
  )

  it.scopedLive("one deployment's way is not another's, and a file that is not there is an error of its own", () =>
    Effect.gen(function* () {
      const service = OpenAiCompatible.make(yield* Effect.orDie(UndiciTransport.make()))
      yield* S.call(service, S.chat(), { baseUrl: secure, tls: { verify: false } })
      const strict = yield* Effect.flip(S.call(service, S.chat(), { baseUrl: secure }))
      assert.strictEqual(strict.code, "DEPTH_ZERO_SELF_SIGNED_CERT")
      const missing = yield* Effect.flip(ask({ baseUrl: secure, tls: { ca: join(folder, "none.pem") } }))
      assert.deepInclude(missing, { reason: "Unavailable", code: "CA_FILE" })
      writeFileSync(join(folder, "bad.pem"), "no certificate")
      const bad = yield* Effect.flip(ask({ baseUrl: secure, tls: { ca: join(folder, "bad.pem") } }))
      assert.strictEqual(bad.reason, "Unavailable")
    })
  )
})

describe("a connection that has served before", () => {
  /** Each connection answers `good` requests, then does `last` with the next one. */
  const aging = (good: number, last: (socket: Socket) => void) => {
    let accepted = 0
    let requests = 0
    const server = createTcpServer((socket) => {
      accepted++
      let served = 0
      let text = ""
      socket.on("error", () => {})
      socket.on("data", (bytes) => {
        text += bytes
        const head = text.indexOf("\r\n\r\n")
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
        if (head === -1 || text.length < head + 4 + length) return
        text = ""
        requests++
        if (++served > good) return last(socket)
        const body = whole("ok")
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
        )
      })
    })
    return Effect.map(
      Effect.promise(() => listening(server)),
      (port) => ({ baseUrl: `http://127.0.0.1:${port}/v1`, accepted: () => accepted, requests: () => requests })
    )
  }
  const askTwice = (baseUrl: string, request = S.chat()) =>
    Effect.gen(function* () {
      const service = OpenAiCompatible.make(yield* Effect.orDie(UndiciTransport.make({ connections: 1 })))
      const first = yield* Effect.either(S.call(service, request, { baseUrl }))
      const second = yield* Effect.either(S.call(service, request, { baseUrl }))
      return [first, second].map((result) => (result._tag === "Right" ? "ok" : result.left.reason))
    })

  it.scopedLive.each<readonly [string, (socket: Socket) => void]>([
    ["reset", (socket) => void socket.resetAndDestroy()],
    ["closed", (socket) => void socket.end()]
  ])("and is %s before a byte of the answer: the request goes out on a new one", ([, last]) =>
    Effect.gen(function* () {
      for (const request of [S.chat(), S.streamed()]) {
        const server = yield* aging(1, last)
        assert.deepStrictEqual(yield* askTwice(server.baseUrl, request), ["ok", "ok"])
        assert.deepStrictEqual([server.accepted(), server.requests()], [2, 3])
      }
    })
  )

  it.scopedLive("once only, not on a first request, and not after a byte of the answer", () =>
    Effect.gen(function* () {
      const never = yield* aging(0, (socket) => void socket.resetAndDestroy())
      assert.deepStrictEqual(yield* askTwice(never.baseUrl), ["Unavailable", "Unavailable"])
      assert.strictEqual(never.requests(), 2)
      const amid = yield* aging(1, (socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-le")
        setImmediate(() => socket.destroy())
      })
      assert.deepStrictEqual(yield* askTwice(amid.baseUrl), ["ok", "Unavailable"])
      assert.strictEqual(amid.requests(), 2)
    })
  )
})

describe("an interim answer", () => {
  const wait = () => new Promise<void>((resolve) => setImmediate(resolve))
  const body = whole("ok")
  const final = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

  it.scopedLive("that nobody asked for is skipped, whichever it is and however it comes; the connection goes on", () =>
    Effect.gen(function* () {
      const ways: ReadonlyArray<ReadonlyArray<string>> = [
        [`HTTP/1.1 100 Continue\r\n\r\n${final}`],
        ["HTTP/1.1 1", "00 Continue\r\n", "\r\n", final],
        ["HTTP/1.1 100 Continue\r\nx-a: b\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", final],
        ["HTTP/1.1 102 Processing\r\n\r\n", final],
        ["HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", final]
      ]
      let accepted = 0
      let turn = 0
      const server = createTcpServer((socket) => {
        accepted++
        socket.setNoDelay(true)
        socket.on("error", () => {})
        socket.on("data", async (bytes) => {
          if (!String(bytes).includes('"messages"')) return
          for (const part of ways[turn++ % ways.length] ?? []) {
            socket.write(part)
            await wait()
            await wait()
          }
        })
      })
      const port = yield* Effect.promise(() => listening(server))
      const service = OpenAiCompatible.make(yield* Effect.orDie(UndiciTransport.make({ connections: 1 })))
      for (const request of [S.chat(), S.streamed()]) {
        for (const _ of ways) {
          const { raw } = S.complete(yield* S.call(service, request, { baseUrl: `http://127.0.0.1:${port}/v1` }))
          assert.strictEqual(raw, body)
        }
      }
      assert.deepStrictEqual([accepted, turn], [1, 2 * ways.length])
    })
  )
})
