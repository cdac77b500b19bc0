import { fits } from "@switchyard/core/Wildcard"
import * as KnownProviders from "@switchyard/providers/KnownProviders"

/** Providers of LiteLLM's that are asked in a dialect of their own, or do something else than answer prompts. */
const foreign: ReadonlySet<string> = new Set([
  ..."a2a a2a_agent aleph_alpha anthropic_text auto_router aws_polly aws_textract azure_speech".split(" "),
  ..."baseten_legacy bespoke black_forest_labs bytez charity_engine chatgpt cloudflare".split(" "),
  ..."cursor custom databricks_agent datarobot deepgram dotprompt elevenlabs fal_ai gdc gigachat github_copilot".split(
    " "
  ),
  ..."humanloop langflow langfuse langgraph laya litellm_agent manus microsoft_365_copilot milvus mongodb".split(" "),
  ..."nlp_cloud nvidia_riva oci palm petals pg_vector predibase ragflow recraft reducto replicate runwayml".split(" "),
  ..."s3_vectors sagemaker sagemaker_chat sagemaker_nova sap scaledown snowflake soniox stability".split(" "),
  ..."strands_decider text-completion-codestral text-completion-inception topaz transcribe triton typesafe".split(" "),
  ..."valkey watsonx watsonx_text".split(" ")
])

/** Azure's: where their deployments are is worked out apart. */
const azures: ReadonlySet<string> = new Set(["azure", "azure_text", "azure_ai"])

/** Every name that may stand before the slash. */
export const prefixes: ReadonlyArray<string> = [
  ...KnownProviders.providers.map(({ name }) => name),
  ...azures,
  ...foreign
]

/** Whether a provider has a dialect of its own and nothing else that is known. */
export const isForeign = (provider: string): boolean => foreign.has(provider)

const isPrefix = (name: string): boolean =>
  KnownProviders.find(name) !== undefined || azures.has(name) || foreign.has(name)

/** How models are called that need no provider before them, as patterns with stars. */
export const bareNames: ReadonlyArray<readonly [provider: string, patterns: ReadonlyArray<string>]> = [
  [
    "openai",
    [
      ..."gpt-* chatgpt-* o1 o1-* o3 o3-* o4-* codex-* text-embedding-* babbage-* davinci-* ft:* computer-use-*".split(
        " "
      ),
      ..."whisper-* tts-* dall-e-* omni-moderation-* text-moderation-* sora-*".split(" ")
    ]
  ],
  ["anthropic", ["claude-*"]],
  ["vertex_ai", ["gemini-*", "chat-bison*", "text-bison*", "codechat-bison*"]],
  ["cohere", ["command*", "embed-english-*", "embed-multilingual-*", "rerank-*"]],
  ["bedrock", "amazon.* anthropic.* meta.* mistral.* cohere.* ai21.* us.* eu.* apac.* jp.* au.* global.*".split(" ")]
]

/** What `provider/model` says. */
export interface ModelName {
  /** Undefined when nobody can tell. */
  readonly provider: string | undefined
  /** What the provider calls it. */
  readonly model: string
}

/** Splits `provider/model`; a model without a provider tells it by its name, or by a base URL that is given. */
export const splitModel = (model: string, named: string | undefined, hasBase: boolean): ModelName => {
  const slash = model.indexOf("/")
  const prefix = slash === -1 ? "" : model.slice(0, slash)
  const rest = model.slice(slash + 1)
  if (named !== undefined) return { provider: named, model: prefix === named ? rest : model }
  if (slash !== -1 && isPrefix(prefix)) return { provider: prefix, model: rest }
  const guessed =
    slash === -1 ? bareNames.find(([, patterns]) => patterns.some((pattern) => fits(pattern, model)))?.[0] : undefined
  return { provider: guessed ?? (hasBase ? "openai" : undefined), model }
}
