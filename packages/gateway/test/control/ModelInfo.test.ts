/**
 * What a LiteLLM proxy's tools ask for, and the list of models: over the control plane alone, with no provider behind it.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect } from "effect"
import { start } from "../support/controlPlaneSupport.js"

const master = "sk-master-0123456789"
const team = "sk-team-0123456789"
const upstreamKey = "sk-upstream-0123456789"

const deployment = (id: string, more: Partial<DeploymentConfig>): DeploymentConfig => ({
  id,
  group: "smart",
  model: "gpt-4o-mini",
  baseUrl: "https://user-secret.example/v1",
  apiKey: upstreamKey,
  ...more
})

const openAi = { baseUrl: "https://api.openai.com/v1" }

const boot = (settings: object = {}) =>
  Effect.gen(function* () {
    const stub = StubLlm.make()
    const plane = yield* start({
      base: stub.attempts,
      settings: {
        masterKey: master,
        keys: [{ name: "team", key: team, groups: ["smart", "quick", "openai/*"] }],
        deployments: [
          deployment("own", { inputPrice: 2, outputPrice: 8, contextWindow: 1000, rpm: 5, capabilities: ["tools"] }),
          deployment("known", { ...openAi, rpm: 7 }),
          deployment("secret", { group: "private", model: "who-knows" }),
          deployment("vectors", { group: "vectors", model: "text-embedding-3-small", ...openAi }),
          deployment("all", { group: "openai/*", model: "*", ...openAi }),
          deployment("mini", { group: "openai/gpt-4o-mini", ...openAi }),
          deployment("short", { group: "g-*", model: "gpt-4*", ...openAi }),
          deployment("one", { group: "any-*", model: "gpt-4o", ...openAi }),
          deployment("dialect", { group: "local/*", model: "*" }),
          deployment("foreign", { group: "mine/*", model: "*", provider: "my-own" })
        ],
        aliases: { quick: "smart" },
        hiddenModels: ["openai/gpt-4o"],
        ...settings
      }
    })
    const ask = (path: string, key: string | undefined = master) =>
      Effect.promise(async () => {
        const headers = key === "" ? {} : { authorization: `Bearer ${key}` }
        const answer = await fetch(plane.url + path, { headers })
        const text = await answer.text()
        assert.notInclude(text, upstreamKey)
        assert.notInclude(text, "user-secret")
        // biome-ignore lint/suspicious/noExplicitAny: whatever comes is looked at by the test
        return { status: answer.status, json: JSON.parse(text) as any }
      })
    return { ...plane, ask, stub }
  })

// biome-ignore lint/suspicious/noExplicitAny: whatever comes is looked at by the test
type Entry = any

describe("/v1/model/info", () => {
  it.scoped("tells each deployment's limits, prices and abilities in LiteLLM's shape, per token, and no secret", () =>
    Effect.gen(function* () {
      const { ask } = yield* boot()
      const { json } = yield* ask("/v1/model/info")
      assert.deepStrictEqual((yield* ask("/model/info/")).json, json)
      const find = (id: string): Entry => json.data.find(({ model_info }: Entry) => model_info.id === id)
      const own = find("own")
      assert.deepInclude(own, { model_name: "smart", litellm_params: { model: "openai/gpt-4o-mini" } })
      assert.deepInclude(own.model_info, {
        db_model: false,
        litellm_provider: "openai",
        mode: "chat",
        max_input_tokens: 1000,
        input_cost_per_token: 0.000002,
        output_cost_per_token: 0.000008,
        rpm: 5,
        supports_function_calling: true,
        supports_vision: false
      })
      assert.include(own.model_info.supported_openai_params, "temperature")
      const known = find("known").model_info
      assert.deepInclude(known, { input_cost_per_token: 1.5e-7, output_cost_per_token: 6e-7, max_input_tokens: 128000 })
      assert.isNull(known.supports_vision)
      assert.strictEqual(find("vectors").model_info.mode, "embedding")
      assert.isNull(find("secret").model_info.input_cost_per_token)
    })
  )

  it.scoped(
    "a key sees its own groups, aliases among them; one id can be asked for; without a key there is nothing",
    () =>
      Effect.gen(function* () {
        const { ask } = yield* boot()
        const { json } = yield* ask("/v1/model/info", team)
        const names = new Set(json.data.map(({ model_name }: Entry) => model_name))
        assert.deepStrictEqual([...names].sort(), ["openai/*", "openai/gpt-4o-mini", "quick", "smart"])
        const one = yield* ask("/v1/model/info?litellm_model_id=vectors")
        assert.deepStrictEqual([one.json.data.length, one.json.data[0].model_name], [1, "vectors"])
        assert.strictEqual((yield* ask("/v1/model/info?litellm_model_id=vectors", team)).status, 404)
        for (const path of ["/v1/model/info", "/model_group/info", "/health"]) {
          assert.strictEqual((yield* ask(path, "")).status, 401)
        }
      })
  )

  it.scoped("ids and models of providers are told to the master alone where callers are told of no deployment", () =>
    Effect.gen(function* () {
      const { ask } = yield* boot({ answers: { routing: "summary" } })
      for (const path of ["/v1/model/info", "/model_group/info", "/health"]) {
        const text = JSON.stringify((yield* ask(path, team)).json)
        for (const hidden of ['"own"', '"known"', '"mini"', '"openai"']) assert.notInclude(text, hidden, path)
      }
      assert.include(JSON.stringify((yield* ask("/v1/model/info")).json), '"own"')
    })
  )
})

describe("/model_group/info", () => {
  it.scoped("puts a group's deployments together: the largest window and price, the sum of their limits", () =>
    Effect.gen(function* () {
      const { ask } = yield* boot()
      const { json } = yield* ask("/model_group/info?model_group=smart")
      assert.strictEqual(json.data.length, 1)
      assert.deepInclude(json.data[0], {
        model_group: "smart",
        providers: ["openai"],
        max_input_tokens: 128000,
        input_cost_per_token: 0.000002,
        mode: "chat",
        rpm: 12,
        tpm: null,
        supports_function_calling: true,
        supports_vision: false
      })
    })
  )
})

describe("/health", () => {
  it.scoped(
    "says from what is known which deployments take calls, and calls none of them; probes have LiteLLM's words",
    () =>
      Effect.gen(function* () {
        const { ask, now, stub, tower } = yield* boot()
        const slot = Context.get(tower.state, DeploymentRegistry).slot("own")
        if (slot === undefined) throw new Error("no such slot")
        yield* Context.get(tower.state, CooldownState).cool(slot, "1 minute")
        yield* Context.get(tower.state, CooldownState).isolate("vectors")
        const { json, status } = yield* ask("/health")
        assert.deepStrictEqual([status, json.healthy_count, json.unhealthy_count], [200, 8, 2])
        assert.deepStrictEqual(
          json.unhealthy_endpoints.map(({ error, model_id }: Entry) => [model_id, error]),
          [
            ["own", "cooldown"],
            ["vectors", "isolated"]
          ]
        )
        assert.strictEqual((yield* ask("/health?model=smart", team)).json.healthy_count, 1)
        assert.strictEqual((yield* ask("/health?model=vectors")).status, 503)
        assert.strictEqual((yield* ask("/health?model_id=known")).status, 200)
        assert.strictEqual((yield* ask("/health", team)).json.healthy_endpoints.length, 3)
        assert.isEmpty(stub.calls)
        for (const path of ["/health/liveliness", "/health/liveness"]) {
          assert.strictEqual((yield* ask(path, "")).json, "I'm alive!")
        }
        assert.deepInclude((yield* ask("/health/readiness", "")).json, { status: "healthy", db: "Not connected" })
        now.phase = "draining"
        assert.strictEqual((yield* ask("/health/readiness", "")).status, 503)
      })
  )
})

describe("/v1/models", () => {
  const idsOf = ({ json }: { readonly json: Entry }): ReadonlyArray<string> => json.data.map(({ id }: Entry) => id)

  it.scoped("lists what a wildcard stands for where the catalogue knows its provider, each once, and no pattern", () =>
    Effect.gen(function* () {
      const { ask } = yield* boot()
      const all = yield* ask("/v1/models")
      const ids = idsOf(all)
      for (const id of ["smart", "quick", "openai/gpt-4o-mini", "openai/gpt-4.1", "g-o", "g-o-mini"]) {
        assert.include(ids, id)
      }
      assert.strictEqual(new Set(ids).size, ids.length)
      assert.isBelow(ids.length, 1100)
      assert.isEmpty(ids.filter((id) => id.includes("*") || /^(any-|mine\/|local\/)/.test(id)))
      assert.notInclude(ids, "openai/gpt-4o", "a hidden name")
      assert.isTrue(all.json.data.every(({ object }: Entry) => object === "model"))
      assert.isEmpty(idsOf(yield* ask("/v1/models", team)).filter((id) => id.startsWith("g-") || id === "private"))
      const withPatterns = idsOf(yield* ask("/v1/models?return_wildcard_routes=true"))
      for (const id of ["openai/*", "any-*", "openai/gpt-4.1"]) assert.include(withPatterns, id)
    })
  )
})
