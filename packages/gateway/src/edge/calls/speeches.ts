import type { Dialect } from "@switchyard/core/Dialect"
import { openAi } from "@switchyard/core/OpenAi"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { responses } from "@switchyard/dialects/Responses"
import type { Speech } from "../../errors/ErrorBody.js"

const dialects: Readonly<Record<Speech, Dialect>> = { chat: openAi, responses, messages, gemini }

/** The dialect of a caller's language. */
export const dialectOf = (speech: Speech): Dialect => dialects[speech]
