/**
 * What tools that were made for a LiteLLM proxy ask it: what its models can do and cost, and which of its deployments are
 * well. The shapes are LiteLLM's; the figures are what is configured and what the catalogue knows, and null where nobody
 * does. Nothing here calls a provider, and no secret or address is told.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import * as ModelFamily from "@switchyard/core/ModelFamily"
import type { Slot } from "@switchyard/core/Slot"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
import * as PriceBook from "@switchyard/router/PriceBook"
import { Context } from "effect"
import { shownTo } from "../edge/RoutingHeaders.js"
import type { Generation } from "../generations/Generations.js"
import type { Caller } from "../keys/KeyRing.js"
import * as ModelList from "./ModelList.js"

type Figures = Readonly<Record<string, unknown>>

/** A name that a caller may ask for, with the deployments behind it. */
interface Named {
  readonly name: string
  readonly slots: ReadonlyArray<Slot>
}

const namedOf = (caller: Caller, generation: Generation): ReadonlyArray<Named> => {
  const registry = Context.get(generation.tower.state, DeploymentRegistry)
  return ModelList.ownNames(caller, generation).map((name) => ({
    name,
    slots: registry.resolve(name)?.group.tiers.flat() ?? []
  }))
}

/** Whether a caller is told of deployments by their ids. */
const isTold = (caller: Caller, { source }: Generation): boolean =>
  caller.isMaster || (shownTo(caller, source.config.answers).routing ?? "all") === "all"

const perToken = (perMillion: number | undefined): number | null =>
  perMillion === undefined ? null : Number((perMillion / 1e6).toPrecision(12))

/** Parameters that chats have in common; a family may refuse some. */
const parameters = [
  "frequency_penalty",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "max_tokens",
  "max_completion_tokens",
  "n",
  "presence_penalty",
  "reasoning_effort",
  "response_format",
  "seed",
  "stop",
  "stream",
  "stream_options",
  "temperature",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "top_p",
  "user"
]

const can = ({ capabilities }: Deployment, ...names: ReadonlyArray<string>): boolean | null =>
  capabilities === undefined ? null : names.some((name) => capabilities.has(name))

const figuresOf = (deployment: Deployment, prices: Context.Tag.Service<PriceBook.PriceBook>) => {
  const { baseModel, contextWindow, model, rpm, tpm } = deployment
  const known = ModelCatalogue.find(model, deployment)
  const price = prices.price(deployment)
  const family = ModelFamily.of(deployment)
  const tools = can(deployment, "tools", "function_calling")
  const maxOutput = known?.maxOutputTokens ?? null
  return {
    max_tokens: maxOutput,
    max_input_tokens: contextWindow ?? known?.contextWindow ?? null,
    max_output_tokens: maxOutput,
    input_cost_per_token: perToken(price?.input),
    output_cost_per_token: perToken(price?.output),
    cache_read_input_token_cost: perToken(price?.cachedInput),
    cache_creation_input_token_cost: perToken(price?.cacheWrite),
    mode: /embed/i.test(baseModel ?? model) ? "embedding" : "chat",
    tpm: tpm ?? null,
    rpm: rpm ?? null,
    supports_function_calling: tools,
    supports_tool_choice: tools,
    supports_parallel_function_calling: tools,
    supports_vision: can(deployment, "vision"),
    supports_response_schema: can(deployment, "json_schema", "response_schema"),
    supports_reasoning: can(deployment, "reasoning") ?? (family.reasons ? true : null),
    supports_prompt_caching: price !== undefined && price.cachedInput < price.input ? true : null,
    supported_openai_params: parameters.filter((name) => !ModelFamily.refuses(family, {}, name))
  }
}

const bookOf = ({ source }: Generation): Context.Tag.Service<PriceBook.PriceBook> =>
  PriceBook.make({}, { assumed: PriceBook.assumedOf(source.config.router.unknownPrice) })

const fullModel = ({ model, provider }: Deployment): string =>
  model.startsWith(`${provider}/`) ? model : `${provider}/${model}`

/** What the catalogue knows of the first deployment of a name, null where it does not: for lists of models. */
export const windowsOf = (name: string, { tower }: Generation) => {
  const [slot] = Context.get(tower.state, DeploymentRegistry).resolve(name)?.group.tiers.flat() ?? []
  if (slot === undefined) return { input: null, output: null, isEmbedding: false }
  const { deployment } = slot
  const model = deployment.model.includes("*") ? name : deployment.model
  const known = ModelCatalogue.find(model, deployment)
  return {
    input: deployment.contextWindow ?? known?.contextWindow ?? null,
    output: known?.maxOutputTokens ?? null,
    isEmbedding: /embed/i.test(deployment.baseModel ?? model)
  }
}

/** `/v1/model/info`: one entry for each deployment of each name; `id` asks for one deployment alone. */
export const models = (caller: Caller, generation: Generation, id: string | null): ReadonlyArray<Figures> => {
  const prices = bookOf(generation)
  const told = isTold(caller, generation)
  return namedOf(caller, generation).flatMap(({ name, slots }) =>
    slots.flatMap(({ deployment }) => {
      const shownId = told ? deployment.id : name
      if (id !== null && id !== shownId) return []
      return [
        {
          model_name: name,
          litellm_params: { model: told ? fullModel(deployment) : name },
          model_info: {
            id: shownId,
            db_model: false,
            key: told ? deployment.model : name,
            litellm_provider: told ? deployment.provider : null,
            ...(told && deployment.baseModel !== undefined ? { base_model: deployment.baseModel } : {}),
            ...figuresOf(deployment, prices)
          }
        }
      ]
    })
  )
}

const numbers = (values: ReadonlyArray<unknown>): ReadonlyArray<number> =>
  values.filter((value) => typeof value === "number")

const largest = (values: ReadonlyArray<unknown>): number | null => {
  const known = numbers(values)
  return known.length === 0 ? null : Math.max(...known)
}

const summed = (values: ReadonlyArray<unknown>): number | null => {
  const known = numbers(values)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0)
}

/** `/model_group/info`: one entry for each name, its deployments together; `only` asks for one name alone. */
export const groups = (caller: Caller, generation: Generation, only: string | null): ReadonlyArray<Figures> => {
  const prices = bookOf(generation)
  return namedOf(caller, generation).flatMap(({ name, slots }) => {
    if (slots.length === 0 || (only !== null && only !== name)) return []
    const all = slots.map(({ deployment }) => figuresOf(deployment, prices))
    const each = (key: keyof (typeof all)[number]): ReadonlyArray<unknown> => all.map((figures) => figures[key])
    return [
      {
        model_group: name,
        providers: isTold(caller, generation) ? [...new Set(slots.map(({ deployment }) => deployment.provider))] : [],
        max_input_tokens: largest(each("max_input_tokens")),
        max_output_tokens: largest(each("max_output_tokens")),
        input_cost_per_token: largest(each("input_cost_per_token")),
        output_cost_per_token: largest(each("output_cost_per_token")),
        mode: all[0]?.mode ?? null,
        tpm: summed(each("tpm")),
        rpm: summed(each("rpm")),
        supports_parallel_function_calling: each("supports_parallel_function_calling").includes(true),
        supports_vision: each("supports_vision").includes(true),
        supports_function_calling: each("supports_function_calling").includes(true),
        supports_reasoning: each("supports_reasoning").includes(true),
        supported_openai_params: all[0]?.supported_openai_params ?? []
      }
    ]
  })
}

/** What `/health` says. */
export interface Health {
  readonly healthy_endpoints: ReadonlyArray<Figures>
  readonly unhealthy_endpoints: ReadonlyArray<Figures>
  readonly healthy_count: number
  readonly unhealthy_count: number
}

/**
 * `/health`: the deployments that take calls at `now` (monotonic ms), and those that do not. LiteLLM calls each of them to
 * find out; here it is what their breakers, health probes and operators say, so it costs nothing. `only` asks for those of
 * one name or id.
 */
export const health = (caller: Caller, generation: Generation, now: number, only: string | null): Health => {
  const cooldowns = Context.get(generation.tower.state, CooldownState)
  const told = isTold(caller, generation)
  const healthy: Array<Figures> = []
  const unhealthy: Array<Figures> = []
  const seen = new Set<Slot>()
  for (const { name, slots } of namedOf(caller, generation)) {
    for (const slot of slots) {
      const { deployment } = slot
      if ((only !== null && only !== name && !(told && only === deployment.id)) || seen.has(slot)) continue
      seen.add(slot)
      const { blockedBy, isolated } = cooldowns.inspect(slot, now)
      const shown = {
        model: told ? fullModel(deployment) : name,
        model_group: name,
        ...(told ? { model_id: deployment.id } : {})
      }
      if (!isolated && (blockedBy === undefined || blockedBy === "probing")) healthy.push(shown)
      else unhealthy.push({ ...shown, error: isolated ? "isolated" : blockedBy })
    }
  }
  return {
    healthy_endpoints: healthy,
    unhealthy_endpoints: unhealthy,
    healthy_count: healthy.length,
    unhealthy_count: unhealthy.length
  }
}
