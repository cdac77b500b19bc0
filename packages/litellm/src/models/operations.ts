/** Providers that serve the models of another. */
const familyOf: Readonly<Record<string, string>> = { azure: "openai", azure_ai: "openai", custom_openai: "openai" }

/** Operations that no endpoint here does, by LiteLLM's `mode`. */
const unservedModes: Readonly<Record<string, string>> = {
  audio_transcription: "audio transcription",
  audio_speech: "speech",
  batch: "batches",
  image_edit: "image editing",
  image_generation: "image generation",
  moderation: "moderation",
  moderations: "moderation",
  ocr: "document reading",
  realtime: "realtime sessions",
  rerank: "reranking",
  search: "search",
  vector_store: "vector stores",
  video_generation: "video generation"
}

/** Modes that say that a deployment is asked at an endpoint of ours, whatever its model is called. */
const servedModes: ReadonlySet<string> = new Set(["chat", "completion", "embedding"])

/** The same by the names of models, without provider and publisher; only names that can mean nothing else. */
const unservedNames: ReadonlyArray<readonly [operation: string, pattern: RegExp]> = [
  ["audio transcription", /(^|-)whisper(-|$)|(^|-)transcribe(-|$)|^scribe[_-]v|^fireworks-asr/],
  ["speech", /^tts(-|$)|-tts(-|$)|^speech-\d/],
  ["image generation", /^dall-?e(-|$)|^(chat)?gpt-image(-|$)|^imagen(-|$)|^flux([.-]?\d|-(dev|kontext|pro|schnell))/],
  [
    "image generation",
    /^stable-(diffusion|image)|^sd(xl|3)(-|$)|^recraft|^grok(-\d)?-(imagine-)?image|(^|-)image-generat/
  ],
  ["video generation", /^sora-\d|^veo-\d|^grok-imagine-video|-[it]2v$/],
  ["reranking", /(^|[-.])re-?rank(er)?([-.]|qa|$)/],
  ["realtime sessions", /^gpt-.*realtime(-|$)|^gpt-realtime|^gpt-live|^gemini-live|-live-preview/],
  ["moderation", /^(omni|text|mistral)-moderation/],
  ["document reading", /^mistral-(ocr|document-ai)/]
]

const lastPart = (name: string): string => name.slice(name.lastIndexOf("/") + 1).toLowerCase()

/** What a deployment is for, where no endpoint here does that: by its mode, else by what its model is called. */
export const unservedOperation = (mode: unknown, names: ReadonlyArray<string>): string | undefined => {
  const said = typeof mode === "string" && Object.hasOwn(unservedModes, mode) ? unservedModes[mode] : undefined
  if (said !== undefined || (typeof mode === "string" && (servedModes.has(mode) || mode === "responses"))) return said
  const plain = names.map(lastPart)
  return unservedNames.find(([, pattern]) => plain.some((name) => pattern.test(name)))?.[0]
}

/** Providers whose models are asked to go on with a text, never to chat. */
const completing: ReadonlySet<string> = new Set(["azure_text", "text-completion-openai"])

const completingModels = /^(ft:)?(gpt-3\.?5-turbo-instruct|davinci-002|babbage-002)/

/** Whether a deployment is asked for completions of texts alone, by its provider, or by its model at OpenAI and Azure. */
export const isCompletionOnly = (provider: string, model: string): boolean =>
  completing.has(provider) || ((familyOf[provider] ?? provider) === "openai" && completingModels.test(model))

/** Models that only the Responses API serves, by provider, without publisher: families, as they are called. */
const responsesOnly: Readonly<Record<string, RegExp>> = {
  openai: /^(gpt-[\d.]+-(codex|pro)(-|$)|codex-mini|o\d-pro(-|$)|o\d(-mini)?-deep-research|computer-use-preview)/,
  databricks: /^databricks-gpt-[\d-]+-(codex|pro)$/,
  perplexity: /^preset\/|^(anthropic|google|openai|perplexity|xai)\//,
  xai: /-multi-agent(-|$)/
}

/** Whether a deployment is asked at the Responses API alone: by its model's prefix, by its mode, or by its model. */
export const isResponsesOnly = (
  mode: unknown,
  provider: string,
  model: string,
  baseModels: ReadonlyArray<string>
): boolean => {
  if (/^responses\//.test(model) || mode === "responses") return true
  const pattern = responsesOnly[familyOf[provider] ?? provider]
  if (pattern === undefined || (typeof mode === "string" && servedModes.has(mode))) return false
  const part = provider === "perplexity" ? (name: string) => name : lastPart
  return [model, ...baseModels].some((name) => pattern.test(part(name)))
}
