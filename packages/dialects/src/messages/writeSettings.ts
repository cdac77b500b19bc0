import type { JsonObject } from "@switchyard/core/Json"
import type { ReasoningSettings, Settings } from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import { asBudget, asEffort, effortOf, nearestEffort } from "../parts/reasoningLevels.js"
import type { Feature } from "../Translator.js"
import type { Abilities } from "./models.js"
import { closed } from "./schemas.js"

/** A body while it is written. */
export type Body = Record<string, unknown>

/** What decides over the settings besides themselves. */
export interface Circumstances {
  readonly account: Account
  readonly abilities: Abilities
  /** The caller's name of a feature. */
  readonly nameOf: (feature: Feature) => string
  /** The bound that is written. */
  readonly maxTokens: number
  /** Why the model may not think: the turns' signatures are another's (`state`), or a tool is forced (`advisory`). */
  readonly barred: "state" | "advisory" | undefined
}

/** The least that a model can be told to think with. */
const leastBudget = 1_024
/** What is left for the answer, of a bound that thoughts are counted in. */
const leastAnswer = 1_024

const modes = { on: "enabled", off: "disabled", adaptive: "adaptive" } as const

/** Reasoning as Anthropic's own caller said it. */
const ownThinking = (body: Body, { budget, effort, mode, summary }: ReasoningSettings): void => {
  if (mode !== undefined) {
    body.thinking = {
      type: modes[mode],
      ...(budget === undefined ? {} : { budget_tokens: budget }),
      ...(summary === undefined ? {} : { display: summary })
    }
  }
  if (effort !== undefined) body.output_config = { effort }
}

/** Settings of Anthropic's own callers, as they came. */
export const ownSettings = (body: Body, settings: Settings): void => {
  const { format, reasoning, serviceTier, stop, temperature, topK, topP, user } = settings
  if (temperature !== undefined) body.temperature = temperature
  if (topP !== undefined) body.top_p = topP
  if (topK !== undefined) body.top_k = topK
  if (stop !== undefined) body.stop_sequences = stop
  if (reasoning !== undefined) ownThinking(body, reasoning)
  if (format?.type === "schema") {
    body.output_config = {
      ...(body.output_config as JsonObject),
      format: { type: "json_schema", schema: format.schema }
    }
  }
  if (user !== undefined) body.metadata = { user_id: user }
  if (serviceTier !== undefined) body.service_tier = serviceTier === "default" ? "standard_only" : serviceTier
}

const isShown = (summary: string | undefined): boolean => summary !== "omitted" && summary !== "none"

const thinking = (body: Body, reasoning: ReasoningSettings, around: Circumstances): void => {
  const { abilities, account, barred, maxTokens, nameOf } = around
  const effort = asEffort(reasoning)
  if (effort === "none") return
  if (effort === undefined && reasoning.mode !== "adaptive") return
  if (barred !== undefined) return account.drop(nameOf("reasoning"), barred)
  if (abilities.thinking === "none") return account.drop(nameOf("reasoning"), "advisory")
  if (abilities.thinking === "adaptive") {
    const word = effort ?? (reasoning.budget === undefined ? undefined : effortOf(reasoning.budget))
    const nearest = word === undefined ? undefined : nearestEffort(word, abilities.efforts)
    body.thinking =
      abilities.hidesThoughts && isShown(reasoning.summary)
        ? { type: "adaptive", display: "summarized" }
        : { type: "adaptive" }
    if (nearest !== undefined) body.output_config = { effort: nearest }
    return
  }
  const room = maxTokens - leastAnswer
  if (maxTokens <= leastBudget) return account.drop(nameOf("reasoning"), "advisory")
  const wanted = asBudget(reasoning) ?? asBudget({ effort: effort ?? "medium" }) ?? leastBudget
  const budget = Math.max(leastBudget, Math.min(wanted < 0 ? leastBudget : wanted, room))
  body.thinking = { type: "enabled", budget_tokens: budget }
}

const samplers = (body: Body, { temperature, topK, topP }: Settings, around: Circumstances): void => {
  const { abilities, account, nameOf } = around
  const thinks = body.thinking !== undefined
  const isAsked = (value: number | undefined): value is number => value !== undefined && value !== 1
  if (abilities.samplers === "none" || thinks) {
    if (isAsked(temperature)) account.drop(nameOf("temperature"), "advisory")
    if (isAsked(topP)) account.drop(nameOf("topP"), "advisory")
    if (topK !== undefined) account.drop(nameOf("topK"), "advisory")
    return
  }
  if (temperature !== undefined) {
    // Others go up to 2, and Anthropic refuses more than 1.
    body.temperature = Math.min(1, temperature)
    if (temperature > 1) account.drop(nameOf("temperature"), "advisory")
  }
  if (topK !== undefined) body.top_k = topK
  if (topP === undefined) return
  if (abilities.samplers === "all" || temperature === undefined) body.top_p = topP
  else if (isAsked(topP)) account.drop(nameOf("topP"), "advisory")
}

/** The longest `user_id` that Anthropic takes. */
const longestUser = 256

const tiers: ReadonlyMap<string, string> = new Map([
  ["auto", "auto"],
  ["priority", "auto"],
  ["default", "standard_only"]
])

const advisory = (body: Body, { serviceTier, user }: Settings, { account, nameOf }: Circumstances): void => {
  if (user !== undefined && user !== "") {
    if (user.length <= longestUser) body.metadata = { user_id: user }
    else account.drop(nameOf("user"), "advisory")
  }
  if (serviceTier === undefined) return
  const tier = tiers.get(serviceTier)
  if (tier === undefined) account.drop(nameOf("serviceTier"), "advisory")
  else body.service_tier = tier
}

/** The settings of a caller of another dialect; gives the instruction that stands in for a form that the model cannot be held to. */
export const foreignSettings = (body: Body, settings: Settings, around: Circumstances): string | undefined => {
  const { abilities, account, nameOf } = around
  const { format, reasoning, stop } = settings
  // Anthropic refuses sequences of white space alone; others stop at them.
  const stops = stop?.filter((one) => one.trim() !== "") ?? []
  if (stops.length > 0) body.stop_sequences = stops
  if (stop !== undefined && stops.length < stop.length)
    account.lacks("meaning", nameOf("stop"), "a stop sequence needs more than white space")
  if (reasoning !== undefined) thinking(body, reasoning, around)
  samplers(body, settings, around)
  advisory(body, settings, around)
  if (format === undefined || format.type === "text") return undefined
  if (format.type === "schema" && abilities.isStructured) {
    const schema = { type: "json_schema", schema: closed(format.schema) }
    body.output_config = { ...(body.output_config as JsonObject | undefined), format: schema }
    return undefined
  }
  account.drop(nameOf("format"), "advisory")
  return format.type === "json"
    ? "Answer with one JSON object, and with nothing before or after it."
    : `Answer with one JSON object that fits this JSON schema, and with nothing before or after it: ${JSON.stringify(format.schema)}`
}
