/**
 * What is known about families of models, as data: whether they think before they speak, what they call the bound of their
 * output, and which parameters they refuse. A model that no row fits is taken as it is: nothing is known, so nothing is done.
 */

import { type ModelFamily, type Rename, rows, unknown } from "./modelFamilies.js"

export type { ModelFamily, Rename }

/** Models that think by themselves, at whatever provider: by the last part of their names. */
const thinks: ReadonlyArray<RegExp> = [
  /(^|[^a-z0-9])o[1-9]($|[-_:@.])/,
  /gpt-?[5-9](?!-chat)(?!.*search)|gpt-?oss|codex-mini/,
  /deepseek[-_]?(r\d|reasoner|v4)|(^|[-_])r1($|[-_:])/,
  /grok-(3-mini|[4-9]|code)(?!.*non-reasoning)/,
  /gemini-(2\.5-(pro|flash)(?!-(lite|image))|[3-9])/,
  /magistral|qwq|qvq|(^|[-_])qwen-?3(?!.*(instruct|coder|embedding|max|vl-plus))/,
  /sonar-(reasoning|deep)|deep-research/,
  /kimi-k(2-thinking|2[.p][5-9]|[3-9])|glm-(4[.p][5-9]|[5-9])|minimax-m[1-9]/,
  /(^|[-_.])(thinking|reasoning|reasoner|think)($|[-_.:])(?<!non[-_]reasoning.?)/
]

/** A name without who serves it: `openrouter`'s `openai/gpt-5`, Fireworks' `accounts/fireworks/models/x`. */
const lastPart = (model: string): string => model.slice(model.lastIndexOf("/") + 1)

const isThinking = (model: string): boolean => {
  const name = lastPart(model)
  return thinks.some((pattern) => pattern.test(name))
}

const hosts: ReadonlyArray<readonly [host: RegExp, provider: string]> = [
  [/^api\.openai\.com$/, "openai"],
  [/\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/, "azure"],
  [/^api\.mistral\.ai$/, "mistral"],
  [/^api\.cerebras\.ai$/, "cerebras"],
  [/^api\.x\.ai$/, "xai"],
  [/^api\.deepseek\.com$/, "deepseek"],
  [/^api\.perplexity\.ai$/, "perplexity"],
  [/^api\.groq\.com$/, "groq"]
]

const labels: ReadonlySet<string> = new Set(rows.flatMap(({ providers }) => [...providers]))

/** A provider's label is free; where it is none that is known, the host says who it is. */
const providerOf = (label: string, baseUrl: string | undefined): string => {
  if (baseUrl === undefined || !URL.canParse(baseUrl) || (labels.has(label) && label !== "openai")) return label
  const { hostname } = new URL(baseUrl)
  return hosts.find(([host]) => host.test(hostname))?.[1] ?? label
}

/** What a deployment is told apart by. */
export interface Named {
  /** `openai`, `azure`, `mistral` …, in LiteLLM's words. */
  readonly provider: string
  /** The provider's name of the model; dated, prefixed (`openai/gpt-5`) and Azure's own names (`team-gpt-5`) are known too. */
  readonly model: string
  /** The public name of the model, where it goes by another one; beats it. */
  readonly baseModel?: string | undefined
  /** Tells the provider where its label does not. */
  readonly baseUrl?: string | undefined
}

/**
 * The family of a deployment's model; one named `unknown`, which refuses and renames nothing, where no row fits.
 *
 * @example
 * ```ts
 * import * as ModelFamily from "@switchyard/core/ModelFamily"
 *
 * const family = ModelFamily.of({ provider: "azure", model: "gpt-5-mini-2025-08-07" })
 * console.log(family.reasons, family.outputBound) // true max_completion_tokens
 * ```
 */
export const of = ({ baseModel, baseUrl, model, provider }: Named): ModelFamily => {
  const name = (baseModel ?? model).toLowerCase()
  const label = providerOf(provider, baseUrl)
  const found = rows.find((one) => one.providers.has(label) && one.model.test(name))
  return { ...(found?.family ?? unknown), reasons: isThinking(name) }
}

const effortOf = (family: ModelFamily, body: Readonly<Record<string, unknown>>): unknown =>
  body.reasoning_effort ?? family.standardEffort

/** Whether a family refuses a parameter of a request with this body. */
export const refuses = (family: ModelFamily, body: Readonly<Record<string, unknown>>, parameter: string): boolean => {
  if (parameter === "temperature" && body.temperature === 1) return false
  if (family.refuses.has(parameter)) return true
  return family.refusesReasoning.has(parameter) && effortOf(family, body) !== "none"
}
