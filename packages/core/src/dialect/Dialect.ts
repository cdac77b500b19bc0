/**
 * The language that a request and its answer are in: OpenAI's chat, Anthropic's Messages, OpenAI's Responses, Gemini's. The
 * layers of a tower read a payload through these functions alone, and so know of no dialect's fields. All of them are pure,
 * read with care (payloads come from outside), and walk deep input without recursion.
 */
import type { JsonObject } from "../json/Json.js"
import type { Units, Usage } from "../outcome/Usage.js"
import type { AnswerFailure } from "./AnswerFailure.js"
import type { AnswerView } from "./AnswerView.js"
import type { StreamEvent, StreamFacts } from "./ChatChunk.js"
import type { PromptSize } from "./PromptSize.js"
import type { Operation } from "./payloadFields.js"

export type { Operation, StreamEvent, StreamFacts }

/** A language of requests and answers. */
export interface Dialect {
  /** `chat`, `messages`, `responses`, `gemini`: no two answers of different dialects are taken for the same. */
  readonly name: string
  readonly request: RequestWords
  readonly answer: AnswerWords
}

/** Something in a payload that only who issued it understands. */
export interface ProviderState {
  /** For people: `response id`, `reasoning signature`, `file id`. */
  readonly kind: string
  readonly value: string
  /** The request means nothing without it, and it is known to one deployment alone. What is soft may be left out elsewhere. */
  readonly hard: boolean
}

/** A part of what somebody said: a text, a call of a tool, or anything else by its type. */
export type TurnPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_call"; readonly name: string; readonly arguments: string }
  | { readonly type: "other"; readonly name: string }

/** What somebody said in a conversation. */
export interface Turn {
  readonly role: string
  readonly parts: Iterable<TurnPart>
}

/** How a conversation begins: each a text, or a list of texts and of parts that may have a `text`. */
export interface Beginning {
  /** The instructions: the first system message. */
  readonly system: unknown
  /** The first message of the user; of an operation that is no conversation, the prompt or the input. */
  readonly user: unknown
}

/** Parameters as a payload has them, for traces; whoever shows them checks that they are numbers. */
export interface Settings {
  readonly temperature?: unknown
  readonly topP?: unknown
  readonly maxTokens?: unknown
  readonly frequencyPenalty?: unknown
  readonly presencePenalty?: unknown
  readonly seed?: unknown
  readonly choices?: unknown
}

/** What is known of a file beside a payload. */
export interface FileFacts {
  readonly filename: string
  readonly contentType: string
  /** Bytes. */
  readonly size: number
  /** How long its sound lasts, in seconds, where somebody has looked. */
  readonly seconds?: number | undefined
}

/** What routing reads of a payload. */
export interface RequestWords {
  /** Fields that hold what is asked: what is laid over one of them makes another prompt. */
  readonly promptFields: ReadonlyArray<string>
  /** All fields whose texts are what the caller says: no log may quote them. */
  readonly textFields: ReadonlyArray<string>
  /** What is wrong with a payload, field by field, where routing depends on it; the provider judges the rest. Not the model. */
  readonly problems: (operation: Operation, body: JsonObject) => ReadonlyArray<string>
  /** The model that the payload names; undefined where that stands elsewhere, as in a path. */
  readonly model: (body: JsonObject) => unknown
  /** The field that names it. Default `model`. */
  readonly modelField?: string
  /** Whether the payload asks for a stream, of events or of bytes; false where that stands elsewhere, as in a path. */
  readonly streams: (body: JsonObject, operation: Operation) => boolean
  /** How long the prompt is. `PromptSize.ofConversation` and `PromptSize.ofInputs` measure values of any shape. */
  readonly size: (operation: Operation, body: JsonObject) => PromptSize
  /** The most output that the caller pays for; undefined when unset. */
  readonly maxOutputTokens: (body: JsonObject) => number | undefined
  /** The largest bound of the output in any spelling: money is set aside for it. */
  readonly largestOutputBound: (body: JsonObject) => number | undefined
  /** How many answers a payload asks for, at least 1. */
  readonly choices: (operation: Operation, body: JsonObject) => number
  /** What it will be billed by that is not tokens, as far as it tells; left out where tokens are all. */
  readonly units?: (operation: Operation, body: JsonObject, files: ReadonlyArray<FileFacts>) => Units
  /** The tools offered to the model. */
  readonly tools: (body: JsonObject) => ReadonlyArray<unknown>
  /** The kind of answer that is asked for, in OpenAI's words: `json_schema`, `json_object`, `text`; undefined when unset. */
  readonly responseFormat: (body: JsonObject) => string | undefined
  readonly hasImages: (body: JsonObject) => boolean
  /** Whether it asks for reasoning (`true`) or for none (`false`); undefined when it says nothing of it. */
  readonly asksForReasoning: (body: JsonObject) => boolean | undefined
  /** The service tier, in OpenAI's words (`flex`, `priority`); undefined when unset. */
  readonly serviceTier: (body: JsonObject) => unknown
  /** For traces. */
  readonly settings: (body: JsonObject) => Settings
  /** The prompt, the oldest turn first, instructions before all others. */
  readonly turns: (operation: Operation, body: JsonObject) => Iterable<Turn>
  /** By what the requests of one conversation are known for such. */
  readonly beginning: (operation: Operation, body: JsonObject) => Beginning
  /** What may bind the request to who issued it, the newest last. */
  readonly states: (body: JsonObject) => ReadonlyArray<ProviderState>
  /** Fields laid over a payload, so that one thing is not said twice in two spellings. */
  readonly overlay: (below: JsonObject, above: JsonObject) => Record<string, unknown>
  /** The payload that asks for the rest of an answer that begins with a text; undefined where that cannot be asked. */
  readonly prefilled: (operation: Operation, body: JsonObject, text: string) => JsonObject | undefined
  /** Its answer cannot be told by the text of its first choice alone: several choices, or probabilities of tokens. */
  readonly isBeyondText: (body: JsonObject) => boolean
}

/** Reads the events of one stream. */
export interface EventReader {
  /** Tells the facts what an event means. */
  readonly read: (event: StreamEvent, facts: StreamFacts) => void
  /** The text that an event adds to the first choice; empty for all else. */
  readonly text: (event: StreamEvent) => string
}

/** Puts the events of one stream together to the whole answer that they are. */
export interface EventFold {
  readonly add: (event: StreamEvent) => void
  /** What came so far, as it would have come whole. */
  readonly answer: () => JsonObject
}

/** What a caller has been given of an answer, as far as a restart goes by it. Read with every event that is handed on. */
export interface Delivered {
  readonly read: (event: StreamEvent) => void
  /** The text of the first choice; empty once there was more than may be held. */
  readonly text: string
  readonly hasText: boolean
  /** Something was given that a restart cannot repeat (a tool's call, a refusal), or more text than may be held. */
  readonly isFixed: boolean
  /** What cuts a second stream in where this one ended, when that begins with the text `repeated`; undefined when nothing was given yet. */
  readonly joint: (repeated: string) => Joint | undefined
}

/** Cuts the events of a second stream in where the first one ended. */
export interface Joint {
  /** Whatever comes from now on is new. */
  readonly isDone: boolean
  /** What the caller gets of an event, none when nothing in it is new; undefined when the second answer differs from the first. */
  readonly take: (event: StreamEvent) => ReadonlyArray<StreamEvent> | undefined
}

/** Who answers, and how it ended, for traces. */
export interface AnswerIdentity {
  readonly id: unknown
  readonly model: unknown
  readonly finishReasons: ReadonlyArray<string>
}

/** What an answer is made up for. */
export interface CannedRequest {
  readonly operation: Operation
  readonly model: string
  readonly body: JsonObject
  readonly inputTokens: number
}

/** What tells one made-up answer from another: `created` is seconds since 1970. */
export interface Stamp {
  readonly id: string
  readonly created: number
}

/** What the tower reads of answers and events, and the few that it writes. */
export interface AnswerWords {
  /** Why a whole answer with a good status is none; undefined when it is one. */
  readonly failure: (operation: Operation, body: JsonObject) => AnswerFailure | undefined
  /** As a whole answer tells it; undefined where it does not. */
  readonly usage: (body: JsonObject) => Usage | undefined
  /** What a whole answer tells of what it is billed by beside tokens; left out where tokens are all. */
  readonly units?: (body: JsonObject) => Units
  /** Characters of output in a whole answer, for an estimate when it tells no usage. */
  readonly characters: (body: JsonObject) => number
  readonly view: (body: JsonObject) => AnswerView
  readonly identity: (body: JsonObject) => AnswerIdentity
  /** What the first choice says; undefined when there is none. */
  readonly turn: (body: JsonObject) => Turn | undefined
  /** State that a whole answer issues, by its value: its id, signatures of its reasoning, files, containers. */
  readonly issued: (body: JsonObject) => ReadonlyArray<string>
  /** A content filter stopped the answer. */
  readonly isFiltered: (body: JsonObject) => boolean
  /** The error that an event of a stream is, with `message`, `code`, `type` and `param` where it has them; undefined for all others. */
  readonly error: (event: StreamEvent) => JsonObject | undefined
  /** The name that an event goes by on the wire; left out where events have none. */
  readonly eventName?: (json: JsonObject) => string | undefined
  readonly reader: () => EventReader
  readonly fold: () => EventFold
  /** A whole answer as the events of a stream that say the same, the end included. */
  readonly events: (body: JsonObject) => ReadonlyArray<StreamEvent>
  /** The events that end an answer whose provider says that it is done, and not why; `last` is its last event. */
  readonly addedFinish?: (last: StreamEvent, facts: StreamFacts) => ReadonlyArray<StreamEvent>
  /** Left out where streams cannot be taken up again. */
  readonly delivered?: () => Delivered
  /** A whole answer that says a text, for drills. */
  readonly canned: (asked: CannedRequest, text: string, stamp: Stamp) => JsonObject
  /** The same word by word; left out: as `events` of the whole one. */
  readonly cannedEvents?: (asked: CannedRequest, text: string, stamp: Stamp) => ReadonlyArray<StreamEvent>
}

/** JSON as an event of a dialect; `data` is its text where that is known. */
export const eventOf = (answer: AnswerWords, json: JsonObject, data: string = JSON.stringify(json)): StreamEvent => {
  const event = answer.eventName?.(json)
  return event === undefined ? { data, json } : { event, data, json }
}
