/**
 * Answers in @effect/ai's parts.
 */

import * as AiError from "@effect/ai/AiError"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import type { Journal } from "@switchyard/core/Journal"
import type { JsonObject } from "@switchyard/core/Json"
import type { Finish } from "@switchyard/dialects/Answer"
import { provider } from "@switchyard/dialects/Beside"
import type { Ending, Head, Piece, Step, Whole } from "@switchyard/dialects/Pieces"
import { routeNote } from "@switchyard/dialects/RouteNote"
import * as Tokens from "@switchyard/dialects/Tokens"
import { DateTime, Effect } from "effect"
import type { Where } from "./aiErrors.js"

const reasons: { readonly [finish in Finish]: Response.FinishReason } = {
  stop: "stop",
  length: "length",
  context: "length",
  toolCalls: "tool-calls",
  filter: "content-filter",
  refusal: "content-filter",
  pause: "pause",
  malformedCall: "error",
  error: "error"
}

/** Why it ended, in @effect/ai's words. */
export const reasonOf = ({ finish }: Ending): Response.FinishReason =>
  finish === undefined ? "unknown" : reasons[finish]

const usageOf = ({ usage }: Ending): typeof Response.Usage.Encoded => {
  if (usage === undefined) return { inputTokens: undefined, outputTokens: undefined, totalTokens: undefined }
  const inputTokens = Tokens.input(usage)
  const outputTokens = Tokens.output(usage)
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    reasoningTokens: usage.reasoning,
    cachedInputTokens: usage.cacheRead
  }
}

const kept = (state: JsonObject | undefined): { readonly metadata?: Response.ProviderMetadata } =>
  state === undefined ? {} : { metadata: { [provider]: { state } } }

const headPart = ({ created, id, model }: Head): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  ...(id === undefined ? {} : { id }),
  ...(model === undefined ? {} : { modelId: model }),
  ...(created === undefined ? {} : { timestamp: DateTime.formatIso(DateTime.unsafeMake(created * 1000)) })
})

/** How it ended: why, what it used, and how the router got it. */
const finishPart = (ending: Ending, journal: Journal): Response.FinishPartEncoded => ({
  type: "finish",
  reason: reasonOf(ending),
  usage: usageOf(ending),
  metadata: { [provider]: routeNote(journal) }
})

type Call = Extract<Piece, { readonly type: "call" }>

const callPart = (
  { arguments: text, id, name, state }: Call,
  { method, module }: Where
): Effect.Effect<Response.ToolCallPartEncoded, AiError.AiError> =>
  Effect.map(
    Effect.try({
      try: () => (text.trim() === "" ? {} : Tool.unsafeSecureJsonParse(text)),
      catch: (cause) =>
        new AiError.MalformedOutput({
          module,
          method,
          description: `The arguments of the call of ${name} are no JSON: ${text.slice(0, 200)}`,
          cause
        })
    }),
    (params) => ({ type: "tool-call", id, name, params, ...kept(state) })
  )

type Rest = Exclude<Piece, Call>

/** `place` tells the sources of an answer apart. */
const restPart = (piece: Exclude<Rest, { readonly type: "text" | "reasoning" }>, place: string) =>
  piece.type === "file"
    ? ({ type: "file", mediaType: piece.mime, data: piece.data } as const)
    : ({ type: "source", sourceType: "url", id: place, url: piece.url, title: piece.title ?? piece.url } as const)

/** The parts of a whole answer. */
export const wholeParts = (
  { ending, head, pieces }: Whole,
  journal: Journal,
  where: Where
): Effect.Effect<Array<Response.PartEncoded>, AiError.AiError> =>
  Effect.map(
    Effect.forEach(pieces, (piece, at): Effect.Effect<Response.PartEncoded, AiError.AiError> => {
      switch (piece.type) {
        case "text":
          return Effect.succeed({ type: "text", text: piece.text })
        case "reasoning":
          return Effect.succeed({ type: "reasoning", text: piece.text, ...kept(piece.state) })
        case "call":
          return callPart(piece, where)
        default:
          return Effect.succeed(restPart(piece, `source-${at}`))
      }
    }),
    (parts) => [headPart(head), ...parts, finishPart(ending, journal)]
  )

const starts = { text: "text-start", reasoning: "reasoning-start" } as const
const deltas = { text: "text-delta", reasoning: "reasoning-delta", call: "tool-params-delta" } as const

const pieceParts = (
  at: string,
  piece: Piece,
  where: Where
): Effect.Effect<ReadonlyArray<Response.StreamPartEncoded>, AiError.AiError> => {
  switch (piece.type) {
    case "text":
      return Effect.succeed([{ type: "text-end", id: at }])
    case "reasoning":
      return Effect.succeed([{ type: "reasoning-end", id: at, ...kept(piece.state) }])
    case "call":
      return Effect.map(callPart(piece, where), (part) => [{ type: "tool-params-end", id: piece.id }, part])
    default:
      return Effect.succeed([restPart(piece, at)])
  }
}

/** The parts that steps make; `ids` remembers the calls that are under way. */
export const stepParts = (
  steps: ReadonlyArray<Step>,
  ids: Map<string, string>,
  journal: Journal,
  where: Where
): Effect.Effect<ReadonlyArray<Response.StreamPartEncoded>, AiError.AiError> =>
  Effect.map(
    Effect.forEach(steps, (step): Effect.Effect<ReadonlyArray<Response.StreamPartEncoded>, AiError.AiError> => {
      switch (step.type) {
        case "head":
          return Effect.succeed([headPart(step.head)])
        case "begin":
          if (step.kind !== "call") return Effect.succeed([{ type: starts[step.kind], id: step.at }])
          ids.set(step.at, step.id)
          return Effect.succeed([{ type: "tool-params-start", id: step.id, name: step.name }])
        case "delta":
          return Effect.succeed([{ type: deltas[step.kind], id: ids.get(step.at) ?? step.at, delta: step.text }])
        case "piece":
          return pieceParts(step.at, step.piece, where)
        case "end":
          return Effect.succeed([finishPart(step.ending, journal)])
      }
    }),
    (parts) => parts.flat()
  )
