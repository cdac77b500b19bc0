/**
 * How the answer of a provider is heard whose dialect is not OpenAI's chat, or not the caller's: as it comes, where both speak
 * the same, or translated.
 */
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { JsonObject } from "@switchyard/core/Json"
import type { AwsDecoder } from "../auth/awsMessage.js"
import type { Framing } from "../protocols/protocol.js"

/** Takes the events of an answer, in the caller's dialect. */
export type TellEvent = (event: StreamEvent) => void

/** Hears the events of one stream. */
export interface StreamHearing {
  /** Takes one event as it came; true where it is the provider's last. */
  readonly read: (event: StreamEvent, tell: TellEvent) => boolean
  /** Nothing comes any more: what is open is closed, where the answer is whole; `isWhole` where it is, although it did not say why it ends. */
  readonly end: (tell: TellEvent, isWhole?: boolean) => void
}

/** Hears one answer. */
export interface Hearing {
  readonly framing: Framing
  /** For the framing `aws`. */
  readonly decodeAws?: AwsDecoder | undefined
  /** Answers and events are handed on as they come. */
  readonly isSame: boolean
  /** A whole answer that is a list and no object, as an object. Left out: a list is no answer. */
  readonly ofList?: (list: ReadonlyArray<unknown>) => JsonObject
  /** A whole answer in the caller's dialect; a text says why it is none, after "the answer". */
  readonly answer: (body: JsonObject) => JsonObject | string
  /** Whether a body or an event says that the provider failed. */
  readonly isError: (json: JsonObject, event?: string) => boolean
  /** A whole answer, in the caller's dialect, as the events that say the same. */
  readonly events: (answer: JsonObject) => ReadonlyArray<StreamEvent>
  readonly stream: () => StreamHearing
}

/** A whole answer as JSON. Throws where it is none. */
export const parsedAs = (raw: string, hearing: Hearing | undefined): unknown => {
  const value: unknown = JSON.parse(raw)
  return Array.isArray(value) && hearing?.ofList !== undefined ? hearing.ofList(value) : value
}
