/**
 * The fields of a request that a response repeats.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Conversation, Turn } from "../../conversation/Conversation.js"
import { asEffort } from "../../parts/reasoningLevels.js"
import { objectOf } from "../../parts/values.js"
import type { AnswerOptions } from "../../Translator.js"
import { formatOf } from "../request/writeRequest.js"
import { writeToolChoice, writeTools } from "../request/writeTools.js"

const instructionsOf = (turns: ReadonlyArray<Turn>): string | null => {
  const first = turns[0]
  const part = first?.at === -1 ? first.parts[0] : undefined
  return part?.type === "text" ? part.text : null
}

/** As the caller asked, with OpenAI's defaults where nothing was asked. */
export const echoOf = ({ extra, settings, toolChoice, tools, turns }: Conversation): JsonObject => {
  const { reasoning } = settings
  return {
    background: extra.background ?? false,
    instructions: instructionsOf(turns),
    max_output_tokens: settings.maxOutput ?? null,
    max_tool_calls: extra.max_tool_calls ?? null,
    parallel_tool_calls: settings.parallelTools ?? true,
    previous_response_id: extra.previous_response_id ?? null,
    prompt_cache_key: settings.cacheKey ?? null,
    reasoning: {
      ...objectOf(extra.reasoning),
      effort: reasoning === undefined ? null : (asEffort(reasoning) ?? null),
      summary: reasoning?.summary ?? null
    },
    safety_identifier: extra.safety_identifier ?? null,
    store: extra.store ?? true,
    temperature: settings.temperature ?? 1,
    text: {
      ...objectOf(extra.text),
      format: formatOf(settings) ?? { type: "text" },
      verbosity: settings.verbosity ?? "medium"
    },
    tool_choice: toolChoice === undefined ? "auto" : (writeToolChoice(toolChoice, tools) ?? "auto"),
    tools: writeTools(tools),
    top_logprobs: typeof settings.logprobs === "number" ? settings.logprobs : 0,
    top_p: settings.topP ?? 1,
    truncation: extra.truncation ?? "disabled",
    user: settings.user ?? null,
    metadata: settings.metadata ?? {}
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i

/** An answer's id: its own where that is of Responses' form, as OpenAI and xAI have it. */
export const responseId = (id: string | undefined, options: AnswerOptions): string =>
  id !== undefined && (id.startsWith("resp") || uuid.test(id)) ? id : `resp_${options.id}`

/** Ids of the items of one response: the same for the same place. */
export const itemIds = (id: string): ((type: string, place: number) => string) => {
  const stem = id.startsWith("resp_") ? id.slice(5) : id
  return (type, place) => `${prefixes[type] ?? "item"}_${stem}_${place}`
}

const prefixes: Readonly<Record<string, string>> = {
  message: "msg",
  reasoning: "rs",
  function_call: "fc",
  custom_tool_call: "ctc",
  image_generation_call: "ig"
}
