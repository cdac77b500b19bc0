/**
 * What an answer says, read with care: providers leave out, or spoil, any field. The first choice is what is looked at.
 */
import { Effect, Stream } from "effect"
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import { inBody, type Usage } from "../outcome/Usage.js"
import type { Completion } from "./Chat.js"
import { ChunkFold } from "./ChunkFold.js"
import type { StreamEvent } from "./StreamEvent.js"

/** A call of a tool, its arguments as the JSON text that the model wrote. */
export interface ToolRequest {
  readonly id: string | undefined
  readonly name: string
  readonly arguments: string
}

/** What an answer says. */
export interface AnswerView {
  readonly text: string
  /** What the model thought aloud; empty when nothing came. */
  readonly reasoning: string
  readonly refusal: string | undefined
  /** In the order of their index. */
  readonly toolCalls: ReadonlyArray<ToolRequest>
  /** Why it ended; undefined where it did not say so. */
  readonly finishReason: string | undefined
  /** As the provider told; undefined where it did not. */
  readonly usage: Usage | undefined
  /** All of it, as a whole answer. */
  readonly body: Completion
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")
const textOrNone = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** Content is a text, or a list of parts of which some are. */
const contentOf = (content: unknown): string =>
  Array.isArray(content)
    ? content.map((part: unknown) => (isJsonObject(part) ? textOf(part.text) : textOf(part))).join("")
    : textOf(content)

const toolRequest = (call: unknown): ReadonlyArray<ToolRequest> => {
  if (!isJsonObject(call)) return []
  const custom = isJsonObject(call.custom) ? call.custom : undefined
  const called = isJsonObject(call.function) ? call.function : custom
  if (called === undefined) return []
  const written = custom === called ? called.input : called.arguments
  return [{ id: textOrNone(call.id), name: textOf(called.name), arguments: textOf(written) }]
}

/** What a whole answer says. */
export const ofBody = (body: JsonObject): AnswerView => {
  const first = arrayOf(body.choices)[0]
  const choice: JsonObject = isJsonObject(first) ? first : {}
  const message: JsonObject = isJsonObject(choice.message) ? choice.message : {}
  return {
    text: contentOf(message.content) || textOf(choice.text),
    reasoning: textOf(message.reasoning_content) || textOf(message.reasoning),
    refusal: textOrNone(message.refusal),
    toolCalls: arrayOf(message.tool_calls).flatMap(toolRequest),
    finishReason: textOrNone(choice.finish_reason),
    usage: inBody(body),
    body
  }
}

/** What the chunks of a stream say together. */
export const ofChunks = (chunks: Iterable<JsonObject>): AnswerView => {
  const fold = new ChunkFold()
  for (const chunk of chunks) fold.add(chunk)
  return ofBody(fold.answer())
}

/** How a dialect puts events together, and reads the answer that they are: its `AnswerWords`. */
export interface Folding {
  readonly fold: () => { readonly add: (event: StreamEvent) => void; readonly answer: () => JsonObject }
  readonly view: (body: JsonObject) => AnswerView
}

const chat: Folding = {
  fold: () => {
    const fold = new ChunkFold()
    return { add: ({ json }) => fold.add(json), answer: () => fold.answer() }
  },
  view: ofBody
}

/**
 * Reads a stream to its end, and gives what it said; fails as the stream does. `words` are those of the dialect that the events
 * are in, by default OpenAI's.
 *
 * @example
 * ```ts
 * import * as AnswerView from "@switchyard/core/AnswerView"
 * import type * as LlmRequest from "@switchyard/core/LlmRequest"
 * import { LlmService } from "@switchyard/core/LlmService"
 *
 * declare const request: LlmRequest.LlmRequest
 * const answer = AnswerView.collect(LlmService.stream(request))
 * ```
 */
export const collect = <E, R>(
  events: Stream.Stream<StreamEvent, E, R>,
  words: Folding = chat
): Effect.Effect<AnswerView, E, R> =>
  Effect.suspend(() => {
    const fold = words.fold()
    return Effect.map(
      Stream.runForEach(events, (event) => Effect.sync(() => fold.add(event))),
      () => words.view(fold.answer())
    )
  })
