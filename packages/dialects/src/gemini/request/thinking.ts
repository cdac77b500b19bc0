/**
 * How much a model thinks: a level for Gemini 3 and later, a budget of tokens for Gemini 2.5, nothing for those before.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { ReasoningSettings } from "../../conversation/Conversation.js"
import type { Account } from "../../conversation/Problem.js"
import { asBudget, asEffort, nearestEffort } from "../../parts/reasoningLevels.js"
import { given } from "../parts/spelling.js"

/** 2.5 for `gemini-2.5-flash`; undefined for a model whose name does not tell, which counts as one of the newest. */
export const generationOf = (model: string): number | undefined => {
  const at = model.indexOf("gemini-")
  if (at === -1) return model.includes("gemma-") ? 1 : undefined
  const number = Number.parseFloat(model.slice(at + 7))
  return Number.isNaN(number) ? undefined : number
}

/** Budgets that Gemini 2.5 takes, from the least to the most. Its Pro cannot be kept from thinking. */
const bounds = (model: string): { readonly least: number; readonly most: number; readonly off: number } => {
  if (model.includes("pro")) return { least: 128, most: 32_768, off: 128 }
  return { least: model.includes("lite") ? 512 : 1, most: 24_576, off: 0 }
}

const budgetFor = (model: string, reasoning: ReasoningSettings): number | undefined => {
  const { least, most, off } = bounds(model)
  const wanted = asBudget(reasoning)
  if (wanted === undefined) return reasoning.mode === undefined ? undefined : -1
  return wanted <= 0 ? off : Math.min(most, Math.max(least, wanted))
}

/** Gemini 3 Pro knows no `minimal`; nothing of that generation can be kept from thinking. */
const levelFor = (model: string, reasoning: ReasoningSettings): string | undefined => {
  const effort = asEffort(reasoning)
  if (effort === undefined) return undefined
  const known = model.includes("pro") ? ["low", "medium", "high"] : ["minimal", "low", "medium", "high"]
  return effort === "none" ? known[0] : (nearestEffort(effort, known) ?? effort)
}

/**
 * `thinkingConfig`. Thoughts are shown to whoever asked for thinking and did not say that they be left out.
 */
export const writeThinking = (
  reasoning: ReasoningSettings,
  model: string,
  account: Account
): JsonObject | undefined => {
  const { budget, effort, mode, summary } = reasoning
  const generation = generationOf(model)
  const isOff = mode === "off" || effort === "none" || (budget !== undefined && budget <= 0)
  if (generation !== undefined && generation < 2.5) {
    if (!isOff) account.lacks("advisory", "reasoning")
    return undefined
  }
  const isBudget = generation !== undefined && generation < 3
  const written = {
    ...(isBudget
      ? given("thinkingBudget", budgetFor(model, reasoning))
      : given("thinkingLevel", levelFor(model, reasoning)?.toUpperCase())),
    ...(isOff || summary === "omitted" ? {} : { includeThoughts: true })
  }
  return Object.keys(written).length === 0 ? undefined : written
}

/** The same for a request that came in Gemini's dialect: what was said, and nothing more. */
export const repeatThinking = ({ budget, effort, mode, summary }: ReasoningSettings): JsonObject => ({
  ...given("thinkingBudget", budget ?? (mode === "adaptive" ? -1 : mode === "off" ? 0 : undefined)),
  ...given("thinkingLevel", effort?.toUpperCase()),
  ...given("includeThoughts", summary === undefined ? undefined : summary !== "omitted")
})
