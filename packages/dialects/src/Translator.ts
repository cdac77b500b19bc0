/**
 * What a dialect can do: the same few functions for each, pure, over bodies that are parsed already.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Either } from "effect"
import type { Answer, AnswerEvent, Finish, SaidError } from "./conversation/Answer.js"
import type { Conversation, DialectName, Settings } from "./conversation/Conversation.js"
import type { Dropped, FieldClass, Problem } from "./conversation/Problem.js"
import type { Tokens } from "./conversation/Tokens.js"
import type { NameRules } from "./parts/toolNames.js"

/** What stands beside a body: in the path or the query of some dialects. */
export interface Given {
  /** In place of the body's own. */
  readonly model?: string | undefined
  readonly stream?: boolean | undefined
}

/** How a request is written. */
export interface WriteOptions {
  /** The provider's own name of the model. */
  readonly model: string
  /** Whether what carries meaning and cannot be said is left out (`drop_params`) and not refused. Default false. */
  readonly dropsMeaning?: boolean | undefined
  /** The most that the model can write, in tokens, where it is known: for dialects that want a bound. */
  readonly maxOutput?: number | undefined
  /** Whether signatures and encrypted reasoning of the target's dialect are its own account's. Default true. */
  readonly knowsSignatures?: boolean | undefined
  /** Whether the provider reads what its model thought in earlier turns, without a signature (`reasoning_content`). Default false. */
  readonly keepsReasoning?: boolean | undefined
  /** Whether the provider reads marks of the cache in a content (`cache_control`), which chat has no word for. Default false. */
  readonly keepsCacheMarks?: boolean | undefined
  /** Whether ids of calls have nine letters and digits, as Mistral wants them. Default false. */
  readonly hasShortIds?: boolean | undefined
  /** The path of a part of a turn in the caller's own words, for messages; default: in the target's. */
  readonly pathOf?: ((turn: number, part?: number) => string) | undefined
  /** The caller's own names of features, for messages; default: the target's. */
  readonly names?: { readonly [feature in Feature]?: string } | undefined
}

/** A request as it goes out. */
export interface Written {
  readonly body: JsonObject
  /** What was left out, each once. */
  readonly dropped: ReadonlyArray<Dropped>
}

/** How an answer is written. Nothing here reads a clock: what needs a time or an id is given them. */
export interface AnswerOptions {
  /** The request, of which some dialects repeat a part. */
  readonly conversation: Conversation
  /** For an answer that has none, or whose id is of another dialect's form: letters and digits, some 24. */
  readonly id: string
  /** Seconds since 1970, for an answer that does not say it. */
  readonly created: number
  /** Whether a stream tells usage, where the dialect leaves that to the caller (`stream_options.include_usage`). */
  readonly wantsUsage?: boolean | undefined
  /** Tokens of the prompt, for dialects whose clients need figures where the provider tells none; left out: such an answer tells none, or zero. */
  readonly estimateInput?: (() => number) | undefined
}

/** One event as it goes over the wire. */
export interface WireEvent {
  /** The event's name, for dialects that name them. */
  readonly event?: string | undefined
  readonly json: JsonObject
}

/** Takes what is told, in order. */
export type Tell<A> = (value: A) => void

/** Reads the events of one stream; it remembers what it needs between them. */
export interface EventReader {
  readonly read: (json: JsonObject, tell: Tell<AnswerEvent>, event?: string) => void
}

/** Writes the events of one stream; it remembers which parts are open. */
export interface EventWriter {
  readonly write: (event: AnswerEvent, tell: Tell<WireEvent>) => void
  /** The answer is whole: what is open is closed, and the dialect's last event written. Harmless when called twice. */
  readonly end: (tell: Tell<WireEvent>) => void
}

/** Names of settings and other features in a dialect's own words, for messages about them. */
export type Feature = keyof Settings | "tools" | "toolChoice"

/** A dialect that can be asked in: it writes requests, and reads answers. */
export interface Target {
  readonly name: DialectName
  readonly writeRequest: (
    conversation: Conversation,
    options: WriteOptions
  ) => Either.Either<Written, ReadonlyArray<Problem>>
  /** Fails with what is wrong, in words, when the body is no answer at all. */
  readonly readAnswer: (body: JsonObject) => Either.Either<Answer, string>
  readonly eventReader: () => EventReader
  /** The error in a body or an event; undefined when it is none. */
  readonly readError: (body: JsonObject) => SaidError | undefined
  readonly readTokens: (usage: unknown) => Tokens | undefined
  readonly readFinish: (reason: string) => Finish
  /**
   * A deployment's default parameters, given in chat's words or in the dialect's own, in the dialect's own words: they are laid
   * below the caller's fields.
   */
  readonly defaults: (given: JsonObject) => JsonObject
  /** What it takes for the name of a tool; left out where any will do. */
  readonly toolNames?: NameRules | undefined
  /** What the target's dialect cannot say, by feature; a feature that is not named it can. */
  readonly lacks: { readonly [feature in Feature]?: FieldClass }
}

/** A dialect that callers speak: it reads requests, and writes answers, too. */
export interface Translator extends Target {
  readonly readRequest: (body: JsonObject, given?: Given) => Either.Either<Conversation, ReadonlyArray<Problem>>
  readonly writeAnswer: (answer: Answer, options: AnswerOptions) => JsonObject
  readonly eventWriter: (options: AnswerOptions) => EventWriter
  readonly writeError: (error: SaidError) => JsonObject
  /** An error that ends a stream. */
  readonly errorEvent: (error: SaidError) => WireEvent
  readonly writeTokens: (tokens: Tokens) => JsonObject
  readonly writeFinish: (finish: Finish) => string
  /** Fields of its payload without a place in a conversation, and what they mean to other dialects; others are advisory. A function goes by the value: undefined asks for nothing. */
  readonly fields: Readonly<Record<string, FieldClass | ((value: unknown) => FieldClass | undefined)>>
  /** Its own names of features, for messages. */
  readonly names: { readonly [feature in Feature]?: string }
  /** The path of a part of a turn, for messages. */
  readonly pathOf: (turn: number, part?: number) => string
  /**
   * The same request in the same dialect, but for the documented edits: the provider's model (where the body holds it), whether it
   * streams, defaults below the caller's fields. Everything else stays as it is.
   */
  readonly edit: (
    body: JsonObject,
    edits: { readonly model: string; readonly stream: boolean; readonly defaults: JsonObject }
  ) => JsonObject
}
