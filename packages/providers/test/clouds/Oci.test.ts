import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { Auth, DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as StandIn from "@switchyard/core/StandIn"
import { messages } from "@switchyard/dialects/Messages"
import { Effect } from "effect"
import { afterEach, vi } from "vitest"
import { examplePem, signatureOf, signerOf } from "../support/ociSignature.js"
import * as S from "../support/support.js"
import { type Answer, jsonOf, type Received, upstream } from "../support/upstream.js"

afterEach(() => vi.unstubAllEnvs())

const service = S.serviceOver(S.undici)
const account: Auth = {
  tenancy: "ocid1.tenancy.oc1..t",
  user: "ocid1.user.oc1..u",
  fingerprint: "73:61:a2",
  privateKey: examplePem
}
const on = (origin: string, more: Partial<DeploymentConfig> = {}): Partial<DeploymentConfig> => ({
  provider: "oci",
  protocol: "oci",
  model: "meta.llama-3.3-70b-instruct",
  baseUrl: origin,
  apiKey: undefined as never,
  project: "ocid1.compartment.oc1..c",
  auth: account,
  ...more
})

const keyId = "ocid1.tenancy.oc1..t/ocid1.user.oc1..u/73:61:a2"

const usage = { promptTokens: 12, completionTokens: 7, totalTokens: 19 }
const tool = {
  type: "function",
  function: {
    name: "look",
    description: "Looks",
    parameters: {
      type: "object",
      properties: {
        where: { type: "string", description: "A place.", enum: ["here", "there"] },
        far: { type: "integer" }
      },
      required: ["where"]
    }
  }
}
const turns = [
  { role: "system", content: "Be kind" },
  { role: "user", content: "Where is it?" },
  {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "c1", type: "function", function: { name: "look", arguments: '{"where":"here"}' } }]
  },
  { role: "tool", tool_call_id: "c1", content: "nowhere" },
  { role: "user", content: [{ type: "text", text: "Look again" }] }
]

const generic = {
  modelId: "meta.llama-3.3-70b-instruct",
  modelVersion: "1",
  chatResponse: {
    apiFormat: "GENERIC",
    timeCreated: "2026-01-01T00:00:00.000Z",
    choices: [
      {
        index: 0,
        message: {
          role: "ASSISTANT",
          content: [{ type: "TEXT", text: "Hello there" }],
          toolCalls: [{ id: "c2", type: "FUNCTION", name: "look", arguments: '{"where":"there"}' }]
        },
        finishReason: "tool_calls"
      }
    ],
    usage
  }
}
const events = (list: ReadonlyArray<object>): Answer => ({
  type: "text/event-stream",
  body: list.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(""),
  step: 13
})
const piece = (text: string) => ({
  index: 0,
  message: { role: "ASSISTANT", content: [{ type: "TEXT", text }] },
  pad: "aa"
})
const streamed = events([
  piece("Grüße "),
  piece("aus 東京"),
  { index: 0, message: { role: "ASSISTANT", content: [] }, finishReason: "stop", usage }
])

describe("Oracle's signatures, as the tests work them out", () => {
  it("are those of Oracle's own example", () => {
    const body = Buffer.from(`{
    "compartmentId": "ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa",
    "instanceId": "ocid1.instance.oc1.phx.abuw4ljrlsfiqw6vzzxb43vyypt4pkodawglp3wqxjqofakrwvou52gb6s5a",
    "volumeId": "ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q"
}`)
    const headers = {
      date: "Thu, 05 Jan 2014 21:31:40 GMT",
      host: "iaas.us-phoenix-1.oraclecloud.com",
      "content-length": "316",
      "content-type": "application/json",
      "x-content-sha256": "V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0="
    }
    assert.strictEqual(
      signatureOf({ method: "POST", url: "/20160918/volumeAttachments", headers, body }),
      "Mje8vIDPlwIHmD/cTDwRxE7HaAvBg16JnVcsuqaNRim23fFPgQfLoOOxae6WqKb1uPjYEl0qIdazWaBy/Ml8DRhqlocMwoSXv0fbukP8J5N80LCmzT/FFBvIvTB91XuXI3hYfP9Zt1l7S6ieVadHUfqBedWH0itrtPJBgKmrWso="
    )
  })
})

describe("OCI", () => {
  it.scopedLive("is asked for a chat in its own words, by a request that the account's key has signed", () =>
    Effect.gen(function* () {
      const up = yield* upstream(() => ({ body: generic }))
      const request = S.chat({
        messages: turns,
        tools: [tool],
        tool_choice: "required",
        temperature: 0.5,
        max_tokens: 9,
        stop: "END",
        user: "somebody",
        reasoning_effort: "low",
        response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "object" }, strict: true } }
      })
      const { body, outcome } = S.complete(yield* S.call(yield* service, request, on(up.origin)))
      const [first] = up.received
      if (first === undefined) return assert.fail("nothing came")
      assert.strictEqual(first.url, "/20231130/actions/chat")
      assert.strictEqual(signerOf(first), keyId)
      assert.deepStrictEqual(jsonOf(first), {
        compartmentId: "ocid1.compartment.oc1..c",
        servingMode: { servingType: "ON_DEMAND", modelId: "meta.llama-3.3-70b-instruct" },
        chatRequest: {
          apiFormat: "GENERIC",
          messages: [
            { role: "SYSTEM", content: [{ type: "TEXT", text: "Be kind" }] },
            { role: "USER", content: [{ type: "TEXT", text: "Where is it?" }] },
            {
              role: "ASSISTANT",
              toolCalls: [{ id: "c1", type: "FUNCTION", name: "look", arguments: '{"where":"here"}' }]
            },
            { role: "TOOL", content: [{ type: "TEXT", text: "nowhere" }], toolCallId: "c1" },
            { role: "USER", content: [{ type: "TEXT", text: "Look again" }] }
          ],
          maxTokens: 9,
          temperature: 0.5,
          isStream: false,
          stop: ["END"],
          reasoningEffort: "LOW",
          responseFormat: {
            type: "JSON_SCHEMA",
            jsonSchema: { name: "a", schema: { type: "object" }, isStrict: true }
          },
          tools: [
            {
              type: "FUNCTION",
              name: "look",
              description: "Looks",
              parameters: tool.function.parameters
            }
          ],
          toolChoice: { type: "REQUIRED" }
        }
      })
      assert.deepInclude(body, { object: "chat.completion", created: 1767225600, model: "meta.llama-3.3-70b-instruct" })
      assert.deepStrictEqual(body.choices as unknown, [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "Hello there",
            tool_calls: [{ id: "c2", type: "function", function: { name: "look", arguments: '{"where":"there"}' } }]
          },
          finish_reason: "tool_calls"
        }
      ])
      assert.deepInclude(outcome.usage, { inputTokens: 12, outputTokens: 7 })
    })
  )

  it.scopedLive("streams to callers of every dialect, usage last", () =>
    Effect.gen(function* () {
      const up = yield* upstream(() => streamed)
      const base = yield* service
      const stream = S.streaming(yield* S.call(base, S.streamed(), on(up.origin)))
      assert.strictEqual(S.textOf(yield* S.readAll(stream.events)), "Grüße aus 東京")
      const { outcome } = stream.events.settlement
      assert.deepInclude(outcome?._tag === "Completed" ? outcome.usage : {}, { inputTokens: 12, outputTokens: 7 })
      const claude = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }], stream: true }
      const other = S.streaming(yield* S.call(base, LlmRequest.of(messages, "chat", claude), on(up.origin)))
      assert.include(JSON.stringify(yield* S.readAll(other.events)), "aus 東京")
      const [first] = up.received
      if (first === undefined) return assert.fail("nothing came")
      assert.strictEqual(signerOf(first), keyId)
      assert.deepInclude(jsonOf(first).chatRequest, { isStream: true, streamOptions: { isIncludeUsage: true } })
    })
  )

  it.scopedLive("asks Cohere's models in the form that these have", () =>
    Effect.gen(function* () {
      const cohere = {
        modelId: "cohere.command-r-plus",
        chatResponse: {
          apiFormat: "COHERE",
          text: "I look",
          finishReason: "COMPLETE",
          toolCalls: [{ name: "look", parameters: { where: "there" } }],
          usage
        }
      }
      const up = yield* upstream(() => ({ body: cohere }))
      const request = S.chat({ messages: turns, tools: [tool], top_k: 3, n: 1 })
      const { body } = S.complete(
        yield* S.call(yield* service, request, on(up.origin, { model: "cohere.command-r-plus" }))
      )
      const [first] = up.received
      if (first === undefined) return assert.fail("nothing came")
      assert.strictEqual(signerOf(first), keyId)
      const call = { name: "look", parameters: { where: "here" } }
      assert.deepStrictEqual(jsonOf(first).chatRequest, {
        apiFormat: "COHERE",
        message: "Look again",
        chatHistory: [
          { role: "USER", message: "Where is it?" },
          { role: "CHATBOT", message: "", toolCalls: [call] },
          { role: "TOOL", toolResults: [{ call, outputs: [{ output: "nowhere" }] }] }
        ],
        preambleOverride: "Be kind",
        maxTokens: 4000,
        topK: 3,
        isStream: false,
        tools: [
          {
            name: "look",
            description: "Looks",
            parameterDefinitions: {
              where: { type: "str", description: "A place. One of: here, there.", isRequired: true },
              far: { type: "int", description: "", isRequired: false }
            }
          }
        ]
      })
      const [choice] = body.choices as ReadonlyArray<{ readonly finish_reason: string; readonly message: object }>
      assert.strictEqual(choice?.finish_reason, "tool_calls")
      assert.match(JSON.stringify(choice?.message), /"content":"I look","tool_calls":\[\{"id":"call_\w+_0"/)
    })
  )

  it.scopedLive("tells what Cohere's streams say once, though their last event says it again", () =>
    Effect.gen(function* () {
      const call = [{ name: "look", parameters: { where: "there" } }]
      const last = { apiFormat: "COHERE", text: "Hello there", finishReason: "COMPLETE", chatHistory: [], usage }
      const cases: ReadonlyArray<readonly [ReadonlyArray<object>, text: string, calls: number]> = [
        [[{ apiFormat: "COHERE", text: "Hello " }, { apiFormat: "COHERE", text: "there" }, last], "Hello there", 0],
        [[last], "Hello there", 0],
        [
          [
            { apiFormat: "COHERE", toolCalls: call },
            { ...last, text: "", toolCalls: call }
          ],
          "",
          1
        ],
        [[{ ...last, text: "", toolCalls: call }], "", 1]
      ]
      for (const [list, text, calls] of cases) {
        const up = yield* upstream(() => events(list))
        const stream = S.streaming(
          yield* S.call(yield* service, S.streamed(), on(up.origin, { model: "cohere.command-a-03-2025" }))
        )
        const read = yield* S.readAll(stream.events)
        assert.strictEqual(S.textOf(read), text)
        assert.strictEqual(JSON.stringify(read.map(({ json }) => json)).split('"call_').length - 1, calls)
        assert.strictEqual(stream.events.settlement.outcome?._tag, "Completed")
      }
    })
  )

  it.scopedLive("texts that were too long to be read stand in its words as they came", () =>
    Effect.gen(function* () {
      const long = "x".repeat(5000)
      const source = Buffer.from(`{"messages":[${JSON.stringify(long)}]}`)
      const start = source.indexOf('"xx')
      const facts = { start, end: start + 5002, characters: 5000, numbers: 0, digest: "d" }
      const instruction = { role: "system", content: StandIn.make("xx", facts) }
      const list = [instruction, { role: "system", content: "more" }, { role: "user", content: "Hi" }]
      const member = { value: list, bytes: source, source, start: 0, end: source.length, hasStandIn: true }
      const exact = new Map([["messages", { ...member, isAmbiguous: false }]])
      const request = { ...S.chat({ messages: list }), exact }
      const up = yield* upstream(() => ({ body: generic }))
      yield* Effect.ignore(S.call(yield* service, request, on(up.origin, { model: "cohere.command-r-plus" })))
      yield* S.call(yield* service, request, on(up.origin))
      const [cohere, other] = up.received.map((one) => jsonOf(one).chatRequest as Readonly<Record<string, unknown>>)
      assert.strictEqual(cohere?.preambleOverride, `${long}\nmore`)
      assert.include(JSON.stringify(other?.messages), `{"type":"TEXT","text":"${long}"}`)
    })
  )

  it.scopedLive("embeds texts, and asks an endpoint of one's own by its id", () =>
    Effect.gen(function* () {
      const up = yield* upstream(({ url }) =>
        url.endsWith("embedText")
          ? {
              body: {
                embeddings: [
                  [1, 2],
                  [3, 4]
                ],
                inputTextTokenCounts: [2, 3]
              }
            }
          : { body: generic }
      )
      const base = yield* service
      const request = LlmRequest.embeddings({ model: "m", input: ["a", "b"], dimensions: 2 })
      const { body, outcome } = S.complete(
        yield* S.call(base, request, on(`${up.origin}/20231130/actions/chat`, { model: "cohere.embed-v4.0" }))
      )
      const endpoint = "ocid1.generativeaiendpoint.oc1..e"
      yield* S.call(base, S.chat(), on(up.origin, { model: endpoint, baseModel: "meta.llama-3.3-70b-instruct" }))
      assert.deepStrictEqual(up.received.map(signerOf), [keyId, keyId])
      assert.deepStrictEqual(jsonOf(up.received[0] as Received), {
        compartmentId: "ocid1.compartment.oc1..c",
        servingMode: { servingType: "ON_DEMAND", modelId: "cohere.embed-v4.0" },
        inputs: ["a", "b"],
        truncate: "END",
        outputDimensions: 2
      })
      assert.deepStrictEqual(jsonOf(up.received[1] as Received).servingMode, {
        servingType: "DEDICATED",
        endpointId: endpoint
      })
      assert.deepInclude(body.data, { object: "embedding", index: 1, embedding: [3, 4] })
      assert.deepInclude(outcome.usage, { inputTokens: 5 })
    })
  )

  it.scopedLive("takes the account from the environment, the key from a file or from one line", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "switchyard-oci-"))
      writeFileSync(join(folder, "key.pem"), examplePem)
      vi.stubEnv("OCI_TENANCY", "t")
      vi.stubEnv("OCI_USER", "u")
      vi.stubEnv("OCI_FINGERPRINT", "f")
      vi.stubEnv("OCI_COMPARTMENT_ID", "c")
      const up = yield* upstream(() => ({ body: generic }))
      const base = yield* service
      vi.stubEnv("OCI_KEY_FILE", join(folder, "key.pem"))
      yield* S.call(base, S.chat(), on(up.origin, { auth: undefined as never, project: undefined as never }))
      vi.stubEnv("OCI_KEY", examplePem.replaceAll("\n", "\\n"))
      yield* S.call(base, S.chat(), on(up.origin, { auth: { cloud: "oci", user: "u2" } }))
      assert.deepStrictEqual(up.received.map(signerOf), ["t/u/f", "t/u2/f"])
      assert.strictEqual(jsonOf(up.received[0] as Received).compartmentId, "c")
      rmSync(folder, { recursive: true })
    })
  )

  it.scopedLive("names what an account lacks, and quotes nothing of a key that it cannot read", () =>
    Effect.gen(function* () {
      const base = yield* service
      const bad = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleS1ieXRlcw==\n-----END PRIVATE KEY-----"
      const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" })
        .privateKey.export({ type: "pkcs8", format: "pem" })
        .toString()
      const cases: ReadonlyArray<readonly [Auth, RegExp]> = [
        [{ cloud: "oci", user: "u" }, /auth\.tenancy.*OCI_TENANCY.*auth\.fingerprint.*auth\.privateKey/],
        [{ ...account, privateKey: bad }, /no PEM/],
        [{ ...account, privateKey: elliptic }, /none of RSA/],
        [{ ...account, privateKey: "/no/such/key.pem" }, /ENOENT/]
      ]
      for (const [auth, why] of cases) {
        const error = yield* Effect.flip(S.call(base, S.chat(), on("https://oci.example", { auth })))
        assert.deepStrictEqual([error.reason, error.code], ["Authentication", "credentials"])
        assert.match(error.providerMessage ?? "", why)
        assert.notInclude(JSON.stringify(error), "c2VjcmV0LWtleS1ieXRlcw")
      }
      const placeless = on("https://oci.example", { project: undefined as never })
      assert.match((yield* Effect.flip(S.call(base, S.chat(), placeless))).description, /OCI_COMPARTMENT_ID/)
    })
  )

  const errors: ReadonlyArray<readonly [status: number, code: string, reason: string]> = [
    [401, "NotAuthenticated", "Authentication"],
    [404, "NotAuthorizedOrNotFound", "Authentication"],
    [429, "TooManyRequests", "RateLimited"],
    [400, "InvalidParameter", "InvalidRequest"],
    [500, "InternalServerError", "Unavailable"]
  ]
  it.scopedLive.each(errors)("an answer of %s %s is read", ([status, code, reason]) =>
    Effect.gen(function* () {
      const up = yield* upstream(() => ({ status, body: { code, message: "said so" } }))
      const error = yield* Effect.flip(S.call(yield* service, S.chat(), on(up.origin)))
      assert.deepStrictEqual([error.reason, error.code, error.providerMessage], [reason, code, "said so"])
    })
  )
})
