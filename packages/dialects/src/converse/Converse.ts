/**
 * Amazon Bedrock's Converse: asked in, never spoken to callers.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { FieldClass } from "../conversation/Problem.js"
import { wordNames } from "../parts/toolNames.js"
import { asStrings, isGiven } from "../parts/values.js"
import type { Feature, Target } from "../Translator.js"
import { eventReader } from "./eventReader.js"
import { readAnswer, readError, readFinish, readTokens } from "./readAnswer.js"
import { writeRequest } from "./writeRequest.js"

const lacks: { readonly [feature in Feature]?: FieldClass } = {
  seed: "advisory",
  presencePenalty: "meaning",
  frequencyPenalty: "meaning",
  choices: "meaning",
  logprobs: "meaning",
  parallelTools: "advisory",
  verbosity: "advisory",
  modalities: "meaning",
  user: "advisory",
  cacheKey: "advisory",
  serviceTier: "advisory",
  metadata: "advisory"
}

const inference: Readonly<Record<string, string>> = {
  max_tokens: "maxTokens",
  max_completion_tokens: "maxTokens",
  temperature: "temperature",
  top_p: "topP"
}

/** Default parameters in Converse's words: what it does not know goes to the model itself. */
const own: ReadonlySet<string> = new Set([
  "inferenceConfig",
  "toolConfig",
  "guardrailConfig",
  "additionalModelRequestFields",
  "additionalModelResponseFieldPaths",
  "promptVariables",
  "requestMetadata",
  "performanceConfig",
  "serviceTier",
  "outputConfig",
  "system"
])

const defaults = (given: JsonObject): JsonObject => {
  const config: Record<string, unknown> = {}
  const additional: Record<string, unknown> = {}
  const said: Record<string, unknown> = {}
  for (const name in given) {
    const value = given[name]
    if (!isGiven(value)) continue
    const renamed = Object.hasOwn(inference, name) ? inference[name] : undefined
    if (renamed !== undefined) config[renamed] = value
    else if (name === "stop") config.stopSequences = asStrings(value)
    else if (own.has(name)) said[name] = value
    else if (name === "top_k" || name === "thinking" || name === "reasoning_effort") additional[name] = value
  }
  const laid = (name: string, below: Record<string, unknown>): void => {
    if (Object.keys(below).length === 0) return
    const above = said[name]
    said[name] = { ...below, ...(typeof above === "object" && above !== null ? above : {}) }
  }
  laid("inferenceConfig", config)
  laid("additionalModelRequestFields", additional)
  return said
}

/** The dialect. */
export const converse: Target = {
  name: "converse",
  writeRequest,
  readAnswer,
  eventReader,
  readError,
  readTokens,
  readFinish,
  defaults,
  toolNames: wordNames,
  lacks
}
