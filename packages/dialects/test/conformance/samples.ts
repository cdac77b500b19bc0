/**
 * One request per feature and caller's dialect, all saying the same: what is asked for, in each dialect's own words.
 */
import type { JsonObject } from "@switchyard/core/Json"

/** Features of a request. */
export type Asking = "chat" | "tools" | "parallel tools" | "images" | "structured output" | "reasoning"

/** One transparent pixel. */
export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
const answerSchema = {
  type: "object",
  properties: { warm: { type: "boolean" } },
  required: ["warm"],
  additionalProperties: false
}

const chatTool = { type: "function", function: { name: "weather", description: "The weather", parameters: schema } }
const call = (id: string, city: string) => ({
  id,
  type: "function",
  function: { name: "weather", arguments: JSON.stringify({ city }) }
})
const user = (content: unknown) => ({ role: "user", content })
const chat = (more: JsonObject): JsonObject => ({
  model: "m",
  max_tokens: 4000,
  messages: [{ role: "system", content: "Be brief." }, user("Hi")],
  ...more
})

const messages = (more: JsonObject): JsonObject => ({
  model: "m",
  max_tokens: 4000,
  system: "Be brief.",
  messages: [user("Hi")],
  ...more
})
const messagesTool = { name: "weather", description: "The weather", input_schema: schema }

const responses = (more: JsonObject): JsonObject => ({
  model: "m",
  max_output_tokens: 4000,
  instructions: "Be brief.",
  input: [user("Hi")],
  ...more
})
const responsesTool = { type: "function", name: "weather", description: "The weather", parameters: schema }

const gemini = ({ generationConfig, ...more }: JsonObject): JsonObject => ({
  systemInstruction: { parts: [{ text: "Be brief." }] },
  contents: [{ role: "user", parts: [{ text: "Hi" }] }],
  generationConfig: { maxOutputTokens: 4000, ...(generationConfig as JsonObject | undefined) },
  ...more
})
const geminiTools = [
  { functionDeclarations: [{ name: "weather", description: "The weather", parametersJsonSchema: schema }] }
]

/** The requests by dialect and feature. */
export const samples: Readonly<
  Record<"chat" | "messages" | "responses" | "gemini", Readonly<Record<Asking, JsonObject>>>
> = {
  chat: {
    chat: chat({}),
    tools: chat({ tools: [chatTool], tool_choice: "required" }),
    "parallel tools": chat({
      tools: [chatTool],
      messages: [
        { role: "system", content: "Be brief." },
        user("Oslo and Rome?"),
        { role: "assistant", content: null, tool_calls: [call("call_1", "Oslo"), call("call_2", "Rome")] },
        { role: "tool", tool_call_id: "call_2", content: "30" },
        { role: "tool", tool_call_id: "call_1", content: "3" }
      ]
    }),
    images: chat({
      messages: [
        user([
          { type: "text", text: "What is it?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } }
        ])
      ]
    }),
    "structured output": chat({
      response_format: { type: "json_schema", json_schema: { name: "heat", strict: true, schema: answerSchema } }
    }),
    reasoning: chat({ reasoning_effort: "high" })
  },
  messages: {
    chat: messages({}),
    tools: messages({ tools: [messagesTool], tool_choice: { type: "any" } }),
    "parallel tools": messages({
      tools: [messagesTool],
      messages: [
        user("Oslo and Rome?"),
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "call_1", name: "weather", input: { city: "Oslo" } },
            { type: "tool_use", id: "call_2", name: "weather", input: { city: "Rome" } }
          ]
        },
        user([
          { type: "tool_result", tool_use_id: "call_1", content: "3" },
          { type: "tool_result", tool_use_id: "call_2", content: "30" }
        ])
      ]
    }),
    images: messages({
      messages: [
        user([
          { type: "text", text: "What is it?" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } }
        ])
      ]
    }),
    "structured output": messages({ output_config: { format: { type: "json_schema", schema: answerSchema } } }),
    reasoning: messages({ thinking: { type: "enabled", budget_tokens: 2048 } })
  },
  responses: {
    chat: responses({}),
    tools: responses({ tools: [responsesTool], tool_choice: "required" }),
    "parallel tools": responses({
      tools: [responsesTool],
      input: [
        user("Oslo and Rome?"),
        { type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Oslo"}' },
        { type: "function_call", call_id: "call_2", name: "weather", arguments: '{"city":"Rome"}' },
        { type: "function_call_output", call_id: "call_2", output: "30" },
        { type: "function_call_output", call_id: "call_1", output: "3" }
      ]
    }),
    images: responses({
      input: [
        user([
          { type: "input_text", text: "What is it?" },
          { type: "input_image", image_url: `data:image/png;base64,${pixel}` }
        ])
      ]
    }),
    "structured output": responses({
      text: { format: { type: "json_schema", name: "heat", strict: true, schema: answerSchema } }
    }),
    reasoning: responses({ reasoning: { effort: "high" } })
  },
  gemini: {
    chat: gemini({}),
    tools: gemini({ tools: geminiTools, toolConfig: { functionCallingConfig: { mode: "ANY" } } }),
    "parallel tools": gemini({
      tools: geminiTools,
      contents: [
        { role: "user", parts: [{ text: "Oslo and Rome?" }] },
        {
          role: "model",
          parts: [
            { functionCall: { id: "call_1", name: "weather", args: { city: "Oslo" } } },
            { functionCall: { id: "call_2", name: "weather", args: { city: "Rome" } } }
          ]
        },
        {
          role: "user",
          parts: [
            { functionResponse: { id: "call_1", name: "weather", response: { result: "3" } } },
            { functionResponse: { id: "call_2", name: "weather", response: { result: "30" } } }
          ]
        }
      ]
    }),
    images: gemini({
      contents: [
        { role: "user", parts: [{ text: "What is it?" }, { inlineData: { mimeType: "image/png", data: pixel } }] }
      ]
    }),
    "structured output": gemini({
      generationConfig: { responseMimeType: "application/json", responseJsonSchema: answerSchema }
    }),
    reasoning: gemini({ generationConfig: { thinkingConfig: { thinkingBudget: 2048 } } })
  }
}
