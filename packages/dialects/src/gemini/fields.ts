/**
 * What Gemini has and others have not, and the other way round, as data.
 */
import type { FieldClass } from "../conversation/Problem.js"
import type { Translator } from "../Translator.js"
import { snakeOf } from "./parts/spelling.js"

const classes: Readonly<Record<string, FieldClass>> = {
  cachedContent: "meaning",
  modelArmorConfig: "meaning",
  safetySettings: "advisory",
  labels: "advisory",
  store: "advisory",
  serviceTier: "advisory",
  "generationConfig.speechConfig": "meaning",
  "generationConfig.imageConfig": "meaning",
  "generationConfig.translationConfig": "meaning",
  "generationConfig.responseMimeType": "meaning",
  "generationConfig.responseSchema": "meaning",
  "generationConfig.responseJsonSchema": "meaning",
  "generationConfig.responseFormat": "meaning",
  "generationConfig.mediaResolution": "advisory",
  "generationConfig.audioTimestamp": "advisory",
  "generationConfig.enableAffectiveDialog": "advisory",
  "generationConfig.enableEnhancedCivicAnswers": "advisory",
  "generationConfig.routingConfig": "advisory",
  "generationConfig.modelSelectionConfig": "advisory",
  "toolConfig.retrievalConfig": "advisory",
  "toolConfig.includeServerSideToolInvocations": "advisory",
  "toolConfig.functionCallingConfig": "advisory"
}

/** Fields without a place in a conversation, in both spellings. */
export const fields: Readonly<Record<string, FieldClass>> = Object.fromEntries(
  Object.entries(classes).flatMap(([name, fieldClass]) => {
    const inner = name.slice(name.lastIndexOf(".") + 1)
    const snake = `${name.slice(0, name.length - inner.length)}${snakeOf(inner)}`
    return [
      [name, fieldClass],
      [snake, fieldClass]
    ]
  })
)

/** What Gemini cannot say. Whether calls may be parallel is the model's choice there. */
export const lacks: Translator["lacks"] = {
  parallelTools: "advisory",
  verbosity: "advisory",
  user: "advisory",
  cacheKey: "advisory",
  serviceTier: "advisory",
  metadata: "advisory"
}

/** Gemini's own names. */
export const names: Translator["names"] = {
  maxOutput: "generationConfig.maxOutputTokens",
  temperature: "generationConfig.temperature",
  topP: "generationConfig.topP",
  topK: "generationConfig.topK",
  stop: "generationConfig.stopSequences",
  seed: "generationConfig.seed",
  presencePenalty: "generationConfig.presencePenalty",
  frequencyPenalty: "generationConfig.frequencyPenalty",
  choices: "generationConfig.candidateCount",
  logprobs: "generationConfig.responseLogprobs",
  format: "generationConfig.responseMimeType",
  reasoning: "generationConfig.thinkingConfig",
  modalities: "generationConfig.responseModalities",
  tools: "tools",
  toolChoice: "toolConfig.functionCallingConfig"
}
