import type { MediaOperation, Operation } from "@switchyard/core/Operation"
import { hasOperation } from "@switchyard/core/Serving"

/** Providers that serve the models of another. */
const familyOf: Readonly<Record<string, string>> = { azure: "openai", azure_ai: "openai", custom_openai: "openai" }

/** What a deployment is for, in words of people, and which of our operations that is; none where no endpoint here does it. */
interface Purpose {
  readonly name: string
  readonly operations: ReadonlyArray<MediaOperation>
}

const hearing: Purpose = { name: "audio transcription", operations: ["transcription", "translation"] }
const speaking: Purpose = { name: "speech", operations: ["speech"] }
const drawing: Purpose = { name: "image generation", operations: ["image", "imageEdit", "imageVariation"] }
const ranking: Purpose = { name: "reranking", operations: ["rerank"] }
const moderating: Purpose = { name: "moderation", operations: ["moderation"] }

/** Beside conversations, by LiteLLM's `mode`. */
const servedPurposes: Readonly<Record<string, Purpose>> = {
  audio_transcription: hearing,
  audio_speech: speaking,
  image_edit: { name: "image editing", operations: ["imageEdit", "imageVariation"] },
  image_generation: drawing,
  moderation: moderating,
  moderations: moderating,
  rerank: ranking
}

/** Operations that no endpoint here does, by LiteLLM's `mode`. */
const unservedModes: Readonly<Record<string, string>> = {
  ocr: "document reading",
  realtime: "realtime sessions",
  search: "search",
  vector_store: "vector stores",
  video_generation: "video generation"
}

/** Modes that say that a deployment is asked at an endpoint of ours, whatever its model is called. */
const servedModes: ReadonlySet<string> = new Set(["chat", "completion", "embedding"])

const without = (name: string): Purpose => ({ name, operations: [] })

/** The same by the names of models, without provider and publisher; only names that can mean nothing else. */
const namedPurposes: ReadonlyArray<readonly [purpose: Purpose, pattern: RegExp]> = [
  [hearing, /(^|-)whisper(-|$)|(^|-)transcribe(-|$)|^scribe[_-]v|^fireworks-asr/],
  [speaking, /^tts(-|$)|-tts(-|$)|^speech-\d/],
  [drawing, /^dall-?e(-|$)|^(chat)?gpt-image(-|$)|^imagen(-|$)|^flux([.-]?\d|-(dev|kontext|pro|schnell))/],
  [drawing, /^stable-(diffusion|image)|^sd(xl|3)(-|$)|^recraft|^grok(-\d)?-(imagine-)?image|(^|-)image-generat/],
  [drawing, /(^|\.)(nova-canvas|titan-image-generator|stability)/],
  [without("video generation"), /nova-reel|^sora-\d|^veo-\d|^grok-imagine-video|-[it]2v$/],
  [ranking, /(^|[-.])re-?rank(er)?([-.]|qa|$)/],
  [
    without("realtime sessions"),
    /nova-(2-)?sonic|^gpt-.*realtime(-|$)|^gpt-realtime|^gpt-live|^gemini-live|-live-preview/
  ],
  [moderating, /^(omni|text|mistral)-moderation/],
  [without("document reading"), /^mistral-(ocr|document-ai)/]
]

const lastPart = (name: string): string => name.slice(name.lastIndexOf("/") + 1).toLowerCase()

const purposeOf = (mode: unknown, names: ReadonlyArray<string>): Purpose | undefined => {
  if (typeof mode === "string") {
    if (Object.hasOwn(servedPurposes, mode)) return servedPurposes[mode]
    const lacking = Object.hasOwn(unservedModes, mode) ? unservedModes[mode] : undefined
    if (lacking !== undefined) return without(lacking)
    if (servedModes.has(mode) || mode === "responses") return undefined
  }
  const plain = names.map(lastPart)
  return namedPurposes.find(([, pattern]) => plain.some((name) => pattern.test(name)))?.[0]
}

/** What a deployment is for, where no endpoint here does that in its provider's protocol: by its mode, else by its model's name. */
export const unservedOperation = (
  mode: unknown,
  names: ReadonlyArray<string>,
  protocol: string
): string | undefined => {
  const purpose = purposeOf(mode, names)
  if (purpose === undefined) return undefined
  const { name, operations } = purpose
  if (operations.some((operation) => hasOperation(protocol, operation))) return undefined
  return operations.length === 0 ? name : `${name} in the protocol ${protocol}`
}

/** Which operations a deployment is for, beside conversations; undefined where it is for those. */
export const mediaOperations = (mode: unknown, names: ReadonlyArray<string>): ReadonlyArray<Operation> | undefined => {
  const operations = purposeOf(mode, names)?.operations
  return operations === undefined || operations.length === 0 ? undefined : operations
}

/** Providers whose models are asked to go on with a text, never to chat. */
const completing: ReadonlySet<string> = new Set(["azure_text", "sagemaker", "text-completion-openai"])

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
