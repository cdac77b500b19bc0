/**
 * What many processes share, as an engine keeps it: the use of limits, exact over all of them. An engine is Redis, or the
 * first process of several on one machine. Layers of the tower never speak to it: the states of this folder do, within
 * bounds of time, and know what to do without it.
 */
import type { Effect } from "effect"
import type { BoardEngine } from "./BoardEngine.js"
import type { BreakerEngine } from "./BreakerEngine.js"
import type { EngineError } from "./EngineError.js"
import type { NewsEngine } from "./NewsEngine.js"
import type { SpendEngine } from "./SpendEngine.js"
import type { ValueEngine } from "./ValueEngine.js"

export { EngineError } from "./EngineError.js"

/** What one key may use; undefined means no limit. */
export interface SharedLimits {
  /** Requests per window. */
  readonly rpm: number | undefined
  /** Tokens per window. */
  readonly tpm: number | undefined
  /** Calls at once. */
  readonly maxParallel: number | undefined
}

/** What one key has used, by the engine's own clock. Times are ms from the answer on. */
export interface SharedUse {
  /** Requests admitted in the window. */
  readonly requests: number
  /** Tokens used in the window, and held by calls in flight. */
  readonly tokens: number
  /** Calls in flight. */
  readonly calls: number
  /** How soon the first of these requests leaves the window; undefined when there is none. */
  readonly requestsFreeIn: number | undefined
  /** The same of tokens. */
  readonly tokensFreeIn: number | undefined
}

/** Asks for room of one call. */
export interface AdmitAsk {
  /** Whose limits: a deployment or a caller. */
  readonly key: string
  /** Names the call, in all processes: asked again under this name, it is the same call. Callers have no say in it. */
  readonly attempt: string
  readonly limits: SharedLimits
  /** Estimated; at least 1 and at most `tpm` are held. */
  readonly tokens: number
  /** How long the room is held without a word of its process, ms. */
  readonly lease: number
  /** Length of the window, ms. */
  readonly window: number
}

/** There is room, and it is held. */
export interface Admitted {
  readonly _tag: "Admitted"
  /**
   * Admissions of this key so far, this one included: the n-th and the (n + rpm)-th are at least a window apart. 0 where a process
   * let it in by room that it was lent.
   */
  readonly number: number
  readonly use: SharedUse
}

/** There is none. */
export interface Refused {
  readonly _tag: "Refused"
  readonly reason: "rpm" | "tpm" | "maxParallel"
  /** How soon time alone makes room, ms; undefined where a call has to end. */
  readonly freesIn: number | undefined
  readonly use: SharedUse
}

/** What went on without the engine, told when it is back. */
export interface Recorded {
  readonly key: string
  readonly window: number
  /** How long ago, ms. */
  readonly ago: number
  readonly requests: number
  readonly tokens: number
}

/** A call that its process still makes. */
export interface Held {
  readonly key: string
  readonly attempt: string
}

/** The use of limits by many processes. Each operation is atomic; limits are those of the question. */
export interface UsageEngine {
  readonly admit: (ask: AdmitAsk) => Effect.Effect<Admitted | Refused, EngineError>
  /** The call is over and used so many tokens. Nothing happens to one that is not known, or was settled before. */
  readonly settle: (held: Held, tokens: number) => Effect.Effect<void, EngineError>
  /** Nothing was sent: all comes back. */
  readonly release: (held: Held) => Effect.Effect<void, EngineError>
  /** Holds calls for `lease` ms from now on; gives those whose lease has ended before, and with it their room. */
  readonly renew: (held: ReadonlyArray<Held>, lease: number) => Effect.Effect<ReadonlyArray<Held>, EngineError>
  readonly record: (recorded: ReadonlyArray<Recorded>) => Effect.Effect<void, EngineError>
  /** What keys have used, in their order. */
  readonly look: (keys: ReadonlyArray<string>, window: number) => Effect.Effect<ReadonlyArray<SharedUse>, EngineError>
}

/**
 * Room that this process was lent in advance: calls that fit into it are let in, and end, without a question. What was lent
 * counts for all others as if it were used.
 */
export interface LentUsage {
  /** Undefined where the engine has to be asked. */
  readonly admit: (ask: AdmitAsk) => Admitted | undefined
  /**
   * A call that was let in here is over, with the tokens that it used; undefined where nothing was sent. False for any other
   * call.
   */
  readonly end: (held: Held, tokens: number | undefined) => boolean
}

/** Who else is there. */
export interface Replicas {
  /** Processes that said so within the last seconds, this one included. */
  readonly count: number
  /** This one's place among them by id, 0 for the first. */
  readonly place: number
}

/** All that processes share. Questions and answers are plain data, so that they may go from process to process. */
export interface Engine {
  /** `redis`, `primary`: for people. */
  readonly name: string
  readonly usage: UsageEngine
  /** Where it lends room in advance. */
  readonly lent?: LentUsage | undefined
  readonly spend: SpendEngine
  readonly boards: BoardEngine
  readonly news: NewsEngine
  readonly breakers: BreakerEngine
  readonly values: ValueEngine
  /** Says that this process is there, for `lasts` ms, and learns of the others. */
  readonly announce: (id: string, lasts: number) => Effect.Effect<Replicas, EngineError>
}
