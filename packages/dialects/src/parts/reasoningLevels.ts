/**
 * How much a model thinks, in the two ways that dialects say it: a word, or a budget of tokens.
 */
import type { ReasoningSettings } from "../conversation/Conversation.js"

/** A word, the budget that it stands for, and the largest budget that is told by it. */
export interface ReasoningLevel {
  readonly effort: string
  readonly budget: number
  readonly upTo: number
}

/** From the least to the most; budgets are such that each is a legal one for Anthropic (1,024 at least) and Gemini. */
export const reasoningLevels: ReadonlyArray<ReasoningLevel> = [
  { effort: "none", budget: 0, upTo: 0 },
  { effort: "minimal", budget: 1_024, upTo: 1_024 },
  { effort: "low", budget: 2_048, upTo: 4_096 },
  { effort: "medium", budget: 8_192, upTo: 16_384 },
  { effort: "high", budget: 24_576, upTo: 28_672 },
  { effort: "xhigh", budget: 32_768, upTo: 48_000 },
  { effort: "max", budget: 63_999, upTo: Number.POSITIVE_INFINITY }
]

/** The budget that a word stands for; undefined for words that stand for none. */
export const budgetOf = (effort: string): number | undefined =>
  reasoningLevels.find((level) => level.effort === effort)?.budget

/** The word for a budget. A budget below zero is the model's own choice: `medium`. */
export const effortOf = (budget: number): string =>
  budget < 0 ? "medium" : (reasoningLevels.find((level) => budget <= level.upTo)?.effort ?? "max")

/** The nearest word to one that a dialect does not have; the words that it has are given from the least to the most. */
export const nearestEffort = (effort: string, known: ReadonlyArray<string>): string | undefined => {
  if (known.includes(effort)) return effort
  const rank = (word: string): number => reasoningLevels.findIndex((level) => level.effort === word)
  const at = rank(effort)
  if (at === -1) return undefined
  let best: string | undefined
  for (const word of known) {
    // Thinking that is asked for is not switched off by rounding.
    if (word === "none" && effort !== "none") continue
    if (best === undefined || Math.abs(rank(word) - at) < Math.abs(rank(best) - at)) best = word
  }
  return best
}

/** What settings ask for as a word; undefined where they leave it to the model. */
export const asEffort = ({ budget, effort, mode }: ReasoningSettings): string | undefined => {
  if (effort !== undefined) return effort
  if (mode === "off") return "none"
  if (budget !== undefined) return effortOf(budget)
  return mode === "on" ? "medium" : undefined
}

/** What settings ask for as a budget; undefined where they leave it to the model. 0 is no thinking at all. */
export const asBudget = ({ budget, effort, mode }: ReasoningSettings): number | undefined => {
  if (mode === "off") return 0
  if (budget !== undefined) return budget
  return effort === undefined ? undefined : budgetOf(effort)
}
