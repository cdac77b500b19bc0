/** Values that many processes share: each is a text that one of them put there, for a while. */
import type { Effect } from "effect"
import type { EngineError } from "./EngineError.js"

/** Texts by key. An engine may forget one before its time, but gives none after it. */
export interface ValueEngine {
  /** Undefined where there is none, or its time is over. */
  readonly get: (key: string) => Effect.Effect<string | undefined, EngineError>
  /** Keeps a text for `lasts` ms, in place of an earlier one. */
  readonly set: (key: string, text: string, lasts: number) => Effect.Effect<void, EngineError>
  readonly remove: (key: string) => Effect.Effect<void, EngineError>
}
