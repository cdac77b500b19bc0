/**
 * Cohere's second chat API: asked in, never spoken to callers.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { FieldClass } from "../conversation/Problem.js"
import { budgetOf } from "../parts/reasoningLevels.js"
import { wordNames } from "../parts/toolNames.js"
import { asStrings, isGiven } from "../parts/values.js"
import type { Feature, Target } from "../Translator.js"
import { eventReader, readAnswer, readError, readFinish, readTokens } from "./readAnswer.js"
import { writeRequest } from "./writeRequest.js"

const lacks: { readonly [feature in Feature]?: FieldClass } = {
  choices: "meaning",
  parallelTools: "advisory",
  verbosity: "advisory",
  modalities: "meaning",
  user: "advisory",
  cacheKey: "advisory",
  serviceTier: "advisory",
  metadata: "advisory"
}

const renamed: Readonly<Record<string, string>> = { max_completion_tokens: "max_tokens", top_p: "p", top_k: "k" }
const unsaid: ReadonlySet<string> = new Set(["stream_options", "n", "user", "metadata", "service_tier", "store"])

/** Default parameters in Cohere's words. */
const defaults = (given: JsonObject): JsonObject => {
  const said: Record<string, unknown> = {}
  for (const name in given) {
    const value = given[name]
    if (!isGiven(value) || unsaid.has(name)) continue
    if (name === "stop") said.stop_sequences = asStrings(value)
    else if (name === "reasoning_effort") {
      const budget = typeof value === "string" ? budgetOf(value) : undefined
      if (budget !== undefined) {
        said.thinking = budget === 0 ? { type: "disabled" } : { type: "enabled", token_budget: budget }
      }
    } else said[Object.hasOwn(renamed, name) ? (renamed[name] ?? name) : name] = value
  }
  return said
}

/** The dialect. */
export const cohere: Target = {
  name: "cohere",
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
