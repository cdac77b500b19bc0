import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import { Effect, Exit, Scope } from "effect"
import OpenAI, { toFile } from "openai"
import { afterAll, beforeAll } from "vitest"
import { deploymentOf, holdsNothing, masterKey, start } from "../support/gateways.js"
import * as Python from "../support/python.js"
import * as FakeObjects from "./fakeObjects.js"

const keys = [
  { name: "a", key: "sk-a-0123456789", groups: ["smart", "mini", "other"], passThrough: true },
  { name: "b", key: "sk-b-0123456789" },
  { name: "narrow", key: "sk-narrow-0123456789", groups: ["smart"] },
  { name: "rich", key: "sk-rich-0123456789", budget: { limit: 1, window: "1 day" } },
  { name: "poor", key: "sk-poor-0123456789", budget: { limit: 0.001, window: "1 day" } }
]
const a = "sk-a-0123456789"
const b = "sk-b-0123456789"

let scope: Scope.CloseableScope
let eu: FakeObjects.FakeObjects
let us: FakeObjects.FakeObjects
let first: Gateway
let second: Gateway
let alone: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const make = Effect.gen(function* () {
    eu = yield* FakeObjects.make("eu")
    us = yield* FakeObjects.make("us")
    const priced = { inputPrice: 10, outputPrice: 100, provider: "local" }
    const deployments = [
      deploymentOf(eu, { dialect: "responses", ...priced, passThrough: true }),
      deploymentOf(eu, { id: "mini", group: "mini", dialect: "responses", ...priced }),
      deploymentOf(us, { group: "other", dialect: "responses", provider: "elsewhere" })
    ]
    const settings = { deployments, keys, retry: { attempts: 1 }, server: { idSecret: "the secret of all replicas" } }
    first = yield* start([], settings)
    second = yield* start([], settings)
    const [only] = deployments
    const more = [{ method: "GET", path: "/evals/*" }]
    alone = yield* start([], { deployments: [{ ...only, passThrough: more }], retry: { attempts: 1 } })
  })
  await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const client = (gateway: Gateway, apiKey = a): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 })

const failure = async (run: () => PromiseLike<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
  try {
    await run()
  } catch (error) {
    assert.instanceOf(error, OpenAI.APIError)
    return error as InstanceType<typeof OpenAI.APIError>
  }
  assert.fail("it succeeded")
}

const line = (id: string, body: object = {}, more: object = {}) =>
  JSON.stringify({
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "smart", max_tokens: 100, messages: [{ role: "user", content: "Hi" }], ...body },
    ...more
  })

const upload = (gateway: Gateway, text: string, apiKey = a, purpose: "batch" | "user_data" = "batch", model?: string) =>
  toFile(Buffer.from(text), "lines.jsonl").then((file) =>
    client(gateway, apiKey).files.create({ file, purpose, ...(model === undefined ? {} : { model }) } as Parameters<
      OpenAI["files"]["create"]
    >[0])
  )

describe("files", () => {
  it("are uploaded to the model's deployment, and found again over another replica", async () => {
    const file = await upload(first, "what the file says", a, "user_data", "smart")
    assert.match(file.id, /^file-sy1_/)
    assert.notInclude(eu.last().text, 'name="model"')
    assert.strictEqual(Number(eu.last().headers["content-length"]), eu.last().text.length)
    assert.strictEqual((await client(second).files.retrieve(file.id)).id, file.id)
    assert.strictEqual(await (await client(second).files.content(file.id)).text(), "what the file says")
    const answer = await client(second).responses.create({
      model: "smart",
      input: [{ role: "user", content: [{ type: "input_file", file_id: file.id }] }]
    })
    assert.include(JSON.stringify(answer.output), `"file_id":"${file.id}"`)
    const sibling = await client(first).responses.create({
      model: "mini",
      input: [{ role: "user", content: [{ type: "input_file", file_id: file.id }] }]
    })
    assert.include(JSON.stringify(sibling.output), file.id, "another model of the same account knows it, too")
    assert.deepInclude(await client(second).files.delete(file.id), { id: file.id, deleted: true })
    assert.strictEqual((await failure(() => client(first).files.retrieve(file.id))).status, 404)
  })

  it("of one key are unknown to every other, and no other deployment is asked about them", async () => {
    const file = await upload(first, "secret", a, "user_data", "smart")
    const before = eu.journal().length + us.journal().length
    for (const key of [b, masterKey]) {
      for (const run of [
        () => client(first, key).files.retrieve(file.id),
        () => client(first, key).files.content(file.id),
        () => client(first, key).files.delete(file.id),
        () =>
          client(first, key).batches.create({
            input_file_id: file.id,
            endpoint: "/v1/responses",
            completion_window: "24h"
          })
      ]) {
        assert.strictEqual((await failure(run)).status, 404)
      }
    }
    assert.strictEqual((await failure(() => client(first, b).files.retrieve("file-eu000000000001"))).status, 404)
    const elsewhere = await failure(() =>
      client(first).responses.create({
        model: "other",
        input: [{ role: "user", content: [{ type: "input_file", file_id: file.id }] }]
      })
    )
    assert.deepStrictEqual([elsewhere.status, elsewhere.code], [400, "ids_of_another_deployment"])
    assert.strictEqual(eu.journal().length + us.journal().length, before)
  })

  it("want a model where several accounts could keep them, and lists are for who is alone", async () => {
    const unnamed = await failure(() => upload(first, "x", a, "user_data"))
    assert.deepStrictEqual([unnamed.status, unnamed.code], [400, "model_required"])
    const forbidden = await failure(() => upload(first, "x", "sk-narrow-0123456789", "user_data", "other"))
    assert.deepStrictEqual([forbidden.status, forbidden.code], [403, "model_not_allowed"])
    const listed = await failure(async () => await client(first).files.list())
    assert.deepStrictEqual([listed.status, listed.code], [501, "list_not_available"])
    const file = await upload(alone, "mine", masterKey, "user_data")
    const own = await client(alone, masterKey).files.list()
    assert.include(
      own.data.map(({ id }) => id),
      file.id
    )
  })

  it("that are larger than uploads may be are refused before they come", async () => {
    const response = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      void import("node:http").then(({ request }) => {
        const asked = request(
          `${first.url}/v1/files`,
          {
            method: "POST",
            headers: {
              authorization: `Bearer ${a}`,
              "content-type": "multipart/form-data; boundary=x",
              "content-length": String(2 * 1024 ** 3)
            }
          },
          (answer) => {
            let text = ""
            answer.on("data", (chunk: Buffer) => {
              text += chunk.toString()
            })
            answer.on("end", () => {
              asked.destroy()
              resolve({ status: answer.statusCode ?? 0, text })
            })
          }
        )
        asked.on("error", reject)
        asked.flushHeaders()
      })
    })
    assert.strictEqual(response.status, 413)
    assert.strictEqual(JSON.parse(response.text).error.code, "request_too_large")
  })
})

describe("batches", () => {
  const make = (gateway: Gateway, file: { readonly id: string }, apiKey = a) =>
    client(gateway, apiKey).batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h"
    })

  it("go to the deployment of the model of their lines, under its name, and are polled and given up anywhere", async () => {
    const file = await upload(first, `${line("1")}\n${line("2")}\n`)
    const sent = eu.last().text
    assert.strictEqual(sent.match(/"model":"eu-model"/g)?.length, 2)
    assert.notInclude(sent, '"smart"')
    assert.strictEqual(Number(eu.last().headers["content-length"]), sent.length)
    const batch = await make(second, file)
    assert.match(batch.id, /^batch_sy1_/)
    assert.strictEqual(batch.input_file_id, file.id)
    assert.strictEqual((await client(first).batches.retrieve(batch.id)).id, batch.id)
    assert.strictEqual((await client(second).batches.cancel(batch.id)).status, "cancelling")
    assert.strictEqual((await failure(() => client(first, b).batches.retrieve(batch.id))).status, 404)
  })

  it("are refused whole for one line, which is named", async () => {
    const before = eu.journal().length + us.journal().length
    for (const [bad, expected] of [
      ["{", /line 2: it is not valid JSON/],
      [line("2", { model: "other" }), /line 2: .*all lines of a batch are for one model/],
      [line("2", { model: "nobody" }), /line 2: body\.model: this key may not use the model "nobody"/],
      [line("2", { api_base: "http://evil" }), /line 2: body\.api_base/],
      [line("2", {}, { url: "http://evil/v1/x" }), /line 2: url/],
      [line("2", {}, { method: "GET" }), /line 2: method/],
      [JSON.stringify({ custom_id: "2", method: "POST", url: "/v1/responses" }), /line 2: body/]
    ] as const) {
      const refused = await failure(() => upload(first, `${line("1")}\n${bad}\n`))
      assert.deepStrictEqual([refused.status, refused.code], [400, "invalid_batch_line"])
      assert.match(refused.message, expected)
    }
    const foreign = await failure(() => upload(first, line("1", { model: "other" }), "sk-narrow-0123456789"))
    assert.match(foreign.message, /line 1: .*may not use the model "other"/)
    assert.strictEqual((await failure(() => upload(first, "\n\n"))).status, 400)
    assert.strictEqual(eu.journal().length + us.journal().length, before, "no provider saw any of it")
  })

  it("whose file came under another purpose are read again, so that no line evades its key", async () => {
    const file = await upload(
      first,
      `${line("1", { model: "eu-model" })}\n${line("2", { model: "dear" })}`,
      a,
      "user_data",
      "smart"
    )
    const refused = await failure(() => make(first, file))
    assert.deepStrictEqual([refused.status, refused.code], [400, "invalid_batch_line"])
    assert.match(refused.message, /line 2/)
  })

  it("of a key with a budget set aside what they may cost, and cost in the end what was used", async () => {
    const rich = "sk-rich-0123456789"
    const tooDear = `${line("1", { max_tokens: 9_000 })}\n${line("2", { max_tokens: 9_000 })}`
    const dear = await upload(first, tooDear, rich)
    const refused = await failure(() => make(first, dear, rich))
    assert.deepStrictEqual([refused.status, refused.code], [429, "caller_budget"])
    const file = await upload(first, line("1", { max_tokens: 9_000 }), rich)
    eu.next((response) => {
      response.writeHead(400, { "content-type": "application/json" }).end('{"error":{"message":"no such endpoint"}}')
    })
    assert.strictEqual((await failure(() => make(first, file, rich))).status, 400)
    const batch = await make(first, file, rich)
    const second = await upload(first, line("1", { max_tokens: 2_000 }), rich)
    assert.strictEqual((await failure(() => make(first, second, rich))).status, 429, "most of it is set aside")
    eu.finishBatches({ prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 })
    assert.strictEqual((await client(first, rich).batches.retrieve(batch.id)).status, "completed")
    assert.strictEqual((await make(first, second, rich)).status, "validating")
  })

  it("of a key with a budget are off while nobody knows what they cost", async () => {
    const file = await upload(first, line("1", { model: "other" }), "sk-rich-0123456789")
    const refused = await failure(() => make(first, file, "sk-rich-0123456789"))
    assert.deepStrictEqual([refused.status, refused.code], [400, "unpriced_batch"])
  })
})

const pythonProgram = `
import io, json, sys
from openai import NotFoundError, OpenAI
first, second, stranger = [OpenAI(base_url=url, api_key=key, max_retries=0) for url, key in
    [(sys.argv[1], sys.argv[3]), (sys.argv[2], sys.argv[3]), (sys.argv[1], sys.argv[4])]]
def unknown(call):
    try:
        call()
    except NotFoundError:
        return True
    return False
words = first.files.create(file=("words.txt", io.BytesIO(b"what it says")), purpose="user_data", extra_body={"model": "smart"})
content = second.files.content(words.id).read().decode()
deleted = second.files.delete(words.id).deleted
lines = first.files.create(file=("lines.jsonl", io.BytesIO(sys.argv[5].encode())), purpose="batch")
batch = first.batches.create(input_file_id=lines.id, endpoint="/v1/chat/completions", completion_window="24h")
print(json.dumps({
    "content": content,
    "deleted": deleted,
    "gone": unknown(lambda: first.files.retrieve(words.id)),
    "own": batch.input_file_id == lines.id,
    "sealed": [words.id[:8], batch.id[:9]],
    "polled": second.batches.retrieve(batch.id).id == batch.id,
    "stranger": unknown(lambda: stranger.batches.retrieve(batch.id)) and unknown(lambda: stranger.files.content(lines.id)),
    "cancelled": second.batches.cancel(batch.id).status,
}))
`

describe("openai for Python", () => {
  it("uploads, reads and deletes files, and makes, polls and gives up batches, over two replicas", async (context) => {
    const given = [`${first.url}/v1`, `${second.url}/v1`, a, b, `${line("1")}\n${line("2")}\n`]
    const found = await Effect.runPromise(Python.run("openai", pythonProgram, given))
    if (found === undefined) return context.skip()
    assert.deepStrictEqual(found, {
      content: "what it says",
      deleted: true,
      gone: true,
      own: true,
      sealed: ["file-sy1", "batch_sy1"],
      polled: true,
      stranger: true,
      cancelled: "cancelling"
    })
    const [lines] = eu
      .journal()
      .filter(({ text }) => text.includes("lines.jsonl"))
      .slice(-1)
    assert.strictEqual(lines?.text.match(/"model":"eu-model"/g)?.length, 2)
  })
})

describe("what is passed through", () => {
  const ask = async (
    gateway: Gateway,
    method: string,
    path: string,
    key = a,
    headers: Record<string, string> = {},
    body?: string
  ) => {
    const { request } = await import("node:http")
    const { hostname, port } = new URL(gateway.url)
    return new Promise<{ status: number; text: string; headers: Record<string, unknown> }>((resolve, reject) => {
      const asked = request(
        { hostname, port, path, method, headers: { authorization: `Bearer ${key}`, ...headers } },
        (answer) => {
          let text = ""
          answer.on("data", (chunk: Buffer) => {
            text += chunk.toString()
          })
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }))
        }
      )
      asked.on("error", reject)
      asked.end(body)
    })
  }
  const json = { "content-type": "application/json" }

  it("are vector stores and fine-tuning, of deployments that say so, with ids that are sealed", async () => {
    const file = await upload(first, "words", a, "user_data", "smart")
    const store = await client(first).vectorStores.create({ name: "words", file_ids: [file.id] })
    assert.match(store.id, /^vs_sy1_/)
    assert.match(eu.last().text, /"file_ids":\["file-eu\d+"\]/)
    assert.strictEqual(eu.last().headers.authorization, "Bearer sk-upstream-91d7a0e3")
    assert.strictEqual((await client(second).vectorStores.retrieve(store.id)).id, store.id)
    const word = await ask(first, "POST", "/v1/vector_stores", a, json, '{"kind":"file_search","to":"batch_output"}')
    assert.deepInclude(JSON.parse(word.text), { kind: "file_search", to: "batch_output" })
    assert.strictEqual((await ask(first, "GET", `/v1/vector_stores/${store.id}/file_batches`)).status, 200)
    assert.strictEqual((await failure(() => client(second, masterKey).vectorStores.retrieve(store.id))).status, 404)
    const answer = await client(second).responses.create({
      model: "smart",
      input: "Hi",
      tools: [{ type: "file_search", vector_store_ids: [store.id] }]
    })
    assert.include(JSON.stringify(answer.tools), store.id)
    assert.match(eu.last().text, /"vector_store_ids":\["vs_eu\d+"\]/)
  })

  it("needs a permission of the key, and a deployment that lets it through", async () => {
    const refused = await ask(first, "POST", "/v1/vector_stores", b, json, "{}")
    assert.deepStrictEqual([refused.status, JSON.parse(refused.text).error.code], [403, "pass_through_not_allowed"])
    const elsewhere = await ask(first, "POST", "/v1/vector_stores?model=other", a, json, "{}")
    assert.deepStrictEqual([elsewhere.status, JSON.parse(elsewhere.text).error.code], [400, "no_deployment"])
    const list = await ask(first, "GET", "/v1/vector_stores")
    assert.strictEqual(list.status, 501)
    assert.strictEqual((await ask(alone, "POST", "/v1/vector_stores", masterKey, json, "{}")).status, 400)
    assert.strictEqual((await ask(alone, "GET", "/v1/evals/one?limit=2", masterKey)).status, 404)
    assert.strictEqual(eu.last().path, "/v1/evals/one?limit=2")
  })

  it("refuses paths that another reader may take for others", async () => {
    const before = eu.journal().length
    for (const path of [
      "/v1/vector_stores/../chat/completions",
      "/v1/vector_stores/%2e%2e/models",
      "/v1/vector_stores/.",
      "/v1/vector_stores/a%2Fb",
      "/v1/vector_stores/a%5cb",
      "/v1/vector_stores/a\\b",
      "/v1/vector_stores//x",
      "/v1//vector_stores/x",
      "/v1/files/..%2f..%2fadmin"
    ]) {
      const { status, text } = await ask(first, "GET", path)
      assert.strictEqual(status, 400, path)
      assert.strictEqual(JSON.parse(text).error.code, "invalid_path", path)
    }
    assert.strictEqual(eu.journal().length, before)
  })

  it("follows no redirect, shows no cookie and no key, and forwards what else its caller says", async () => {
    eu.next((response) => void response.writeHead(302, { location: "http://127.0.0.1:1/secret" }).end())
    const redirected = await ask(first, "POST", "/v1/vector_stores", a, json, "{}")
    assert.isAtLeast(redirected.status, 500)
    assert.notInclude(redirected.text, "secret")
    eu.next(
      (response) =>
        void response.writeHead(200, { "set-cookie": "x=1", "content-type": "text/plain" }).end("plain words")
    )
    const headers = {
      cookie: "session=1",
      "x-api-key": a,
      "x-feature": "on",
      connection: "x-hop",
      "x-hop": "1",
      te: "trailers"
    }
    const plain = await ask(first, "POST", "/v1/vector_stores", a, { ...json, ...headers }, '{"name":"x"}')
    assert.deepStrictEqual([plain.status, plain.text], [200, "plain words"])
    assert.isUndefined(plain.headers["set-cookie"])
    const sent = eu.last().headers
    assert.strictEqual(sent["x-feature"], "on")
    for (const name of ["cookie", "x-api-key", "x-hop", "te"]) assert.isUndefined(sent[name], name)
    assert.strictEqual(sent.authorization, "Bearer sk-upstream-91d7a0e3")
    assert.strictEqual(eu.last().text, '{"name":"x"}')
  })

  it("holds nothing once it is over", () =>
    Effect.runPromise(Effect.zipRight(holdsNothing(first), holdsNothing(second))))
})
