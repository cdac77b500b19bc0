import type { Draft } from "../draft.js"
import { type Given, isTree, isUnset, type Tree } from "../values.js"
import type { DeploymentDraft } from "./deploymentDraft.js"
import type { Params } from "./params.js"

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

const snakeOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What Google's models are told in OpenAI's words. */
const inOurs = words(`
  max_tokens max_completion_tokens temperature top_p top_k seed presence_penalty frequency_penalty n stop modalities
  reasoning_effort thinking response_format
`)

/** Fields of Google's own, which it knows in two spellings. */
const ownFields = words(`
  audioTimestamp cachedContent candidateCount enableAffectiveDialog enableEnhancedCivicAnswers frequencyPenalty
  generationConfig imageConfig labels logprobs maxOutputTokens mediaResolution modelArmorConfig modelSelectionConfig
  presencePenalty responseFormat responseJsonSchema responseLogprobs responseMimeType responseModalities responseSchema
  routingConfig safetySettings seed serviceTier speechConfig stopSequences store systemInstruction temperature
  thinkingConfig toolConfig tools topK topP translationConfig
`)

const known: ReadonlySet<string> = new Set([...inOurs, ...ownFields, ...ownFields.map(snakeOf)])

/** Models that chat; those that draw or embed are asked in other ways. */
const isChat = (model: unknown, mode: unknown): boolean =>
  typeof model === "string" &&
  /^(gemini|gemma)-(?!embedding)/.test(model) &&
  !model.includes("image") &&
  (isUnset(mode) || mode === "chat")

/** Whether a deployment is asked in Google's own dialect. */
const isAskedInGoogles = ({ protocol }: Tree): boolean => protocol === "gemini" || protocol === "vertex"

/**
 * A deployment's parameters without those for which Google has no field: it turns a request with one away, and LiteLLM leaves
 * them out. What `extra_body` holds is meant as it is.
 */
export const googleParams = (
  draft: Draft,
  { fields }: DeploymentDraft,
  params: Params,
  info: Given | undefined,
  defaults: Record<string, unknown>
): Record<string, unknown> => {
  const mode = isTree(info?.value) ? info.value.mode : undefined
  if (!isAskedInGoogles(fields) || !isChat(fields.model, mode)) return defaults
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(defaults)) {
    const given = known.has(name) ? undefined : params.get(name)
    if (given === undefined) kept[name] = value
    else draft.warn(given.path, "Google has no such field, so it is not sent, as in LiteLLM.")
  }
  return kept
}
