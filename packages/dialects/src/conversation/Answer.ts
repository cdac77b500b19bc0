/**
 * An answer in nobody's dialect: whole, or as the events of a stream.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Citation, Part, Signature } from "./Conversation.js"
import type { Tokens } from "./Tokens.js"

/**
 * Why an answer ended. `toolCalls`: it waits for tools. `filter`: a policy stopped it; `refusal`: the model would not. `pause`: a
 * server tool is still at work. `context`: the window was full. `malformedCall`: the call that it wrote is none. `error`: it broke.
 */
export type Finish =
  | "stop"
  | "length"
  | "toolCalls"
  | "filter"
  | "refusal"
  | "pause"
  | "context"
  | "malformedCall"
  | "error"

/** One of the answers that were asked for. */
export interface Choice {
  readonly parts: ReadonlyArray<Part>
  /** Undefined where it was not said. */
  readonly finish: Finish | undefined
  /** The reason as the provider spelt it. */
  readonly reason?: string | undefined
  readonly stopSequence?: string | undefined
  /** As chat has them. */
  readonly logprobs?: JsonObject | undefined
}

/** A whole answer. */
export interface Answer {
  readonly id?: string | undefined
  readonly model?: string | undefined
  /** Seconds since 1970. */
  readonly created?: number | undefined
  readonly choices: ReadonlyArray<Choice>
  readonly usage?: Tokens | undefined
  readonly serviceTier?: string | undefined
  /** Fields that only the dialect it was read from knows. */
  readonly extra?: JsonObject | undefined
}

/** What a provider says of a failure. */
export interface SaidError {
  readonly message: string
  /** HTTP status, where the error itself says it or it can be told from the type. */
  readonly status?: number | undefined
  /** The provider's own class: `overloaded_error`, `RESOURCE_EXHAUSTED`, `ThrottlingException`, … */
  readonly type?: string | undefined
  readonly code?: string | undefined
  /** The field at fault. */
  readonly param?: string | undefined
}

/** Where an event belongs: the answer among those asked for, and the part of it, counted from 0 in order of their beginning. */
interface Place {
  readonly choice: number
  readonly part: number
  /** The id of the item that the part stands in, in dialects whose items have ids: Responses. */
  readonly item?: string | undefined
}

/**
 * One step of an answer. A part begins with its first event and ends where the choice's next part begins, or the choice
 * finishes; parts of one choice may interleave only where their dialect does (chat's tool calls).
 */
export type AnswerEvent =
  | {
      readonly type: "start"
      readonly id?: string | undefined
      readonly model?: string | undefined
      readonly created?: number | undefined
      /** Fields that only the dialect it was read from knows. */
      readonly extra?: JsonObject | undefined
    }
  | ({ readonly type: "text"; readonly text: string; readonly logprobs?: JsonObject | undefined } & Place)
  | ({ readonly type: "reasoning"; readonly text: string; readonly isSummary?: boolean | undefined } & Place)
  | ({ readonly type: "refusal"; readonly text: string } & Place)
  /** Signs the part: its reasoning or its text. A call is signed where it begins. */
  | ({ readonly type: "signature"; readonly signature: Signature; readonly isRedacted?: boolean | undefined } & Place)
  /** A call begins; its arguments follow. */
  | ({
      readonly type: "toolCall"
      readonly id: string | undefined
      readonly name: string
      readonly kind: "function" | "custom"
      readonly namespace?: string | undefined
      readonly signature?: Signature | undefined
      /** Fields that only the dialect it was read from knows. */
      readonly extra?: JsonObject | undefined
    } & Place)
  | ({ readonly type: "arguments"; readonly text: string } & Place)
  | ({ readonly type: "citation"; readonly citation: Citation } & Place)
  /** A part that comes whole: an image, a sound, an opaque block. */
  | ({ readonly type: "part"; readonly value: Part } & Place)
  | {
      readonly type: "finish"
      readonly choice: number
      readonly finish: Finish
      readonly reason?: string | undefined
      readonly stopSequence?: string | undefined
      /** Fields of the whole answer that only the dialect it was read from knows. */
      readonly extra?: JsonObject | undefined
    }
  /** The latest figures replace the ones before. */
  | { readonly type: "usage"; readonly usage: Tokens }
  | { readonly type: "error"; readonly error: SaidError }
  /** The dialect's own word for the end came: `[DONE]`, `message_stop`, `response.completed`. */
  | { readonly type: "end" }
