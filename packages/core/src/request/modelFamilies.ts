/**
 * The families of models that are known, as rows of a table.
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

/** A family, and which models of which providers are of it. */
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
export const rows: ReadonlyArray<Row> = [
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
  row(
    "one bound",
    [
      ..."apertis charity_engine chutes crusoe darkbloom empiriolabs fireworks-ai libertai llamagate moonshotai".split(
        " "
      ),
      ..."nano-gpt neosantara nvidia pinstripes poe publicai sarvam scx-ai synthetic tensormesh xiaomi".split(" "),
      "xiaomi_mimo"
    ],
    { ...wantsTokens }
  ),
  row("together", ["together_ai", "novita", "huggingface", "lm_studio", "llamafile", "minimax", "meta_llama"], {
    refuses: ["verbosity"]
  })
]

/** The family of a model that no row fits. */
export const unknown = row("unknown", [], {}).family
