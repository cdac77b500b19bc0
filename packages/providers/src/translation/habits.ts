/**
 * What single providers want of a translated request that others who speak the same dialect do not.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { WriteOptions } from "@switchyard/dialects/Translator"

/** Those who refuse ids of calls which are no nine letters and digits. */
const shortIds: ReadonlySet<string> = new Set(["mistral", "codestral"])

/**
 * Those whose thinking models want their thoughts (`reasoning_content`) back beside the calls of tools: without them DeepSeek
 * refuses the request, and the others think worse.
 */
const keepers: ReadonlySet<string> = new Set(["deepseek", "moonshot", "zai", "xiaomi_mimo"])

/** Cohere's models that do not think refuse thoughts. */
const keepsReasoning = (provider: string, model: string): boolean =>
  keepers.has(provider) || (provider === "cohere" && model.includes("reasoning"))

/** Those whose chats have marks of the cache, which are the only way to a cache of their Claude and Qwen models. */
const marksCaches: ReadonlySet<string> = new Set(["openrouter", "litellm_proxy", "dashscope"])

/** What a request to a deployment's model is written with. */
export const habitsOf = (
  { provider }: Pick<Deployment, "provider">,
  model: string
): Pick<WriteOptions, "hasShortIds" | "keepsCacheMarks" | "keepsReasoning"> => ({
  hasShortIds: shortIds.has(provider),
  keepsCacheMarks: marksCaches.has(provider),
  keepsReasoning: keepsReasoning(provider, model)
})
