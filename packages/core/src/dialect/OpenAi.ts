/**
 * OpenAI's chats, legacy completions and embeddings as a dialect: what a request is in when it names none.
 */
import type { Dialect } from "./Dialect.js"
import { answer } from "./openAiAnswer.js"
import { request } from "./openAiRequest.js"

/** OpenAI's own dialect, in the spellings of all who speak it. */
export const openAi: Dialect = { name: "chat", request, answer }
