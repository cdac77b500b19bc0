/** A gateway with a ledger and a master key, and requests to its key management. */
import { join } from "node:path"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { decode } from "../../support/gateways.js"
import * as Ledgers from "../../support/ledgers.js"

export const master = "sk-master-0123456789"

export const fileKey = "sk-of-the-file-0123"

export interface Said {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what comes is looked at by each test
  readonly json: any
}

/** Sends a request; a body makes it a POST. */
export const ask = (
  { url }: { readonly url: string },
  path: string,
  body?: unknown,
  key: string | undefined = master,
  method = body === undefined ? "GET" : "POST"
): Effect.Effect<Said> =>
  Effect.promise(async () => {
    const answer = await fetch(url + path, {
      method,
      headers: {
        "content-type": "application/json",
        ...(key === undefined || key === "" ? {} : { authorization: `Bearer ${key}` })
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, json: text === "" ? undefined : JSON.parse(text) }
  })

export const chat = (gateway: { readonly url: string }, key: string, model = "cheap") =>
  ask(gateway, "/v1/chat/completions", { model, messages: [{ role: "user", content: "Hi" }] }, key)

/** 1 USD for a million tokens. */
const price = { inputPrice: 1, outputPrice: 1 }

export const settingsOf = (baseUrl: string, more: object = {}) => ({
  deployments: ["cheap", "dear"].map((group) => ({
    id: group,
    group,
    model: "gpt-4o",
    baseUrl,
    apiKey: "sk-up",
    ...price
  })),
  masterKey: master,
  keys: [{ name: "of-the-file", key: fileKey, groups: ["cheap"] }],
  requests: { tags: "ignore" },
  server: { port: 0 },
  ...more
})

/** Starts one, over a store of its own. */
export const start = (more: object = {}, log: RequestLog.RequestLog = RequestLog.silent) =>
  Effect.gen(function* () {
    const provider = yield* FakeProvider.make({ name: "up" })
    const test = yield* Ledgers.open(join(yield* Ledgers.folder, "ledger.db"))
    const gateway = yield* Effect.orDie(
      Gateway.make({ config: decode(settingsOf(provider.url, more)) }, { ledger: test.ledger }, log)
    )
    return { ...test, test, provider, gateway, url: gateway.url }
  })
