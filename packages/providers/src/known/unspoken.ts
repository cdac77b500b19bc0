/**
 * Providers that are asked in no dialect of ours, and why. Some answer in OpenAI's too, at an address of its own.
 */

/** Why a provider cannot be asked as it is. */
export interface Unspoken {
  /** `dialect`: it answers prompts in a way of its own. `elsewhere`: it is nothing that an endpoint here would ask. */
  readonly kind: "dialect" | "elsewhere"
  /** Half a sentence, for `dialect` what would be needed, for `elsewhere` what it is. */
  readonly why: string
  /** Where it answers in OpenAI's dialect too, what only the user knows in braces, by the variable that holds it. */
  readonly compatible?: string
}

const each = (names: string, unspoken: Unspoken): ReadonlyArray<readonly [string, Unspoken]> =>
  names.split(" ").map((name) => [name, unspoken])

const dialect = (names: string, why: string, compatible?: string) =>
  each(names, { kind: "dialect", why, ...(compatible === undefined ? {} : { compatible }) })
const elsewhere = (names: string, why: string) => each(names, { kind: "elsewhere", why })

/** By the names of LiteLLM, liter-llm and models.dev. */
export const unspoken: ReadonlyMap<string, Unspoken> = new Map([
  ...dialect(
    "cloudflare cloudflare-workers-ai",
    "Workers AI's `run`",
    "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1"
  ),
  ...dialect("bytez", "Bytez's tasks by a model's name", "https://api.bytez.com/models/v2/openai/v1"),
  ...dialect("datarobot", "DataRobot's deployments", "https://app.datarobot.com/api/v2/genai/llmgw"),
  ...dialect("recraft", "Recraft's own images", "https://external.api.recraft.ai/v1"),
  ...dialect("replicate", "predictions that are started and then asked for"),
  ...dialect("watsonx_text", "one text in place of a chat; `watsonx/` asks the same models to chat"),
  ...dialect("sap sap-ai-core", "tokens of SAP's AI Core and its orchestration"),
  ...dialect("gigachat", "tokens of an hour, from an authority of their own"),
  ...dialect("gdc", "tokens that Google's Distributed Cloud gives to a service account"),
  ...dialect("github_copilot github-copilot", "signing in at GitHub, and tokens of half an hour"),
  ...dialect("chatgpt", "signing in with a subscription"),
  ...dialect("microsoft_365_copilot", "signing in at Microsoft"),
  ...dialect("gitlab", "tokens of GitLab's AI gateway"),
  ...dialect("text-completion-codestral text-completion-inception", "filling in the middle, at a path of its own"),
  ...dialect("anthropic_text aleph_alpha palm petals baseten_legacy", "an API that its provider has retired"),
  ...dialect("predibase", "a path for each model"),
  ...dialect("nlp_cloud", "a path for each model"),
  ...dialect("triton", "KServe's `infer` and `generate`"),
  ...dialect("cloudflare-ai-gateway", "a path for each account and gateway, which `api_base` can name"),
  ...dialect("charity_engine", "jobs that are started and then asked for"),
  ...dialect("databricks_agent", "agents in Databricks' own form"),
  ...dialect("qvac", "a program that runs beside its client"),
  ...dialect("salad-cloud", "a package of its own"),
  ...dialect("scaledown", "prompts that it shortens"),
  ...dialect("custom", "a handler in Python"),
  ...dialect("typesafe strands_decider laya bespoke nace", "decisions on given answers"),
  ...dialect("deepgram elevenlabs soniox azure_speech aws_polly transcribe nvidia_riva", "speech in a form of its own"),
  ...dialect("black_forest_labs fal_ai stability topaz", "images in a form of its own"),
  ...dialect("runwayml", "videos in a form of its own"),
  ...dialect("reducto aws_textract azure_ai/doc-intelligence", "documents to read"),
  ...dialect(
    "a2a a2a_agent cursor langflow langgraph litellm_agent manus pydantic_ai_agents azure_ai/agents vertex_ai/agent_engine agentcore ragflow",
    "an agent in a form of its own"
  ),
  ...elsewhere("auto_router", "a router inside LiteLLM; groups, strategies and fallbacks here do its work"),
  ...elsewhere("milvus mongodb pg_vector s3_vectors valkey", "a store of vectors"),
  ...elsewhere("dotprompt humanloop langfuse", "a store of prompts"),
  ...elsewhere(
    "apiserpent bing_grounding brave dataforseo duckduckgo exa_ai firecrawl google_pse linkup nimble parallel_ai searxng serper tavily tinyfish you_com",
    "a search of the web"
  )
])
