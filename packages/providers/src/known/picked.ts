import type { Picked } from "./provider.js"

type Details = Partial<Omit<Picked, "name" | "baseUrl">>

/** How variables that belong to a provider begin. */
export const upper = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]+/g, "_")

const provider = (name: string, baseUrl: string | undefined, details: Details = {}): Picked => ({
  name,
  baseUrl,
  keyVariables: details.keyVariables ?? [`${upper(name)}_API_KEY`],
  baseVariables: details.baseVariables ?? [`${upper(name)}_API_BASE`],
  basePath: details.basePath,
  modelPrefix: details.modelPrefix,
  protocol: details.protocol ?? "openai",
  compatibleUrl: details.compatibleUrl,
  batchDiscount: details.batchDiscount
})

/** As their price lists say of batches. */
const half = 0.5

const openAi: Details = {
  keyVariables: ["OPENAI_API_KEY"],
  baseVariables: ["OPENAI_BASE_URL", "OPENAI_API_BASE"],
  batchDiscount: half
}
const ollama: Details = {
  keyVariables: ["OLLAMA_API_KEY"],
  baseVariables: ["OLLAMA_API_BASE"],
  protocol: "ollama",
  compatibleUrl: "http://localhost:11434/v1"
}
const cohere: Details = { protocol: "cohere", compatibleUrl: "https://api.cohere.ai/compatibility/v1" }
const bedrock: Details = {
  keyVariables: ["AWS_BEARER_TOKEN_BEDROCK"],
  baseVariables: ["AWS_BEDROCK_RUNTIME_ENDPOINT"],
  protocol: "bedrock"
}
const sagemaker: Details = { keyVariables: [], baseVariables: [], protocol: "sagemaker" }
const watsonx: Details = {
  keyVariables: ["WATSONX_APIKEY", "WATSONX_API_KEY", "WX_API_KEY", "WATSONX_AI_APIKEY"],
  baseVariables: ["WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"],
  protocol: "watsonx"
}
const vertex: Details = {
  keyVariables: [],
  baseVariables: ["VERTEXAI_API_BASE", "VERTEX_API_BASE"],
  protocol: "vertex"
}

const named = (name: string, baseUrl: string, ...keyVariables: ReadonlyArray<string>): Picked =>
  provider(name, baseUrl, keyVariables.length === 0 ? {} : { keyVariables })

/** Those with nothing special about them. */
const more: ReadonlyArray<Picked> = [
  named("ai21", "https://api.ai21.com/studio/v1"),
  named("aiml", "https://api.aimlapi.com/v1"),
  named("amazon_nova", "https://api.nova.amazon.com/v1"),
  named("apertis", "https://api.stima.tech/v1", "STIMA_API_KEY"),
  named("assemblyai", "https://llm-gateway.assemblyai.com/v1"),
  named("chutes", "https://llm.chutes.ai/v1"),
  named("clarifai", "https://api.clarifai.com/v2/ext/openai/v1", "CLARIFAI_API_KEY", "CLARIFAI_PAT"),
  named("cognition", "https://api.cognition.ai/v1"),
  named("cometapi", "https://api.cometapi.com/v1", "COMETAPI_KEY"),
  named("compactifai", "https://api.compactif.ai/v1"),
  named("coralbricks", "https://inference.coralbricks.ai/v1"),
  named("cortecs", "https://api.cortecs.ai/v1"),
  named("darkbloom", "https://api.darkbloom.dev/v1"),
  named("edenai", "https://api.edenai.run/v3"),
  named("empower", "https://app.empower.dev/api/v1"),
  named("galadriel", "https://api.galadriel.com/v1"),
  named("gradient_ai", "https://inference.do-ai.run/v1"),
  named("helicone", "https://ai-gateway.helicone.ai"),
  named("inception", "https://api.inceptionlabs.ai/v1"),
  named("inferenceapis", "https://api.inferenceapis.com/v1"),
  named("libertai", "https://api.libertai.io/v1"),
  named("maritalk", "https://chat.maritaca.ai/api"),
  named("meta", "https://api.meta.ai/v1"),
  named("modelscope", "https://api-inference.modelscope.cn/v1"),
  named("morph", "https://api.morphllm.com/v1"),
  named("nadir", "https://api.getnadir.com/v1"),
  named("nano-gpt", "https://nano-gpt.com/api/v1", "NANOGPT_API_KEY"),
  named("neosantara", "https://api.neosantara.xyz/v1"),
  named("ovhcloud", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1"),
  named("parasail", "https://api.parasail.io/v1"),
  named("pinstripes", "https://pinstripes.io/v1"),
  named("poe", "https://api.poe.com/v1"),
  named("prism", "https://api.prisminference.com/v1"),
  named("publicai", "https://api.publicai.co/v1"),
  named("qwen_ai_platform", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
  named("qwencloud", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
  named("reka", "https://api.reka.ai/v1"),
  named("sail", "https://api.sailresearch.com/v1"),
  named("scaleway", "https://api.scaleway.ai/v1", "SCW_SECRET_KEY"),
  named("scx-ai", "https://api.scx.ai/v1", "SCX_API_KEY"),
  named("synthetic", "https://api.synthetic.new/openai/v1"),
  named("tencent", "https://tokenhub-intl.tencentcloudmaas.com/v1"),
  named("tensormesh", "https://serverless.tensormesh.ai/v1", "TENSORMESH_INFERENCE_API_KEY"),
  named("v0", "https://api.v0.dev/v1"),
  named("wandb", "https://api.inference.wandb.ai/v1"),
  named("xiaomi_mimo", "https://api.xiaomimimo.com/v1"),
  provider("aiohttp_openai", undefined, { ...openAi, batchDiscount: undefined }),
  provider("bedrock_mantle", undefined, { keyVariables: ["AWS_BEARER_TOKEN_BEDROCK"] }),
  provider("docker_model_runner", "http://localhost:22088/engines/llama.cpp/v1", { keyVariables: [] }),
  provider("heroku", undefined, { keyVariables: ["HEROKU_API_KEY", "INFERENCE_KEY"], basePath: "/v1" }),
  provider("infinity", undefined, { keyVariables: [] }),
  provider("tei", undefined, { keyVariables: [] }),
  provider("lemonade", "http://localhost:8000/api/v1", { keyVariables: [] }),
  provider("oobabooga", undefined, { keyVariables: [], basePath: "/v1" })
]

const azure: Details = {
  keyVariables: ["AZURE_API_KEY"],
  baseVariables: ["AZURE_API_BASE"],
  protocol: "azure",
  batchDiscount: half
}

/** Those whose fields somebody has checked; they beat what the lists say. */
export const picked: ReadonlyArray<Picked> = [
  provider("openai", "https://api.openai.com/v1", openAi),
  provider("text-completion-openai", "https://api.openai.com/v1", openAi),
  provider("custom_openai", undefined, { ...openAi, batchDiscount: undefined }),
  provider("bytez", undefined, { keyVariables: ["BYTEZ_API_KEY", "BYTEZ_KEY"] }),
  provider("snowflake", "https://{SNOWFLAKE_ACCOUNT_ID}.snowflakecomputing.com", {
    keyVariables: ["SNOWFLAKE_JWT", "SNOWFLAKE_API_KEY"],
    protocol: "snowflake"
  }),
  // By a key of its service for models in OpenAI's words; by an account's signature in its own.
  provider("oci", "https://inference.generativeai.{OCI_REGION}.oci.oraclecloud.com/openai/v1", {
    keyVariables: ["OCI_GENAI_API_KEY"],
    basePath: "/openai/v1"
  }),
  provider("azure", undefined, azure),
  provider("azure_text", undefined, azure),
  provider("azure_ai", undefined, {
    keyVariables: ["AZURE_AI_API_KEY"],
    baseVariables: ["AZURE_AI_API_BASE"],
    protocol: "azure"
  }),
  provider("openai_like", undefined),
  provider("litellm_proxy", undefined),
  provider("anthropic", "https://api.anthropic.com", {
    baseVariables: ["ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"],
    protocol: "anthropic",
    compatibleUrl: "https://api.anthropic.com/v1"
  }),
  provider("gemini", "https://generativelanguage.googleapis.com/v1beta", {
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    protocol: "gemini",
    compatibleUrl: "https://generativelanguage.googleapis.com/v1beta/openai"
  }),
  provider("cohere", "https://api.cohere.com", cohere),
  provider("cohere_chat", "https://api.cohere.com", { ...cohere, keyVariables: ["COHERE_API_KEY"] }),
  provider("ollama", "http://localhost:11434", ollama),
  provider("ollama_chat", "http://localhost:11434", ollama),
  provider("bedrock", undefined, bedrock),
  provider("bedrock_converse", undefined, bedrock),
  provider("sagemaker", undefined, sagemaker),
  provider("sagemaker_chat", undefined, sagemaker),
  provider("sagemaker_nova", undefined, sagemaker),
  provider("watsonx", undefined, watsonx),
  provider("vertex_ai", undefined, vertex),
  provider("vertex_ai_beta", undefined, vertex),
  provider("groq", "https://api.groq.com/openai/v1", { batchDiscount: half }),
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
  provider("dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
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
    keyVariables: ["HF_TOKEN", "HUGGINGFACE_API_KEY"],
    baseVariables: ["HF_API_BASE", "HUGGINGFACE_API_BASE"]
  }),
  provider("voyage", "https://api.voyageai.com/v1"),
  provider("jina_ai", "https://api.jina.ai/v1"),
  ...more,
  provider("databricks", undefined),
  provider("hosted_vllm", undefined, { keyVariables: [] }),
  provider("vllm", undefined, { keyVariables: [] }),
  provider("xinference", "http://127.0.0.1:9997/v1", { keyVariables: [] }),
  provider("lm_studio", "http://localhost:1234/v1", { keyVariables: [] }),
  provider("llamafile", "http://127.0.0.1:8080/v1", { keyVariables: [] })
]
