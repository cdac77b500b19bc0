/**
 * Prompts of @effect/ai as turns.
 */
import type * as Prompt from "@effect/ai/Prompt"
import { cacheOf, own, stateOf } from "@switchyard/dialects/Beside"
import type { CacheMark, Part, Turn } from "@switchyard/dialects/Conversation"
import * as Turns from "@switchyard/dialects/Turns"
import type { Memory } from "./memory.js"

const partOf = (part: Prompt.TextPart | Prompt.FilePart, inherited: CacheMark | undefined): Part => {
  const cache = cacheOf(part.options) ?? inherited
  if (part.type === "text") return Turns.text(part.text, cache)
  const detail = own(part.options).detail
  return Turns.media({
    mime: part.mediaType,
    data: part.data,
    name: part.fileName,
    cache,
    detail: typeof detail === "string" ? detail : undefined
  })
}

/** A message's mark stands at its end. */
const partsOf = (
  content: ReadonlyArray<Prompt.TextPart | Prompt.FilePart>,
  options: Prompt.ProviderOptions
): ReadonlyArray<Part> => {
  const cache = cacheOf(options)
  return content.map((part, at) => partOf(part, at === content.length - 1 ? cache : undefined))
}

const written = (result: unknown): string => (typeof result === "string" ? result : (JSON.stringify(result) ?? "null"))

const outputOf = ({ id, result }: Prompt.ToolResultPart): Turns.Output => ({ id, text: written(result) })

const said = ({ content, options }: Prompt.AssistantMessage, at: number, memory: Memory): ReadonlyArray<Turn> => {
  const calls = content.filter((part) => part.type === "tool-call")
  const thoughts = content.filter((part) => part.type === "reasoning")
  const known = memory.recall(content)
  const turn = Turns.assistant(
    {
      thoughts: thoughts.map((part, place) => ({
        text: part.text,
        state: stateOf(part.options) ?? known?.thoughts[place]
      })),
      content: partsOf(
        content.filter((part) => part.type === "text" || part.type === "file"),
        options
      ),
      calls: calls.map((part, place) => ({
        id: part.id,
        name: part.name,
        arguments: JSON.stringify(part.params ?? {}),
        state: stateOf(part.options) ?? known?.calls[place]
      }))
    },
    at
  )
  const results = content.filter((part) => part.type === "tool-result")
  return results.length === 0 ? [turn] : [turn, ...Turns.outputs(results.map(outputOf), at)]
}

const turnsFor = (message: Prompt.Message, at: number, memory: Memory): ReadonlyArray<Turn> => {
  switch (message.role) {
    case "system":
      return [Turns.turn("system", [Turns.text(message.content, cacheOf(message.options))], at)]
    case "user":
      return [Turns.turn("user", partsOf(message.content, message.options), at)]
    case "assistant":
      return said(message, at, memory)
    case "tool":
      return Turns.outputs(message.content.map(outputOf), at)
  }
}

/** The turns of a prompt. What @effect/ai has forgotten of the model's own turns is known to `memory`. */
export const turnsOf = (prompt: Prompt.Prompt, memory: Memory): ReadonlyArray<Turn> =>
  prompt.content.flatMap((message, at) => turnsFor(message, at, memory))
