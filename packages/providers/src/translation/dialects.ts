/**
 * The dialects that this package knows, each as what it can do.
 */
import { chat } from "@switchyard/dialects/Chat"
import { cohere } from "@switchyard/dialects/Cohere"
import { completions } from "@switchyard/dialects/Completions"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { converse } from "@switchyard/dialects/Converse"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { ollama } from "@switchyard/dialects/Ollama"
import { responses } from "@switchyard/dialects/Responses"
import type { Target, Translator } from "@switchyard/dialects/Translator"

/** Dialects by name: those that callers speak, and those that are only asked in. */
export interface Dialects {
  readonly origins: { readonly [name in DialectName]?: Translator }
  readonly targets: { readonly [name in DialectName]?: Target }
}

const origins: Dialects["origins"] = { chat, completions, gemini, messages, responses }

/** Those of `@switchyard/dialects`. */
export const dialects: Dialects = { origins, targets: { ...origins, cohere, converse, ollama } }
