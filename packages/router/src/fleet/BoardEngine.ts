/** Boards: on each is the last word of every process that said something lately. */
import type { Effect } from "effect"
import type { EngineError } from "./EngineError.js"

/** What a member said last. */
export interface Posted {
  readonly member: string
  /** In its own words. */
  readonly json: string
  /** How long ago it was said, ms of the engine's clock. */
  readonly age: number
}

/** Boards of many processes. */
export interface BoardEngine {
  /** Puts a member's word in place of its last one, for `lasts` ms; 0 takes it away. */
  readonly post: (board: string, member: string, json: string, lasts: number) => Effect.Effect<void, EngineError>
  /** The words of all members, in no order. */
  readonly read: (board: string) => Effect.Effect<ReadonlyArray<Posted>, EngineError>
}
