/**
 * News: what one process tells all others at once. A word may be lost, so nobody relies on it: who listens also looks from time
 * to time, and hears sooner with it.
 */
import type { Effect, Scope } from "effect"
import type { EngineError } from "./EngineError.js"

/** News of many processes. */
export interface NewsEngine {
  /** Tells all who listen to the channel, this process too. */
  readonly publish: (channel: string, text: string) => Effect.Effect<void, EngineError>
  /**
   * Hears what is said in the channel, for as long as the scope lives; also again after the engine was away. `hear` is called
   * synchronously and must not throw. Given back at once: what is said before the engine knows of the listener is not heard.
   */
  readonly listen: (channel: string, hear: (text: string) => void) => Effect.Effect<void, never, Scope.Scope>
}
