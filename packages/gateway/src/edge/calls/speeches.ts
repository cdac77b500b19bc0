import type { Dialect } from "@switchyard/core/Dialect"
import { openAi } from "@switchyard/core/OpenAi"
import type { Speech } from "../../errors/ErrorBody.js"

const dialects: Readonly<Partial<Record<Speech, Dialect>>> = { chat: openAi }

/** The dialect of a caller's language; undefined where it is not served. */
export const dialectOf = (speech: Speech): Dialect | undefined => dialects[speech]
