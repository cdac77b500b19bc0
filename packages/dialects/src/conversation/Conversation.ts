/**
 * A request to a model, in nobody's dialect: a typed superset of what providers' dialects can say. Each dialect reads its
 * requests into one and writes them from one, so that eight dialects need sixteen functions and not sixty-four.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { FieldClass } from "./Problem.js"

/** The dialects that are spoken here. Converse, Cohere and Ollama are asked in, never spoken to callers. */
export type DialectName =
  | "chat"
  | "completions"
  | "responses"
  | "messages"
  | "gemini"
  | "converse"
  | "cohere"
  | "ollama"

/** Where the bytes of an image, a sound or a file are. */
export type Source =
  /** `data` is base64, without a `data:` prefix. */
  | { readonly kind: "bytes"; readonly mime: string; readonly data: string }
  | { readonly kind: "url"; readonly url: string; readonly mime?: string | undefined }
  /** A file that the provider keeps: hard state, which no other deployment knows. */
  | { readonly kind: "id"; readonly id: string; readonly mime?: string | undefined }
  /** A document that is given as text. */
  | { readonly kind: "text"; readonly mime: string; readonly text: string }

/** What only the provider that issued it understands: encrypted reasoning, a thinking or thought signature. */
export interface Signature {
  /** The dialect in which it was issued. */
  readonly dialect: DialectName
  readonly value: string
}

/** A mark that the prompt up to here should be cached; advisory. */
export interface CacheMark {
  /** `5m` or `1h`; undefined for the provider's default. */
  readonly ttl?: string | undefined
}

/** Where a text comes from. `value` is the citation as its dialect says it. */
export interface Citation {
  readonly dialect: DialectName
  readonly url?: string | undefined
  readonly title?: string | undefined
  /** The words cited. */
  readonly cited?: string | undefined
  /** Characters of the text that it stands behind. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly value: JsonObject
}

/** What every part may bear. */
export interface PartBase {
  readonly cache?: CacheMark | undefined
  /** Fields that only the dialect it was read from knows. */
  readonly extra?: JsonObject | undefined
}

/** Words. */
export interface TextPart extends PartBase {
  readonly type: "text"
  readonly text: string
  readonly citations?: ReadonlyArray<Citation> | undefined
  readonly signature?: Signature | undefined
}
/** A picture. `detail` as OpenAI has it. */
export interface ImagePart extends PartBase {
  readonly type: "image"
  readonly source: Source
  readonly detail?: string | undefined
}
/** A sound. */
export interface AudioPart extends PartBase {
  readonly type: "audio"
  readonly source: Source
}
/** A moving picture. */
export interface VideoPart extends PartBase {
  readonly type: "video"
  readonly source: Source
}
/** A document. */
export interface FilePart extends PartBase {
  readonly type: "file"
  readonly source: Source
  readonly name?: string | undefined
}
/** A call of a tool that the model makes. */
export interface ToolCallPart extends PartBase {
  readonly type: "toolCall"
  /** As the model's provider named it; undefined where it names none. `ToolId` maps it into a target's alphabet. */
  readonly id: string | undefined
  /** Unique among the tools: where there is a namespace, the name holds it already. */
  readonly name: string
  /** `function`: `arguments` is JSON text as the model wrote it, maybe invalid. `custom`: free text. */
  readonly kind: "function" | "custom"
  readonly arguments: string
  readonly namespace?: string | undefined
  readonly signature?: Signature | undefined
}
/** What a tool answered. */
export interface ToolResultPart extends PartBase {
  readonly type: "toolResult"
  readonly id: string | undefined
  /** The tool's name, where the dialect says it; a writer that needs it looks the call up by its id. */
  readonly name?: string | undefined
  readonly kind: "function" | "custom"
  readonly content: ReadonlyArray<Part>
  /** Content was a bare string and not a list of parts. */
  readonly isBare?: boolean | undefined
  readonly isError?: boolean | undefined
}
/** What the model thought. */
export interface ReasoningPart extends PartBase {
  readonly type: "reasoning"
  /** What it thought aloud; empty where only a signature or a redacted blob is known. */
  readonly text: string
  /** Whether `text` is a summary, as Responses gives it. */
  readonly isSummary?: boolean | undefined
  /** Nothing but the signature: Anthropic's `redacted_thinking`. */
  readonly isRedacted?: boolean | undefined
  readonly id?: string | undefined
  readonly signature?: Signature | undefined
}
/** The model's words of refusal. */
export interface RefusalPart extends PartBase {
  readonly type: "refusal"
  readonly text: string
}
/** A part that only its own dialect knows: calls and results of server tools, unknown blocks. */
export interface OpaquePart extends PartBase {
  readonly type: "opaque"
  readonly dialect: DialectName
  readonly value: JsonObject
  /** `meaning` when the conversation means something else without it: references, compacted history. Undefined is `tool`. */
  readonly fieldClass?: FieldClass | undefined
}

/** A piece of a turn. */
export type Part =
  | TextPart
  | ImagePart
  | AudioPart
  | VideoPart
  | FilePart
  | ToolCallPart
  | ToolResultPart
  | ReasoningPart
  | RefusalPart
  | OpaquePart

/** One turn. Results of tools stand in turns of the role `tool`, or in a user's where the dialect has it so. */
export interface Turn {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool"
  readonly parts: ReadonlyArray<Part>
  /** The speaker's name, as chat has it. */
  readonly name?: string | undefined
  /** Its place in the caller's own list, for messages about it; -1 for instructions that stand in a field of their own. */
  readonly at: number
  /** Content was a bare string and not a list of parts. */
  readonly isBare?: boolean | undefined
  readonly extra?: JsonObject | undefined
}

/** A function that the model may call; the caller runs it. */
export interface FunctionTool {
  readonly type: "function"
  /** Unique: where there is a namespace, the name holds it already, so that dialects without namespaces need not know. */
  readonly name: string
  readonly description?: string | undefined
  /** JSON schema of the arguments; undefined for a function without any. */
  readonly parameters?: JsonObject | undefined
  readonly strict?: boolean | undefined
  readonly namespace?: string | undefined
  readonly cache?: CacheMark | undefined
  readonly extra?: JsonObject | undefined
}
/** A tool that takes free text. */
export interface CustomTool {
  readonly type: "custom"
  readonly name: string
  readonly description?: string | undefined
  readonly format?: JsonObject | undefined
  readonly namespace?: string | undefined
  readonly extra?: JsonObject | undefined
}
/** A tool that the provider runs itself; only its own dialect can say it. */
export interface ServerTool {
  readonly type: "server"
  readonly dialect: DialectName
  readonly name: string
  readonly value: JsonObject
}
/** What is offered to the model. */
export type Tool = FunctionTool | CustomTool | ServerTool

/** Which tool the model has to call. */
export type ToolChoice =
  | { readonly type: "auto" | "none" | "required" }
  | { readonly type: "tool"; readonly name: string; readonly kind: "function" | "custom" }
  /** One of these only; `isRequired` when one of them must be called. */
  | {
      readonly type: "allowed"
      readonly names: ReadonlyArray<string>
      readonly isRequired: boolean
      /** Server tools among them, as their dialect says them. */
      readonly others?: ReadonlyArray<JsonObject> | undefined
    }
  /** A server tool is forced: meaning that only its own dialect has. */
  | { readonly type: "server"; readonly dialect: DialectName; readonly value: JsonObject | string }

/** The form that the answer must have. */
export type Format =
  | { readonly type: "text" }
  | { readonly type: "json" }
  | {
      readonly type: "schema"
      readonly name?: string | undefined
      readonly description?: string | undefined
      readonly schema: JsonObject
      readonly strict?: boolean | undefined
    }

/** How much the model should think. */
export interface ReasoningSettings {
  /** `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`; others go along as they are. */
  readonly effort?: string | undefined
  /** Tokens that it may think with. */
  readonly budget?: number | undefined
  /** `off`, `on`, or `adaptive` (the model decides); undefined when nothing was said but the above. */
  readonly mode?: "off" | "on" | "adaptive" | undefined
  /** Whether thoughts are shown: `auto`, `concise`, `detailed`, `omitted`, … */
  readonly summary?: string | undefined
}

/** What else a request says about its answer. */
export interface Settings {
  /** The bound of the output, in tokens. */
  readonly maxOutput?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly stop?: ReadonlyArray<string> | undefined
  readonly seed?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly frequencyPenalty?: number | undefined
  /** How many answers are asked for. */
  readonly choices?: number | undefined
  /** True for those of the chosen tokens, a number for so many alternatives of each. */
  readonly logprobs?: number | true | undefined
  readonly parallelTools?: boolean | undefined
  readonly format?: Format | undefined
  readonly reasoning?: ReasoningSettings | undefined
  readonly verbosity?: string | undefined
  /** `text`, `audio`, `image`. */
  readonly modalities?: ReadonlyArray<string> | undefined
  /** Advisory from here on. */
  readonly user?: string | undefined
  readonly cacheKey?: string | undefined
  readonly serviceTier?: string | undefined
  readonly metadata?: JsonObject | undefined
}

/** A request to a model. */
export interface Conversation {
  readonly origin: DialectName
  /** As the caller says it. */
  readonly model: string
  readonly stream: boolean
  readonly turns: ReadonlyArray<Turn>
  readonly tools: ReadonlyArray<Tool>
  readonly toolChoice?: ToolChoice | undefined
  readonly settings: Settings
  /** Fields of the origin's payload that have no place above, as they came: they go out in the origin's dialect only. */
  readonly extra: JsonObject
  /**
   * Fields of the origin's payload that are said above already, as its caller spelt them where that can be done in several ways:
   * they replace what the origin's own writer would say. One that is undefined is not said.
   */
  readonly spelt?: JsonObject | undefined
}
