/**
 * Prompts of the AI SDK as turns.
 */
import type {
  LanguageModelV3FilePart,
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3TextPart,
  LanguageModelV3ToolResultOutput,
  LanguageModelV3ToolResultPart,
  SharedV3ProviderOptions
} from "@ai-sdk/provider"
import { cacheOf, own, stateOf } from "@switchyard/dialects/Beside"
import type { CacheMark, Part, Turn } from "@switchyard/dialects/Conversation"
import * as Turns from "@switchyard/dialects/Turns"

type Options = SharedV3ProviderOptions | undefined

const partOf = (part: LanguageModelV3TextPart | LanguageModelV3FilePart, inherited: CacheMark | undefined): Part => {
  const cache = cacheOf(part.providerOptions) ?? inherited
  if (part.type === "text") return Turns.text(part.text, cache)
  const detail = own(part.providerOptions).detail ?? part.providerOptions?.openai?.imageDetail
  return Turns.media({
    mime: part.mediaType,
    data: part.data,
    name: part.filename,
    cache,
    detail: typeof detail === "string" ? detail : undefined
  })
}

/** A message's mark stands at its end. */
const partsOf = (
  content: ReadonlyArray<LanguageModelV3TextPart | LanguageModelV3FilePart>,
  options: Options
): ReadonlyArray<Part> => {
  const cache = cacheOf(options)
  return content.map((part, at) => partOf(part, at === content.length - 1 ? cache : undefined))
}

type ContentOutput = Extract<LanguageModelV3ToolResultOutput, { readonly type: "content" }>["value"][number]

/** A piece of what a tool gave: words, or what is shown after them. */
const shownOf = (piece: ContentOutput): string | Part | undefined => {
  switch (piece.type) {
    case "text":
      return piece.text
    case "file-data":
      return Turns.media({ mime: piece.mediaType, data: piece.data, name: piece.filename })
    case "image-data":
      return Turns.media({ mime: piece.mediaType, data: piece.data })
    case "image-url":
      return Turns.media({ mime: "image/*", data: new URL(piece.url) })
    case "file-url":
      return Turns.media({ mime: piece.mediaType ?? "application/pdf", data: new URL(piece.url) })
    case "file-id":
    case "image-file-id":
    case "custom":
      return undefined
  }
}

const outputOf = ({ output, toolCallId: id }: LanguageModelV3ToolResultPart): Turns.Output => {
  switch (output.type) {
    case "text":
    case "error-text":
      return { id, text: output.value }
    case "json":
    case "error-json":
      return { id, text: JSON.stringify(output.value) }
    case "execution-denied":
      return { id, text: output.reason ?? "The user did not allow this call." }
    case "content": {
      const shown = output.value.map(shownOf)
      const texts = shown.filter((one) => typeof one === "string")
      const media = shown.filter((one): one is Part => typeof one === "object")
      return { id, text: [...texts, ...(media.length === 0 ? [] : ["(see what follows)"])].join("\n"), media }
    }
  }
}

type Assistant = Extract<LanguageModelV3Message, { readonly role: "assistant" }>

const written = (input: unknown): string => (typeof input === "string" ? input : JSON.stringify(input ?? {}))

const said = ({ content, providerOptions }: Assistant, at: number): ReadonlyArray<Turn> => {
  const results = content.filter((part) => part.type === "tool-result")
  const turn = Turns.assistant(
    {
      thoughts: content.flatMap((part) =>
        part.type === "reasoning" ? [{ text: part.text, state: stateOf(part.providerOptions) }] : []
      ),
      content: partsOf(
        content.filter((part) => part.type === "text" || part.type === "file"),
        providerOptions
      ),
      calls: content.flatMap((part) =>
        part.type === "tool-call"
          ? [
              {
                id: part.toolCallId,
                name: part.toolName,
                arguments: written(part.input),
                state: stateOf(part.providerOptions)
              }
            ]
          : []
      )
    },
    at
  )
  return results.length === 0 ? [turn] : [turn, ...Turns.outputs(results.map(outputOf), at)]
}

const turnsFor = (message: LanguageModelV3Message, at: number): ReadonlyArray<Turn> => {
  switch (message.role) {
    case "system":
      return [Turns.turn("system", [Turns.text(message.content, cacheOf(message.providerOptions))], at)]
    case "user":
      return [Turns.turn("user", partsOf(message.content, message.providerOptions), at)]
    case "assistant":
      return said(message, at)
    case "tool":
      return Turns.outputs(
        message.content.flatMap((part) => (part.type === "tool-result" ? [outputOf(part)] : [])),
        at
      )
  }
}

/** The turns of a prompt. */
export const turnsOf = (prompt: LanguageModelV3Prompt): ReadonlyArray<Turn> =>
  prompt.flatMap((message, at) => turnsFor(message, at))
