/**
 * OpenAI's chat payloads as types: what a literal is checked against, and how answers are seen. Values of other types, the OpenAI
 * SDK's or interfaces of an app's own, fit where their fields do; whatever else they hold goes along. A provider's own
 * field in a literal is spread into it (`...{ guided_json: schema }`), or added to the interface once (`declare module`).
 */
import type { JsonObject } from "../json/Json.js"

/** Who speaks; providers may know others. */
export type Role = "system" | "developer" | "user" | "assistant" | "tool" | "function" | (string & {})

/** A part of a message's content: a text, an image, a sound, a file. */
export interface ContentPart {
  readonly type: string
  readonly text?: string | null | undefined
  readonly refusal?: string | null | undefined
  readonly image_url?: string | { readonly url: string; readonly detail?: string | undefined } | undefined
  readonly video_url?: string | { readonly url: string } | undefined
  readonly input_audio?: { readonly data: string; readonly format: string } | undefined
  readonly file?: object | undefined
  readonly cache_control?: object | null | undefined
}

/** A call of a tool that the model makes. */
export interface ToolCall {
  readonly id?: string | undefined
  readonly type?: string | undefined
  readonly function?: { readonly name: string; readonly arguments: string } | undefined
  readonly custom?: { readonly name: string; readonly input: string } | undefined
}

/** A message of a conversation. */
export interface Message {
  readonly role: Role
  readonly content?: string | ReadonlyArray<ContentPart | string> | null | undefined
  readonly name?: string | undefined
  readonly refusal?: string | null | undefined
  readonly tool_calls?: ReadonlyArray<ToolCall> | null | undefined
  readonly tool_call_id?: string | undefined
  readonly function_call?: object | null | undefined
  readonly audio?: object | null | undefined
  readonly reasoning_content?: string | null | undefined
  readonly thinking_blocks?: ReadonlyArray<object> | null | undefined
  readonly reasoning_details?: ReadonlyArray<object> | null | undefined
  readonly cache_control?: object | null | undefined
}

/** The parameters that chats and legacy completions share. */
export interface Sampling {
  readonly model: string
  readonly stream?: boolean | null | undefined
  readonly stream_options?: object | null | undefined
  readonly max_tokens?: number | null | undefined
  readonly temperature?: number | null | undefined
  readonly top_p?: number | null | undefined
  readonly top_k?: number | null | undefined
  readonly min_p?: number | null | undefined
  readonly n?: number | null | undefined
  readonly seed?: number | null | undefined
  readonly stop?: string | ReadonlyArray<string> | null | undefined
  readonly frequency_penalty?: number | null | undefined
  readonly presence_penalty?: number | null | undefined
  readonly repetition_penalty?: number | null | undefined
  readonly logit_bias?: object | null | undefined
  readonly user?: string | null | undefined
  readonly metadata?: object | null | undefined
}

/** The payload of a chat request: what routing reads, and the parameters that providers share. */
export interface ChatBody extends Sampling {
  readonly messages: ReadonlyArray<Message>
  readonly max_completion_tokens?: number | null | undefined
  readonly logprobs?: boolean | null | undefined
  readonly top_logprobs?: number | null | undefined
  readonly response_format?: object | null | undefined
  readonly tools?: ReadonlyArray<object> | null | undefined
  readonly tool_choice?: string | object | null | undefined
  readonly parallel_tool_calls?: boolean | null | undefined
  readonly functions?: ReadonlyArray<object> | null | undefined
  readonly function_call?: string | object | null | undefined
  readonly reasoning_effort?: string | null | undefined
  readonly reasoning?: object | null | undefined
  readonly thinking?: object | null | undefined
  readonly verbosity?: string | null | undefined
  readonly modalities?: ReadonlyArray<string> | null | undefined
  readonly audio?: object | null | undefined
  readonly prediction?: object | null | undefined
  readonly web_search_options?: object | null | undefined
  readonly service_tier?: string | null | undefined
  readonly store?: boolean | null | undefined
  readonly safety_identifier?: string | null | undefined
  readonly prompt_cache_key?: string | null | undefined
  readonly prompt_cache_retention?: string | null | undefined
}

/** The payload of a legacy completion request. */
export interface CompletionBody extends Sampling {
  readonly prompt: unknown
  readonly suffix?: string | null | undefined
  readonly echo?: boolean | null | undefined
  readonly best_of?: number | null | undefined
  readonly logprobs?: number | null | undefined
}

/** The payload of an embeddings request. */
export interface EmbeddingsBody {
  readonly model: string
  readonly input: unknown
  readonly dimensions?: number | null | undefined
  readonly encoding_format?: string | null | undefined
  readonly input_type?: string | null | undefined
  readonly user?: string | null | undefined
}

/** What a client of one's own may answer with: OpenAI's shape at least on the outside. */
export interface Answer {
  readonly id?: string | undefined
  readonly object?: string | undefined
  readonly created?: number | undefined
  readonly model?: string | undefined
  readonly choices?: ReadonlyArray<object> | null | undefined
  readonly data?: ReadonlyArray<object> | null | undefined
  readonly usage?: object | null | undefined
  readonly error?: unknown
}

/** Tokens as an answer counts them. */
export interface UsageFields {
  readonly prompt_tokens?: number | undefined
  readonly completion_tokens?: number | undefined
  readonly total_tokens?: number | undefined
}

/** A message of an answer. Nothing in it is sure: providers leave out what they like. */
export interface AnswerMessage {
  readonly role?: string | undefined
  readonly content?: string | null | undefined
  readonly refusal?: string | null | undefined
  readonly reasoning_content?: string | null | undefined
  readonly tool_calls?: ReadonlyArray<ToolCall> | null | undefined
  readonly thinking_blocks?: unknown
  readonly reasoning_details?: unknown
  readonly annotations?: unknown
  readonly audio?: unknown
}

/** One of an answer's choices. */
export interface Choice {
  readonly index?: number | undefined
  readonly message?: AnswerMessage | undefined
  readonly finish_reason?: string | null | undefined
  readonly logprobs?: unknown
  /** Of legacy completions. */
  readonly text?: string | undefined
}

/** A whole answer as it came; what is no field here is unknown. */
export interface Completion extends JsonObject {
  readonly id?: string | undefined
  readonly model?: string | undefined
  readonly created?: number | undefined
  readonly choices?: ReadonlyArray<Choice> | undefined
  readonly usage?: UsageFields | null | undefined
}

/** A piece of a tool's call; the pieces of one bear its index. */
export interface ToolCallPiece {
  readonly index?: number | undefined
  readonly id?: string | undefined
  readonly type?: string | undefined
  readonly function?:
    | { readonly name?: string | undefined; readonly arguments?: string | undefined }
    | undefined
    | undefined
}

/** What a chunk adds to a message. */
export interface Delta {
  readonly role?: string | undefined
  readonly content?: string | null | undefined
  readonly refusal?: string | null | undefined
  readonly reasoning_content?: string | null | undefined
  readonly tool_calls?: ReadonlyArray<ToolCallPiece> | null | undefined
}

/** What a chunk adds to one choice. */
export interface ChunkChoice {
  readonly index?: number | undefined
  readonly delta?: Delta | undefined
  readonly finish_reason?: string | null | undefined
  readonly logprobs?: unknown
  /** Of legacy completions. */
  readonly text?: string | undefined
}

/** A chunk of a streamed answer as it came. */
export interface Chunk extends JsonObject {
  readonly id?: string | undefined
  readonly model?: string | undefined
  readonly choices?: ReadonlyArray<ChunkChoice> | undefined
  readonly usage?: UsageFields | null | undefined
}
