/**
 * Where providers answer what is asked beside conversations.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { MediaOperation } from "@switchyard/core/LlmRequest"

/** Below a base URL, at OpenAI and those like it; reranking as Jina, Voyage, Together and vLLM have it. */
export const mediaPaths: Readonly<Record<MediaOperation, string>> = {
  rerank: "/rerank",
  moderation: "/moderations",
  image: "/images/generations",
  imageEdit: "/images/edits",
  imageVariation: "/images/variations",
  speech: "/audio/speech",
  transcription: "/audio/transcriptions",
  translation: "/audio/translations"
}

/** Whether a model ranks, by its name. */
export const isRanker = (model: string): boolean => /rerank/i.test(model)

/** Where NVIDIA serves models that rank, each at a path of its own; its other models are elsewhere. */
const nvidia = "https://ai.api.nvidia.com"

/** Where a deployment whose model ranks is asked at a host of its own; undefined for all others. */
export const rankerOrigin = ({ model, provider }: Deployment, host: string): string | undefined =>
  provider === "nvidia_nim" && host === "integrate.api.nvidia.com" && isRanker(model) ? nvidia : undefined

/** Where a ranking is asked for below a base, where it is not where it usually is. */
export const rankingPath = (provider: string, base: string, origin: string, model: string): string => {
  switch (provider) {
    case "nvidia_nim":
      return origin === nvidia ? `/v1/retrieval/${model}/reranking` : `${base}/ranking`
    case "huggingface":
    case "tei":
      return `${base.replace(/\/(?:v1|rerank)$/, "")}/rerank`
    default:
      return `${base}${mediaPaths.rerank}`
  }
}
