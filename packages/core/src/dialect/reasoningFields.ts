import { isJsonObject, type JsonObject } from "../json/Json.js"

/** OpenAI, OpenRouter, Anthropic, Google, Qwen, Ollama, NVIDIA, xAI: each has its own word for it. */
const fields = [
  "reasoning_effort",
  "reasoning",
  "thinking",
  "enable_thinking",
  "thinking_budget",
  "thinking_config",
  "thinkingConfig",
  "thinking_mode",
  "think",
  "reasoning_budget",
  "include_reasoning"
]

/** Where gateways and templates put fields that OpenAI does not have. */
const containers = ["extra_body", "chat_template_kwargs", "google", "generation_config", "generationConfig"]

/** What says yes or no inside such a field, for example `{ "type": "disabled" }` or `{ "budget_tokens": 0 }`. */
const switches = [
  "type",
  "enabled",
  "effort",
  "max_tokens",
  "budget_tokens",
  "thinking_budget",
  "thinkingBudget",
  "thinking_level",
  "thinkingLevel"
]

const no = /^(none|off|no|false|disabled?|0)$/i

const told = (value: unknown): boolean | undefined => {
  if (value === undefined || value === null || value === "") return undefined
  if (typeof value === "boolean") return value
  if (typeof value === "number") return value !== 0
  if (typeof value === "string") return !no.test(value)
  return isJsonObject(value) ? !switches.some((name) => told(value[name]) === false) : undefined
}

const inFields = (body: JsonObject, depth: number): boolean | undefined => {
  let said: boolean | undefined
  for (const name of fields) {
    if (body[name] === undefined) continue
    const one = told(body[name])
    if (one === true) return true
    // To leave the thoughts out of the answer is not to have none.
    if (one === false && name !== "include_reasoning") said = false
  }
  if (depth === 0) return said
  for (const name of containers) {
    const inner = body[name]
    const one = isJsonObject(inner) ? inFields(inner, depth - 1) : undefined
    if (one === true) return true
    said ??= one
  }
  return said
}

/** Whether a payload asks for reasoning (`true`) or asks for none (`false`); undefined when it says nothing of it. */
export const inBody = (body: JsonObject): boolean | undefined => inFields(body, 2)
