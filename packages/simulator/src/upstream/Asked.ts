/** What a simulated request asks for: what no payload says, but decides how long its answer takes. */
import type { Journal } from "@switchyard/core/Journal"

/** What a request asks for. */
export interface Asked {
  /** A whole number: by it the request meets the same luck at an upstream in every variant. */
  readonly luck: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Requests of one session have their prompts' beginnings in common. */
  readonly session: string | undefined
  /** Tokens at the beginning that it has in common with all requests of this name. */
  readonly prefix: { readonly name: string; readonly tokens: number } | undefined
}

const unknown: Asked = { luck: 0, inputTokens: 1, outputTokens: 1, session: undefined, prefix: undefined }

/** Kept in the journal itself: a `WeakMap` of all requests costs each collection of garbage more than all of them together. */
const key: unique symbol = Symbol("@switchyard/simulator/Asked")

interface Noted extends Journal {
  [key]?: Asked
}

/** Notes what the request of a journal asks for. */
export const note = (journal: Journal, asked: Asked): void => {
  const noted: Noted = journal
  noted[key] = asked
}

/** What the request of a journal asks for; one token where nobody said, as for a health probe. */
export const of = (journal: Noted): Asked => journal[key] ?? unknown
