/**
 * What is known about families of models, as data: whether they think before they speak, what they call the bound of their
 * output, and which parameters they refuse. A model that no row fits is taken as it is: nothing is known, so nothing is done.
 */

/** A parameter that a family knows under another name. */
export interface Rename {
  readonly from: string
  readonly to: string
  /** The value under the new name; without it the value stays. */
  readonly value?: (value: unknown) => unknown
}

/** What is known about a family of models. */
export interface ModelFamily {
  /** For people, for example `gpt-5`. */
  readonly name: string
  /** It may think for minutes before its first word, without being asked to. */
  readonly reasons: boolean
  /** What it calls the bound of its output; undefined where either name will do, or nothing is known. */
  readonly outputBound: "max_tokens" | "max_completion_tokens" | undefined
  /** Parameters that it knows under other names, the bound of its output included. */
  readonly renames: ReadonlyArray<Rename>
  /** Parameters that it answers with an error, whatever their value (`temperature`: any but 1). */
  readonly refuses: ReadonlySet<string>
  /** Parameters that it refuses too unless `reasoning_effort` is, or is taken to be, `none`. */
  readonly refusesReasoning: ReadonlySet<string>
  /** What `reasoning_effort` is taken to be where a request has none. */
  readonly standardEffort: "none" | undefined
}

interface Row {
  readonly providers: ReadonlySet<string>
  readonly model: RegExp
  readonly family: Omit<ModelFamily, "reasons">
}

type Details = Partial<{
  readonly model: RegExp
  readonly outputBound: "max_tokens" | "max_completion_tokens"
  readonly renames: ReadonlyArray<Rename>
  readonly refuses: ReadonlyArray<string>
  readonly refusesReasoning: ReadonlyArray<string>
  readonly standardEffort: "none"
}>

const row = (name: string, providers: ReadonlyArray<string>, details: Details): Row => {
  const { outputBound } = details
  const other = outputBound === "max_tokens" ? "max_completion_tokens" : "max_tokens"
  const bound = outputBound === undefined ? [] : [{ from: other, to: outputBound }]
  return {
    providers: new Set(providers),
    model: details.model ?? /^/,
    family: {
      name,
      outputBound,
      renames: [...bound, ...(details.renames ?? [])],
      refuses: new Set(details.refuses),
      refusesReasoning: new Set(details.refusesReasoning),
      standardEffort: details.standardEffort
    }
  }
}

/** Those that serve OpenAI's own models as OpenAI does. */
const openAis = ["openai", "azure", "azure_text", "azure_ai", "github", "github_copilot"]

const penalties = ["presence_penalty", "frequency_penalty"]
const logprobs = ["logprobs", "top_logprobs"]
const sampling = ["temperature", "top_p", ...logprobs]
const tools = ["tools", "tool_choice", "parallel_tool_calls"]
const legacy = ["functions", "function_call"]
const reasoning = ["reasoning_effort", "thinking", "verbosity"]
const media = ["modalities", "prediction", "audio"]
const account = ["service_tier", "safety_identifier", "prompt_cache_key", "store"]
/** What OpenAI alone has. */
const special = [...media, ...account, "web_search_options"]
const gpt5 = [...penalties, "logit_bias", "stop", "thinking", "web_search_options", ...media]

const wantsCompletionTokens = { outputBound: "max_completion_tokens" } as const
const wantsTokens = { outputBound: "max_tokens" } as const

/** DeepSeek thinks or does not; there are no degrees. */
const deepSeekThinking: Rename = {
  from: "reasoning_effort",
  to: "thinking",
  value: (effort) => ({ type: effort === "none" ? "disabled" : "enabled" })
}

/** The first row that fits is the one. Checked against what LiteLLM 1.108 sends with `drop_params`. */
const rows: ReadonlyArray<Row> = [
  row("gpt-5-search", openAis, {
    ...wantsCompletionTokens,
    model: /gpt-?[5-9].*search/,
    refuses: ["n", "seed", ...sampling, ...gpt5, ...tools, ...legacy, "reasoning_effort", "prompt_cache_key"].filter(
      (name) => name !== "web_search_options"
    )
  }),
  row("gpt-5-chat", ["azure", "azure_text", "azure_ai"], {
    ...wantsCompletionTokens,
    model: /gpt-?5-chat/,
    refuses: reasoning
  }),
  row("gpt-5-chat", openAis, { model: /gpt-?5-chat/, refuses: reasoning }),
  row("gpt-5", openAis, {
    ...wantsCompletionTokens,
    model: /gpt-?5\.[1-4](-(mini|nano))?(-\d{4}-\d\d-\d\d)?$/,
    refuses: gpt5,
    refusesReasoning: sampling,
    standardEffort: "none"
  }),
  row("gpt-5", openAis, {
    ...wantsCompletionTokens,
    model: /gpt-?(5\.[5-9]|[6-9])(?!.*(pro|codex|chat))/,
    refuses: gpt5,
    refusesReasoning: sampling
  }),
  row("gpt-5", openAis, {
    ...wantsCompletionTokens,
    model: /gpt-?[5-9]|gpt5_series/,
    refuses: [...sampling, ...gpt5]
  }),
  row("o1", openAis, {
    ...wantsCompletionTokens,
    model: /(^|[^a-z0-9])o1($|[^a-z0-9])/,
    refuses: [...sampling, ...penalties, "logit_bias", "parallel_tool_calls", "thinking", "verbosity"]
  }),
  row("o3 and o4", openAis, {
    ...wantsCompletionTokens,
    model: /(^|[^a-z0-9])o[2-9]($|[^a-z0-9])|o_series/,
    refuses: [...sampling, ...penalties, "logit_bias", "stop", "parallel_tool_calls", "thinking", "verbosity"]
  }),
  row("gpt", ["openai", "azure", "azure_text", "github"], {
    model: /(^|[^a-z0-9])(gpt-?(3|4)|chatgpt)/,
    refuses: reasoning
  }),
  row("cerebras", ["cerebras"], {
    ...wantsTokens,
    model: /gpt-oss|glm|qwen|zai|thinking/,
    refuses: ["n", ...penalties, "logit_bias", ...logprobs, "parallel_tool_calls", "thinking", "verbosity"].concat(
      legacy,
      special
    )
  }),
  row("cerebras", ["cerebras"], {
    ...wantsTokens,
    refuses: ["n", ...penalties, "logit_bias", ...logprobs, "parallel_tool_calls", ...reasoning, ...legacy, ...special]
  }),
  row("mistral", ["mistral", "codestral"], {
    ...wantsTokens,
    renames: [{ from: "seed", to: "random_seed" }],
    refuses: ["n", ...penalties, "logit_bias", ...logprobs, "user", "thinking", "verbosity", ...legacy, ...special]
  }),
  row("grok-3", ["xai"], {
    ...wantsTokens,
    model: /grok-[12]|grok-3(?!-mini)/,
    refuses: [...reasoning, ...legacy, ...media, ...account]
  }),
  row("grok-3-mini", ["xai"], {
    ...wantsTokens,
    model: /grok-3-mini/,
    refuses: ["stop", ...penalties, "thinking", "verbosity", ...legacy, ...media, ...account]
  }),
  row("grok-4", ["xai"], {
    ...wantsTokens,
    model: /grok-(4|code)/,
    refuses: ["stop", ...penalties, ...reasoning, ...legacy, ...media, ...account]
  }),
  row("perplexity", ["perplexity"], {
    refuses: ["n", "logit_bias", "stop", ...logprobs, "seed", "user", ...tools, "thinking", "verbosity"].concat(
      legacy,
      media,
      account
    )
  }),
  row("deepseek", ["deepseek"], { ...wantsTokens, renames: [deepSeekThinking], refuses: ["verbosity"] }),
  row("groq, reasoning", ["groq"], {
    ...wantsTokens,
    model: /gpt-oss|qwen|deepseek/,
    refuses: ["thinking", "verbosity"]
  }),
  row("groq", ["groq"], {
    ...wantsTokens,
    refuses: [...reasoning, ...logprobs, "logit_bias", "web_search_options"]
  }),
  row("fireworks", ["fireworks_ai"], {
    ...wantsTokens,
    refuses: [
      "thinking",
      "verbosity",
      ...legacy,
      "web_search_options",
      "modalities",
      "audio",
      "safety_identifier",
      "store"
    ]
  }),
  row("nvidia", ["nvidia_nim"], {
    ...wantsTokens,
    refuses: ["n", "logit_bias", ...logprobs, "user", ...reasoning, ...legacy, ...special]
  }),
  row("sambanova", ["sambanova"], {
    ...wantsTokens,
    refuses: ["n", ...penalties, "logit_bias", ...logprobs, "seed", "user", "parallel_tool_calls", ...reasoning].concat(
      legacy,
      special
    )
  }),
  row("deepinfra", ["deepinfra"], {
    ...wantsTokens,
    refuses: [...logprobs, "seed", "user", "parallel_tool_calls", ...reasoning, ...special]
  }),
  row("databricks", ["databricks"], {
    ...wantsTokens,
    refuses: [...penalties, "logit_bias", ...logprobs, "seed", "user", "parallel_tool_calls", "verbosity"].concat(
      legacy,
      special.filter((name) => name !== "service_tier")
    )
  }),
  row("moonshot", ["moonshot"], { ...wantsTokens, refuses: [...reasoning, "functions"] }),
  row("zai", ["zai"], {
    ...wantsTokens,
    refuses: ["n", ...penalties, "logit_bias", ...logprobs, "seed", "parallel_tool_calls", "verbosity"].concat(
      "reasoning_effort",
      legacy,
      special
    )
  }),
  row("featherless", ["featherless_ai"], {
    ...wantsTokens,
    refuses: [...logprobs, "seed", "user", "parallel_tool_calls", ...reasoning, ...special]
  }),
  row("nscale", ["nscale"], { ...wantsTokens, refuses: ["seed", "user", ...reasoning, ...legacy, ...special] }),
  row("hyperbolic", ["hyperbolic"], {
    ...wantsTokens,
    refuses: ["logit_bias", ...logprobs, "parallel_tool_calls", ...reasoning, ...legacy, ...special]
  }),
  row("baseten", ["baseten"], {
    ...wantsTokens,
    refuses: ["n", "logit_bias", ...logprobs, "parallel_tool_calls", "thinking", "verbosity", ...legacy, ...special]
  }),
  row("volcengine", ["volcengine"], {
    ...wantsTokens,
    refuses: ["parallel_tool_calls", "reasoning_effort", "verbosity", ...special]
  }),
  row("ai21", ["ai21_chat"], {
    ...wantsTokens,
    refuses: ["top_p", ...penalties, "logit_bias", ...logprobs, "parallel_tool_calls", ...reasoning, ...legacy].concat(
      special
    )
  }),
  row("gemini", ["gemini"], { refuses: ["logit_bias", "verbosity", "prediction", "audio", ...account.slice(1)] }),
  row("claude", ["anthropic"], {
    refuses: ["n", ...penalties, "logit_bias", ...logprobs, "seed", "verbosity", ...legacy, ...media].concat(
      account.slice(1)
    )
  }),
  row("cohere", ["cohere", "cohere_chat"], {
    ...wantsTokens,
    refuses: ["logit_bias", ...logprobs, "parallel_tool_calls", ...reasoning, ...legacy, ...special]
  }),
  row("ollama", ["ollama", "ollama_chat"], {
    ...wantsTokens,
    refuses: ["n", "logit_bias", ...logprobs, "parallel_tool_calls", "thinking", "verbosity", ...legacy, ...special]
  }),
  row("one bound", ["nebius", "lambda_ai", "friendliai", "openai_like", "custom_openai", "xinference", "jina_ai"], {
    ...wantsTokens
  }),
  row("together", ["together_ai", "novita", "huggingface", "lm_studio", "llamafile", "minimax", "meta_llama"], {
    refuses: ["verbosity"]
  })
]

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

const unknown = row("unknown", [], {}).family

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
