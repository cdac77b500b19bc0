/** The other gateways behind the same port: processes of one machine, each of which is asked for all. */
import type { Effect } from "effect"

/** What an answer is made of. */
export type Answer = (args: ReadonlyArray<unknown>) => Effect.Effect<unknown>

/** The others. All that is said can be cloned. */
export interface Siblings {
  /** This one's place among them, 0 for the first. */
  readonly index: number
  /** Asks all others; those that don't answer within a second are left out. */
  readonly ask: (question: string, args: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<unknown>>
  /** Answers a question of theirs. */
  readonly answer: (question: string, f: Answer) => void
  /** Tells all others something; nobody says whether it was heard. */
  readonly tell: (topic: string, value: unknown) => void
  /** Hears what they tell; must not throw. */
  readonly hear: (topic: string, f: (value: unknown) => void) => void
  /** What all have counted: this one's metrics go in, those of all come out, also of such as are gone. */
  readonly metrics: (own: string, accept: string | undefined) => Effect.Effect<string>
  /** What this one has counted when it ends. */
  readonly counted: (own: string) => Effect.Effect<void>
}

/** What others ask a gateway for its metrics by: takes the `Accept` header. */
export const metricsQuestion = "metrics"
