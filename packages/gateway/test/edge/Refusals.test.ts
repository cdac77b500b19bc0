/**
 * What a provider refuses, told apart by what it says: one gateway, whose upstreams refuse as they are told.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "@switchyard/core/Time"
import type * as Gateway from "@switchyard/gateway/Gateway"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import type { Behaviour } from "@switchyard/testing/FakeProvider"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Context, Effect } from "effect"
import { type Answer, chat, deploymentOf, errorIn, start } from "../support/gateways.js"

const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }]

const noTools: Behaviour = {
  status: 404,
  error: { message: "No endpoints found that support tool use", type: "not_found", code: "404" }
}
const nothingThere: Behaviour = { status: 404, error: '{"detail":"Not Found"}' }

const hasTools = (body: unknown): boolean => Array.isArray((body as { readonly tools?: unknown }).tools)

const inspect = ({ generations }: Gateway.Gateway, id: string) =>
  Effect.map(Time.now, (now) => {
    const { state } = generations.current().tower
    const slot = Context.get(state, DeploymentRegistry).slot(id)
    if (slot === undefined) throw new Error(`no deployment ${id}`)
    const { circuit, consecutiveFailures } = Context.get(state, CooldownState).inspect(slot, now)
    return { circuit, consecutiveFailures }
  })

const sound = { circuit: "closed", consecutiveFailures: 0 } as const

const answeredBy = ({ headers, status, text }: Answer): string | undefined => {
  assert.strictEqual(status, 200, text)
  return headers["x-switchyard-deployment"]
}

describe("a provider's 404", () => {
  it.scopedLive("for tools leaves its deployment answering plain calls, and the calls with tools go elsewhere", () =>
    Effect.gen(function* () {
      const [plain, peer, backup] = [
        yield* FakeProvider.make({ name: "plain" }),
        yield* FakeProvider.make({ name: "peer" }),
        yield* FakeProvider.make({ name: "backup" })
      ]
      yield* plain.when(({ body }) => (hasTools(body) ? noTools : undefined))
      yield* peer.when(({ body }) => (hasTools(body) ? noTools : undefined))
      const gateway = yield* start([], {
        deployments: [
          deploymentOf(plain, { order: 0 }),
          deploymentOf(peer, { order: 1 }),
          deploymentOf(plain, { id: "alone", group: "alone" }),
          deploymentOf(backup, { group: "other" })
        ],
        fallback: { chains: { general: { smart: ["other"] } } }
      })
      for (let i = 0; i < 20; i++) {
        const stream = i % 2 === 1
        assert.strictEqual(answeredBy(yield* chat(gateway, { tools, stream })), "backup")
        const alone = yield* chat(gateway, { model: "alone", tools, stream })
        assert.isAtLeast(alone.status, 400)
        assert.match(alone.text, /No endpoints found that support tool use/)
      }
      for (const id of ["plain", "peer", "alone"]) assert.deepInclude(yield* inspect(gateway, id), sound, id)
      assert.strictEqual(answeredBy(yield* chat(gateway)), "plain")
      assert.strictEqual(answeredBy(yield* chat(gateway, { model: "alone" })), "alone")
      const journal = plain.journal().filter(({ body }) => hasTools(body))
      assert.lengthOf(journal, 40, "once for each request that may ask it")
    })
  )

  it.scopedLive("that blames nobody counts, unless the deployment answered others within the minute", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([], {
        deployments: [
          deploymentOf(upstream, { id: "known", group: "known" }),
          deploymentOf(upstream, { id: "new", group: "new" })
        ],
        cooldown: { failures: 3, duration: "5 minutes", maxDuration: "5 minutes" }
      })
      assert.strictEqual(answeredBy(yield* chat(gateway, { model: "known" })), "known")
      yield* upstream.behave(nothingThere)
      for (let i = 0; i < 6; i++) {
        for (const model of ["known", "new"]) assert.isAtLeast((yield* chat(gateway, { model })).status, 400)
      }
      yield* upstream.behave({})
      assert.deepInclude(yield* inspect(gateway, "known"), sound)
      assert.strictEqual(answeredBy(yield* chat(gateway, { model: "known" })), "known")
      assert.strictEqual((yield* inspect(gateway, "new")).circuit, "open")
    })
  )
})

describe("an error event of a bad request", () => {
  const cases: ReadonlyArray<readonly [what: string, error: Behaviour["error"], expected: object]> = [
    [
      "all told",
      { message: "bad role", type: "invalid_request_error", param: "messages[0].role", code: "unsupported_value" },
      { type: "invalid_request_error", param: "messages[0].role", code: "unsupported_value" }
    ],
    [
      "code and param null",
      { message: "bad role", type: "invalid_request_error", param: null, code: null },
      { type: "invalid_request_error", param: null, code: "invalid_request" }
    ],
    [
      "too long a prompt",
      { message: "too long", type: "invalid_request_error", param: "messages", code: "context_length_exceeded" },
      { type: "invalid_request_error", param: "messages", code: "context_length_exceeded" }
    ]
  ]

  it.scopedLive("gives the provider's param, code and type to the caller, before content and after it", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream])
      for (const [what, error = {}, expected] of cases) {
        yield* upstream.behave({ errorEventAfterChunks: 0, error })
        const early = yield* chat(gateway, { stream: true })
        assert.strictEqual(early.status, 400, what)
        assert.deepInclude(errorIn(early.text), expected, what)

        yield* upstream.behave({ errorEventAfterChunks: 2, error })
        const late = yield* chat(gateway, { stream: true })
        assert.strictEqual(late.status, 200, what)
        const last = late.text.trim().split("\n\n").at(-1) ?? ""
        const shown = errorIn(last.replace(/^data: /, ""))
        assert.deepInclude(shown, { ...expected, reason: "StreamInterrupted" }, what)
        assert.match(String(shown.message), /bad role|too long/)
      }
      yield* upstream.behave({ errorEventAfterChunks: 2, error: { message: "down", type: "server_error", code: "x" } })
      const broken = yield* chat(gateway, { stream: true })
      const last = broken.text.trim().split("\n\n").at(-1) ?? ""
      assert.deepInclude(errorIn(last.replace(/^data: /, "")), {
        type: "server_error",
        param: null,
        code: "upstream_stream_interrupted"
      })
    })
  )
})
