/**
 * Answers in the AI SDK's words.
 */

import type {
  JSONObject,
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3ResponseMetadata,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
  SharedV3ProviderMetadata,
  SharedV3Warning
} from "@ai-sdk/provider"
import type { Journal } from "@switchyard/core/Journal"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Finish } from "@switchyard/dialects/Answer"
import { provider } from "@switchyard/dialects/Beside"
import type { Ending, Head, Piece, Step } from "@switchyard/dialects/Pieces"
import { leftOut, routeNote } from "@switchyard/dialects/RouteNote"
import * as Tokens from "@switchyard/dialects/Tokens"

const reasons: { readonly [finish in Finish]: LanguageModelV3FinishReason["unified"] } = {
  stop: "stop",
  length: "length",
  context: "length",
  toolCalls: "tool-calls",
  filter: "content-filter",
  refusal: "content-filter",
  pause: "other",
  malformedCall: "error",
  error: "error"
}

/** Why an answer ended. */
export const finishOf = ({ finish, reason }: Ending): LanguageModelV3FinishReason => ({
  unified: finish === undefined ? "other" : reasons[finish],
  raw: reason
})

/** What an answer, or a chunk, says of its usage, in chat's words. */
export const rawUsageOf = ({ usage }: JsonObject): JSONObject | undefined =>
  isJsonObject(usage) ? (usage as JSONObject) : undefined

/** What an answer used, as far as its provider said; `raw` in chat's words. */
export const usageOf = ({ usage }: Ending, raw: JSONObject | undefined): LanguageModelV3Usage =>
  usage === undefined
    ? {
        inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: undefined, text: undefined, reasoning: undefined }
      }
    : {
        inputTokens: {
          total: Tokens.input(usage),
          noCache: usage.uncached,
          cacheRead: usage.cacheRead,
          cacheWrite: usage.cacheWrite + (usage.cacheWriteHour ?? 0)
        },
        outputTokens: { total: Tokens.output(usage), text: usage.text, reasoning: usage.reasoning },
        ...(raw === undefined ? {} : { raw })
      }

/** How the router got the answer. */
export const noteOf = (journal: Journal): SharedV3ProviderMetadata => ({
  [provider]: JSON.parse(JSON.stringify(routeNote(journal))) as JSONObject
})

/** What of the request the deployment that answers could not be told. */
export const lossesOf = (journal: Journal): ReadonlyArray<SharedV3Warning> =>
  leftOut(journal).map(({ path }) => ({
    type: "unsupported",
    feature: path,
    details: `the provider of ${journal.answered?.deployment} cannot be told`
  }))

/** What an answer says of itself. */
export const headOf = ({ created, id, model }: Head): LanguageModelV3ResponseMetadata => ({
  ...(id === undefined ? {} : { id }),
  ...(model === undefined ? {} : { modelId: model }),
  ...(created === undefined ? {} : { timestamp: new Date(created * 1000) })
})

const kept = (state: JsonObject | undefined): { readonly providerMetadata?: SharedV3ProviderMetadata } =>
  state === undefined ? {} : { providerMetadata: { [provider]: { state: state as JSONObject } } }

/** A piece as content; `place` tells the sources of an answer apart. */
export const contentOf = (piece: Piece, place: string): LanguageModelV3Content => {
  switch (piece.type) {
    case "text":
      return { type: "text", text: piece.text }
    case "reasoning":
      return { type: "reasoning", text: piece.text, ...kept(piece.state) }
    case "call":
      return {
        type: "tool-call",
        toolCallId: piece.id,
        toolName: piece.name,
        input: piece.arguments.trim() === "" ? "{}" : piece.arguments,
        ...kept(piece.state)
      }
    case "file":
      return { type: "file", mediaType: piece.mime, data: piece.data }
    case "source":
      return {
        type: "source",
        sourceType: "url",
        id: place,
        url: piece.url,
        ...(piece.title === undefined ? {} : { title: piece.title })
      }
  }
}

type StreamPart = LanguageModelV3StreamPart

const pieceParts = (at: string, piece: Piece): ReadonlyArray<StreamPart> => {
  if (piece.type === "text") return [{ type: "text-end", id: at }]
  if (piece.type === "reasoning") return [{ type: "reasoning-end", id: at, ...kept(piece.state) }]
  const content = contentOf(piece, at) as StreamPart
  return piece.type === "call" ? [{ type: "tool-input-end", id: piece.id }, content] : [content]
}

const starts = { text: "text-start", reasoning: "reasoning-start" } as const
const deltas = { text: "text-delta", reasoning: "reasoning-delta", call: "tool-input-delta" } as const

/** The parts of a stream that steps make; `ids` remembers the calls that are under way. */
export const partsOf = (
  step: Step,
  ids: Map<string, string>,
  journal: Journal,
  usage: JSONObject | undefined
): ReadonlyArray<StreamPart> => {
  switch (step.type) {
    case "head":
      return [{ type: "response-metadata", ...headOf(step.head) }]
    case "begin":
      if (step.kind !== "call") return [{ type: starts[step.kind], id: step.at }]
      ids.set(step.at, step.id)
      return [{ type: "tool-input-start", id: step.id, toolName: step.name }]
    case "delta":
      return [{ type: deltas[step.kind], id: ids.get(step.at) ?? step.at, delta: step.text }]
    case "piece":
      return pieceParts(step.at, step.piece)
    case "end":
      return [
        {
          type: "finish",
          finishReason: finishOf(step.ending),
          usage: usageOf(step.ending, usage),
          providerMetadata: noteOf(journal)
        }
      ]
  }
}
