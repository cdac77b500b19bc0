/**
 * Where providers answer what is asked beside conversations.
 */
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
