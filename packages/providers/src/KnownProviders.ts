/**
 * Where the well-known providers answer in OpenAI's dialect, under the names that LiteLLM's users give them: base URL,
 * and the environment variables that hold the key. A configuration that names a provider needs no URL of its own then.
 */

/** What is known about a provider. */
export interface KnownProvider {
  /** Its prefix in `provider/model`. */
  readonly name: string
  /** Base URL of its OpenAI-compatible API; undefined where only the user can know it. */
  readonly baseUrl: string | undefined
  /** Environment variables that may hold the key, the first that is set counts; empty where none is needed. */
  readonly keyVariables: ReadonlyArray<string>
  /** Environment variables that may hold a base URL of the user's own. */
  readonly baseVariables: ReadonlyArray<string>
  /** What a base URL without a path lacks, for providers whose users seldom write it. */
  readonly basePath: string | undefined
  /** What stands before a bare model name, for example `accounts/fireworks/models/`. */
  readonly modelPrefix: string | undefined
  /** Its own dialect is another one: some of its features are not reached this way. */
  readonly isForeign: boolean
}

type Details = Partial<Omit<KnownProvider, "name" | "baseUrl">>

const upper = (name: string): string => name.toUpperCase().replaceAll("-", "_")

const provider = (name: string, baseUrl: string | undefined, details: Details = {}): KnownProvider => ({
  name,
  baseUrl,
  keyVariables: details.keyVariables ?? [`${upper(name)}_API_KEY`],
  baseVariables: details.baseVariables ?? [`${upper(name)}_API_BASE`],
  basePath: details.basePath,
  modelPrefix: details.modelPrefix,
  isForeign: details.isForeign ?? false
})

const openAi: Details = { keyVariables: ["OPENAI_API_KEY"], baseVariables: ["OPENAI_BASE_URL", "OPENAI_API_BASE"] }
const ollama: Details = { keyVariables: ["OLLAMA_API_KEY"], baseVariables: ["OLLAMA_API_BASE"], basePath: "/v1" }

/** All of them, by name. */
export const providers: ReadonlyArray<KnownProvider> = [
  provider("openai", "https://api.openai.com/v1", openAi),
  provider("text-completion-openai", "https://api.openai.com/v1", openAi),
  provider("custom_openai", undefined, openAi),
  provider("openai_like", undefined),
  provider("litellm_proxy", undefined),
  provider("anthropic", "https://api.anthropic.com/v1", { basePath: "/v1", isForeign: true }),
  provider("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", {
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    basePath: "/v1beta/openai",
    isForeign: true
  }),
  provider("cohere", "https://api.cohere.ai/compatibility/v1", { basePath: "/compatibility/v1", isForeign: true }),
  provider("cohere_chat", "https://api.cohere.ai/compatibility/v1", {
    keyVariables: ["COHERE_API_KEY"],
    basePath: "/compatibility/v1",
    isForeign: true
  }),
  provider("ollama", "http://localhost:11434/v1", { ...ollama, isForeign: true }),
  provider("ollama_chat", "http://localhost:11434/v1", { ...ollama, isForeign: true }),
  provider("groq", "https://api.groq.com/openai/v1"),
  provider("together_ai", "https://api.together.xyz/v1", {
    keyVariables: ["TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"]
  }),
  provider("fireworks_ai", "https://api.fireworks.ai/inference/v1", {
    keyVariables: ["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"],
    baseVariables: ["FIREWORKS_API_BASE"],
    modelPrefix: "accounts/fireworks/models/"
  }),
  provider("deepseek", "https://api.deepseek.com/v1"),
  provider("mistral", "https://api.mistral.ai/v1"),
  provider("codestral", "https://codestral.mistral.ai/v1"),
  provider("openrouter", "https://openrouter.ai/api/v1", { keyVariables: ["OPENROUTER_API_KEY", "OR_API_KEY"] }),
  provider("xai", "https://api.x.ai/v1"),
  provider("perplexity", "https://api.perplexity.ai", { keyVariables: ["PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"] }),
  provider("deepinfra", "https://api.deepinfra.com/v1/openai"),
  provider("cerebras", "https://api.cerebras.ai/v1"),
  provider("nvidia_nim", "https://integrate.api.nvidia.com/v1"),
  provider("sambanova", "https://api.sambanova.ai/v1"),
  provider("github", "https://models.inference.ai.azure.com"),
  provider("anyscale", "https://api.endpoints.anyscale.com/v1"),
  provider("ai21_chat", "https://api.ai21.com/studio/v1", {
    keyVariables: ["AI21_API_KEY"],
    baseVariables: ["AI21_API_BASE"]
  }),
  provider("volcengine", "https://ark.cn-beijing.volces.com/api/v3"),
  provider("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
  provider("moonshot", "https://api.moonshot.ai/v1"),
  provider("zai", "https://api.z.ai/api/paas/v4"),
  provider("minimax", "https://api.minimax.io/v1"),
  provider("meta_llama", "https://api.llama.com/compat/v1", {
    keyVariables: ["LLAMA_API_KEY"],
    baseVariables: ["LLAMA_API_BASE"]
  }),
  provider("nebius", "https://api.studio.nebius.ai/v1"),
  provider("novita", "https://api.novita.ai/v3/openai"),
  provider("featherless_ai", "https://api.featherless.ai/v1"),
  provider("nscale", "https://inference.api.nscale.com/v1"),
  provider("lambda_ai", "https://api.lambda.ai/v1", {
    keyVariables: ["LAMBDA_API_KEY"],
    baseVariables: ["LAMBDA_API_BASE"]
  }),
  provider("hyperbolic", "https://api.hyperbolic.xyz/v1"),
  provider("baseten", "https://inference.baseten.co/v1"),
  provider("friendliai", "https://api.friendli.ai/serverless/v1", {
    keyVariables: ["FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"],
    baseVariables: ["FRIENDLI_API_BASE"]
  }),
  provider("vercel_ai_gateway", "https://ai-gateway.vercel.sh/v1"),
  provider("huggingface", "https://router.huggingface.co/v1", {
    keyVariables: ["HF_TOKEN", "HUGGINGFACE_API_KEY"]
  }),
  provider("voyage", "https://api.voyageai.com/v1"),
  provider("jina_ai", "https://api.jina.ai/v1"),
  provider("databricks", undefined),
  provider("hosted_vllm", undefined, { keyVariables: [] }),
  provider("vllm", undefined, { keyVariables: [] }),
  provider("xinference", "http://127.0.0.1:9997/v1", { keyVariables: [] }),
  provider("lm_studio", "http://localhost:1234/v1", { keyVariables: [] }),
  provider("llamafile", "http://127.0.0.1:8080/v1", { keyVariables: [] })
]

const byName: ReadonlyMap<string, KnownProvider> = new Map(providers.map((known) => [known.name, known]))

/** The provider of that name; undefined when nothing is known about it. */
export const find = (name: string): KnownProvider | undefined => byName.get(name)

/** The first of some environment variables that is set, and not empty. */
export const firstSet = (
  names: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
): string | undefined => names.map((name) => env[name]).find((value) => value !== undefined && value !== "")

/** The base URL that a user meant: without the operation's path, and with the one that the provider's API needs. */
export const completeBaseUrl = (given: string, known: Pick<KnownProvider, "basePath"> | undefined): string => {
  const plain = given.replace(/\/+$/, "").replace(/\/(chat\/completions|completions|embeddings)$/, "")
  if (known?.basePath === undefined || !URL.canParse(plain)) return plain
  return new URL(plain).pathname === "/" ? plain + known.basePath : plain
}
