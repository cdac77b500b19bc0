// What providers are called: LiteLLM's name where it has one, and the names that others give them.

/** Names of models.dev, and of other lists made of it, for what goes by another name here. */
export const called = {
  "abliteration-ai": "abliteration",
  aimlapi: "aiml",
  "amazon-bedrock": "bedrock",
  "azure-cognitive-services": "azure",
  "azure-openai-responses": "azure",
  "cloudflare-workers-ai": "cloudflare",
  digitalocean: "gradient_ai",
  "fireworks-ai": "fireworks_ai",
  fireworks: "fireworks_ai",
  friendli: "friendliai",
  "github-copilot": "github_copilot",
  "github-models": "github",
  gmicloud: "gmi",
  google: "gemini",
  "google-vertex": "vertex_ai",
  "google-vertex-anthropic": "vertex_ai",
  lmstudio: "lm_studio",
  llama: "meta_llama",
  moonshotai: "moonshot",
  nanogpt: "nano-gpt",
  nova: "amazon_nova",
  "novita-ai": "novita",
  nvidia: "nvidia_nim",
  "sap-ai-core": "sap",
  "snowflake-cortex": "snowflake",
  togetherai: "together_ai",
  together: "together_ai",
  vercel: "vercel_ai_gateway",
  "vercel-ai-gateway": "vercel_ai_gateway",
  veniceai: "venice",
  xiaomi: "xiaomi_mimo",
  "openai-codex": "chatgpt"
}

/** LiteLLM's names for one provider's other dialects, whose models are the same. */
const alike = {
  ai21_chat: "ai21",
  aiohttp_openai: "openai",
  anthropic_text: "anthropic",
  azure_text: "azure",
  bedrock_converse: "bedrock",
  cohere_chat: "cohere",
  custom_openai: "openai",
  "fireworks_ai-embedding-models": "fireworks_ai",
  ollama_chat: "ollama",
  "text-completion-openai": "openai",
  vertex_ai_beta: "vertex_ai"
}

/** The name under which a provider's models are kept. */
export const keptAs = (/** @type {string} */ name) => {
  const plain = name.startsWith("vertex_ai-") ? "vertex_ai" : (alike[name] ?? called[name] ?? name)
  return plain
}

/** What the list of prices calls the provider. */
export const pricedAs = {
  azure: "azure",
  azure_ai: "azure",
  bedrock: "aws",
  codestral: "mistral",
  fireworks_ai: "fireworks",
  gemini: "google",
  github_copilot: "github-copilot",
  moonshot: "moonshotai",
  together_ai: "together",
  vertex_ai: "google",
  voyage: "voyageai",
  xai: "x-ai"
}
