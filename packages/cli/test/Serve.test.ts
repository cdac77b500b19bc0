/**
 * `serve` as a process: the demo over real sockets, signals, reloads.
 */
import { writeFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { file, run, start } from "./support/process.js"

const listens = /switchyard listens on (http:\/\/127\.0\.0\.1:\d+) \((.*)\)\n/

const post = (url: string, body: unknown) =>
  Effect.promise(() =>
    fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  )

interface Answer {
  readonly choices: ReadonlyArray<{ readonly message?: { readonly content: string }; readonly text?: string }>
  readonly usage: { readonly total_tokens: number }
  readonly data: ReadonlyArray<{ readonly embedding: ReadonlyArray<number> }>
}

const jsonOf = (response: Response) => Effect.promise(() => response.json() as Promise<Answer>)

const messages = [{ role: "user", content: "Hello!" }]

/** The log, where every line is an object. */
const linesOf = (stderr: string) =>
  stderr
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)

const yaml = (...groups: ReadonlyArray<string>) =>
  `server: { port: 0 }\ndeployments:\n${groups
    .map(
      (group) =>
        `  - { id: ${group}, group: ${group}, model: m, baseUrl: "http://127.0.0.1:9/v1", apiKey: sk-test-secret-1 }\n`
    )
    .join("")}`

describe.concurrent("serve", { timeout: 120_000 }, () => {
  it.scopedLive(
    "without a file: chat, completions, embeddings and models of the demo, no key needed; SIGTERM ends it with 0",
    () =>
      Effect.gen(function* () {
        const { child, finished, until } = yield* start(["serve", "--port", "0"])
        const [, url = "", what] = yield* until(listens)
        assert.strictEqual(what, "4 deployments in 2 groups; open: loopback only, no key configured")
        yield* until(/curl -N/)
        for (let round = 0; round < 6; round++) {
          const chat = yield* post(`${url}/v1/chat/completions`, { model: "demo", messages })
          const answer = yield* jsonOf(chat)
          assert.strictEqual(chat.status, 200)
          assert.match(
            answer.choices[0]?.message?.content ?? "",
            /^This is the demo upstream "\w+", .*You said: "Hello!"/
          )
          assert.isAbove(answer.usage.total_tokens, 0)
        }
        const completion = yield* post(`${url}/v1/completions`, { model: "demo", prompt: "Once" })
        assert.include((yield* jsonOf(completion)).choices[0]?.text ?? "", 'You said: "Once"')
        const input = ["a", "b", "a"]
        const embeddings = yield* post(`${url}/v1/embeddings`, { model: "demo-embedding", input })
        const { data } = yield* jsonOf(embeddings)
        assert.deepStrictEqual([data.length, data[0]?.embedding.length], [3, 16])
        assert.deepStrictEqual(data[0]?.embedding, data[2]?.embedding)
        assert.notDeepEqual(data[0]?.embedding, data[1]?.embedding)
        const top = yield* run(["top", url, "--once"])
        assert.strictEqual(top.code, 0, top.stderr)
        assert.match(top.stdout, /demo +demo-slow/)
        child.kill("SIGTERM")
        const { code, stderr } = yield* finished
        assert.strictEqual(code, 0)
        const requests = linesOf(stderr).filter(({ event }) => event === "request")
        assert.lengthOf(requests, 8)
        assert.isTrue(requests.every(({ outcome, status }) => outcome === "success" && status === 200))
      })
  )
  it.scopedLive("finishes a stream that is under way when SIGTERM comes", () =>
    Effect.gen(function* () {
      const { child, finished, until } = yield* start(["serve", "--port", "0"])
      const [, url = ""] = yield* until(listens)
      const response = yield* post(`${url}/v1/chat/completions`, { model: "demo", messages, stream: true })
      assert.strictEqual(response.status, 200)
      const text = yield* Effect.promise(async () => {
        let received = ""
        for await (const chunk of response.body ?? []) {
          if (received === "") child.kill("SIGTERM")
          received += Buffer.from(chunk).toString("utf8")
        }
        return received
      })
      const words = [...text.matchAll(/"delta":\{"content":"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word)
      assert.isAbove(words.length, 10)
      assert.match(words.join(""), /^This is the demo upstream.*--config FILE$/)
      assert.include(text, "data: [DONE]")
      assert.strictEqual((yield* finished).code, 0)
    })
  )
  it.scopedLive("reads its file again on SIGHUP and when it changes; a bad file leaves the old one in force", () =>
    Effect.gen(function* () {
      const path = yield* file("config.yaml", yaml("one"))
      const { child, finished, until } = yield* start(["serve", "--config", path])
      const [, url = "", what] = yield* until(listens)
      assert.include(what, "1 deployment in 1 group")
      const models = Effect.promise(async () => {
        const response = await fetch(`${url}/v1/models`)
        const { data } = (await response.json()) as { readonly data: ReadonlyArray<{ readonly id: string }> }
        return data.map(({ id }) => id)
      })
      yield* Effect.promise(() => writeFile(path, yaml("one", "two")))
      yield* until(/"event":"config_reloaded","generation":2/)
      assert.deepStrictEqual(yield* models, ["one", "two"])
      yield* Effect.promise(() => writeFile(path, "deployments: [{ id: a, gruop: b }]\n"))
      yield* until(/"event":"config_refused","generation":2,"problems":\[".*config\.yaml:1:\d+ error/)
      assert.deepStrictEqual(yield* models, ["one", "two"])
      yield* Effect.promise(() => writeFile(path, yaml("three")))
      child.kill("SIGHUP")
      yield* until(/"event":"config_reloaded","generation":3/)
      assert.deepStrictEqual(yield* models, ["three"])
      child.kill("SIGINT")
      const { code, stderr, stdout } = yield* finished
      assert.strictEqual(code, 0)
      assert.notInclude(`${stdout}${stderr}`, "sk-test-secret")
      assert.strictEqual(stdout.trim().split("\n").length, 1)
      assert.isTrue(linesOf(stderr).every(({ level, time }) => level !== undefined && time !== undefined))
    })
  )
  it.scopedLive("without a log it says in words what becomes of its file, and nothing about requests", () =>
    Effect.gen(function* () {
      const path = yield* file("config.yaml", `log: { format: off }\n${yaml("one")}`)
      const { child, finished, until } = yield* start(["serve", "--config", path])
      const [, url = ""] = yield* until(listens)
      assert.strictEqual((yield* post(`${url}/v1/chat/completions`, { model: "nobody", messages })).status, 404)
      yield* Effect.promise(() => writeFile(path, `log: { format: off }\n${yaml("one", "two")}`))
      yield* until(/config\.yaml reloaded \(2 deployments in 2 groups/)
      yield* Effect.promise(() => writeFile(path, "deployments: [{ id: a, gruop: b }]\n"))
      yield* until(/config\.yaml not reloaded, all stays as it was\n.*config\.yaml:1:\d+ error/)
      child.kill("SIGTERM")
      const { code, stderr } = yield* finished
      assert.strictEqual(code, 0)
      assert.notInclude(stderr, "nobody")
    })
  )
  it.scopedLive("says in one line that another program has its port", () =>
    Effect.gen(function* () {
      const port = yield* Effect.acquireRelease(
        Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () =>
            resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close: () => server.close() }))
          )
        }),
        ({ close }) => Effect.sync(close)
      ).pipe(Effect.map(({ port }) => port))
      const { code, stderr, stdout } = yield* run(["serve", "--port", String(port)])
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.match(stderr, new RegExp(`^switchyard: serve: .*${port}.*another program.*\\n$`))
    })
  )
})
