/**
 * The dialects that this package knows, each as what it can do.
 */
import { chat } from "@switchyard/dialects/Chat"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { responses } from "@switchyard/dialects/Responses"
import type { Target, Translator } from "@switchyard/dialects/Translator"

/** Dialects by name: those that callers speak, and those that are only asked in. */
export interface Dialects {
  readonly origins: { readonly [name in DialectName]?: Translator }
  readonly targets: { readonly [name in DialectName]?: Target }
}

const origins: Dialects["origins"] = { chat, gemini, messages, responses }

/** Those of `@switchyard/dialects`. */
export const dialects: Dialects = { origins, targets: { ...origins } }
