/**
 * Where a request goes, and with whose credentials, is not the caller's to say: through a running gateway, on every endpoint.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Either } from "effect"
import * as Controls from "../../../src/edge/calls/Controls.js"
import * as ForeignFields from "../../../src/edge/calls/foreignFields.js"
import * as Gateway from "../../../src/Gateway.js"
import * as RequestLog from "../../../src/log/RequestLog.js"
import { loadFiles } from "../../support/configFiles.js"
import { decode, deploymentOf, errorIn, eventually, masterKey, messages, post, start } from "../../support/gateways.js"

const chat = { model: "smart", messages }

const endpoints: ReadonlyArray<readonly [string, object]> = [
  ["/v1/chat/completions", chat],
  ["/v1/chat/completions", { ...chat, stream: true }],
  ["/v1/completions", { model: "smart", prompt: "hi" }],
  ["/v1/embeddings", { model: "smart", input: "hi" }],
  ["/openai/deployments/smart/chat/completions?api-version=2024-10-21", chat]
]

const caller = { name: "joe", isMaster: false, mayUse: () => true, tags: [] }

const read = (body: object) => Controls.read({ operation: "chat" }, { ...chat, ...body }, {}, caller, {})

/** What a body is refused for; undefined when it is taken. */
const refusedFor = (body: object): string | undefined =>
  Either.match(read(body), {
    onLeft: (problem) =>
      "_tag" in problem ? `${problem.code}` : problem.message.slice(problem.message.indexOf("leave out ") + 10),
    onRight: () => undefined
  })

/** What goes on of a body, and what is left out with a word. */
const taken = (body: object) => {
  const { leftOut, request } = Either.getOrThrowWith(read(body), (problem) => problem)
  const { messages: _messages, model: _model, ...sent } = request.body
  return { sent, leftOut }
}

const value = "http://198.51.100.7/v1"

describe("a destination or a credential in a request", () => {
  it("is refused by every name that is listed, at the root and in each of the three objects", () => {
    assert.isAbove(ForeignFields.refusedNames.length, 80)
    for (const name of ForeignFields.refusedNames) {
      assert.strictEqual(refusedFor({ [name]: value }), name)
      for (const container of ForeignFields.containers) {
        assert.strictEqual(refusedFor({ [container]: { [name]: value, other: 1 } }), `${container}.${name}`)
      }
    }
    for (const name of [
      ...ForeignFields.refusedOutsideMetadata,
      ...ForeignFields.refusedFamilies.map((family) => `${family}anything_new`)
    ]) {
      assert.strictEqual(refusedFor({ [name]: value }), name)
      assert.strictEqual(refusedFor({ extra_body: { [name]: value } }), `extra_body.${name}`)
      assert.isUndefined(refusedFor({ metadata: { [name]: "a label" } }))
    }
  })

  it("is found in objects within each other, in objects that stand as a text, and in targets of fallbacks", () => {
    for (const [body, path] of [
      [{ extra_body: { metadata: { api_base: value } } }, "extra_body.metadata.api_base"],
      [{ metadata: { extra_body: { api_base: value } } }, "metadata.extra_body.api_base"],
      [{ litellm_metadata: JSON.stringify({ langfuse_host: value }) }, "litellm_metadata.langfuse_host"],
      [{ metadata: ` ${JSON.stringify({ api_base: value })}` }, "metadata.api_base"],
      [{ metadata: `{"a": "${"x".repeat(200_000)}"}` }, "metadata"],
      [{ fallbacks: [{ model: "spare", api_base: value }] }, "fallbacks[0].api_base"],
      [{ fallbacks: [{ smart: [{ model: "spare", base_url: value }] }] }, "fallbacks[0].smart[0].base_url"],
      [
        { context_window_fallbacks: [{ model: "a", extra_body: { user_config: {} } }] },
        "context_window_fallbacks[0].extra_body.user_config"
      ]
    ] as const) {
      assert.strictEqual(refusedFor(body), path)
    }
    assert.strictEqual(refusedFor(JSON.parse('{"api\\u005fbase": "x"}') as object), "api_base")
  })

  it("all of them are named at once; null says nothing, and other names are the provider's", () => {
    assert.strictEqual(
      refusedFor({
        api_base: value,
        metadata: { langfuse_host: value },
        model_list: [],
        extra_body: { aws_role_name: "r" }
      }),
      "api_base, metadata.langfuse_host, model_list, extra_body.aws_role_name"
    )
    assert.deepStrictEqual(
      taken({ api_base: null, user_config: null, metadata: { base_url: null, mine: "1" }, seed: 1 }),
      {
        sent: { seed: 1, metadata: { mine: "1" } },
        leftOut: []
      }
    )
    const theirs = {
      metadata: { user_id: "u", organization: "acme", client_id: "c", headers_seen: "1" },
      extra_body: { google: { thinking_config: {} } },
      provider: { order: ["x"] },
      API_BASE: value,
      apiBase: value
    }
    assert.deepStrictEqual(taken(theirs), { sent: theirs, leftOut: [] })
    const body = { metadata: theirs.metadata }
    assert.strictEqual(Either.getOrThrowWith(read(body), String).request.body.metadata, body.metadata)
  })

  it("keys and headers of the caller's own are left out, and named", () => {
    assert.deepStrictEqual(
      taken({
        api_key: "sk-mine",
        headers: { authorization: "x" },
        extra_headers: {},
        organization: "org",
        seed: 1,
        extra_body: { api_key: "sk-mine", top_k: 1 },
        metadata: { api_key: "sk-mine", mine: "1" },
        fallbacks: [{ model: "spare", api_key: "sk-mine", seed: 2 }]
      }),
      {
        sent: { seed: 1, extra_body: { top_k: 1 }, metadata: { mine: "1" } },
        leftOut: [
          "api_key",
          "headers",
          "extra_headers",
          "organization",
          "extra_body.api_key",
          "metadata.api_key",
          "fallbacks[0].api_key"
        ]
      }
    )
    assert.deepStrictEqual(taken({ api_key: null }), { sent: {}, leftOut: [] })
  })

  it.scopedLive("is refused on every endpoint, for the master key too, and no provider hears of it", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make({ name: "east" })
      const gateway = yield* start([provider])
      for (const [path, body] of endpoints) {
        for (const [field, foreign] of [
          ["api_base", { api_base: value }],
          ["metadata.langfuse_secret_key", { metadata: { langfuse_secret_key: "s" } }],
          ["extra_body.vertex_credentials", { extra_body: { vertex_credentials: {} } }]
        ] as const) {
          const { status, text } = yield* post(gateway, path, { ...body, ...foreign })
          assert.strictEqual(status, 400, `${path} ${field}: ${text}`)
          const { code, message, param } = errorIn(text)
          assert.deepStrictEqual([code, param], ["field_not_allowed", field])
          assert.include(String(message), field)
        }
      }
      assert.lengthOf(provider.journal(), 0)
    })
  )

  it.scopedLive(
    "what is left out is told in a header each time and once in the log, and never reaches a provider",
    () =>
      Effect.gen(function* () {
        const provider = yield* FakeProvider.make({ name: "east" })
        let text = ""
        const config = decode({
          server: { port: 0 },
          masterKey,
          deployments: [deploymentOf(provider)],
          log: { format: "json" }
        })
        const log = yield* RequestLog.make(config, {
          isTerminal: false,
          hasColours: false,
          write: (lines, done) => {
            text += lines
            done()
          }
        })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const gateway = yield* Gateway.make({ config }, {}, log)
            for (const [path, body] of endpoints) {
              const mine = {
                api_key: "sk-mine-0001",
                headers: { "x-mine": "sk-mine-0001" },
                extra_body: { api_key: "sk-mine-0001" }
              }
              const { headers, status } = yield* post(gateway, path, { ...body, ...mine })
              assert.strictEqual(status, 200)
              assert.strictEqual(headers["x-switchyard-left-out"], "api_key, headers, extra_body.api_key")
            }
            const odd = yield* post(gateway, "/v1/chat/completions", {
              ...chat,
              fallbacks: [{ "smart\nx-evil: 1": [{ model: "spare", api_key: "k" }] }]
            })
            assert.strictEqual(odd.status, 200)
            assert.isUndefined(odd.headers["x-evil"])
            assert.include(odd.headers["x-switchyard-left-out"], "%0Ax-evil")
            const plain = yield* post(gateway, "/v1/chat/completions", chat)
            assert.isUndefined(plain.headers["x-switchyard-left-out"])
          })
        )
        assert.notInclude(JSON.stringify(provider.journal()), "sk-mine-0001")
        yield* eventually(
          () => "a line of the log",
          () => text.includes("fields_left_out")
        )
        assert.lengthOf(text.match(/fields_left_out/g) ?? [], 1)
        assert.notInclude(text, "sk-mine-0001")
      })
  )

  it.effect("LiteLLM's ways to let callers bring them are warned about", () =>
    Effect.gen(function* () {
      const { problems } = Either.getOrThrow(
        yield* loadFiles({
          "config.yaml": `model_list:
  - model_name: g
    litellm_params: { model: openai/m, api_key: k, configurable_clientside_auth_params: [api_base] }
general_settings: { allow_client_side_credentials: true }
`
        })
      )
      assert.deepStrictEqual(
        problems.filter(({ severity }) => severity === "warning").map(({ path }) => path),
        [
          "model_list[0].litellm_params.configurable_clientside_auth_params",
          "general_settings.allow_client_side_credentials"
        ]
      )
    })
  )
})
