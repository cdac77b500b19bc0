/**
 * What an answer's reader goes by, and what it does to its call and its exchange.
 */
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Effect } from "effect"
import type { TransportHandle, TransportHandlers } from "../transport/wire.js"

/** Bounds and ways of reading an answer. */
export interface AnswerSettings {
  /** Bytes of a whole answer. */
  readonly maxBody: number
  /** Characters of one event of a stream. */
  readonly maxEvent: number
  readonly onMalformed: "cut" | "skip"
  readonly onMissingFinish: "cut" | "accept"
}

/** The same request without what a provider may refuse: what the gateway has added to it, or state of another provider. */
export interface Plainer {
  /** Whether an answer refuses just that. */
  readonly isRefused: (status: number, body: string) => boolean
  readonly send: (handlers: TransportHandlers) => TransportHandle
  /** It was taken so: the provider need not be asked for more again. */
  readonly worked: () => void
}

/** How a call is answered. */
export type Resume = (effect: Effect.Effect<LlmResponse, LlmError>) => void

/** What an answer does to the exchange that it comes by. */
export interface Wire {
  /** Nothing more is wanted of the answer. */
  readonly isOver: boolean
  readonly abort: () => void
  readonly pause: () => void
  readonly resume: () => void
  /** The answer is complete, though the response may not be. */
  readonly done: () => void
  readonly ask: (plainer: Plainer) => void
  /** Runs what no caller of ours would catch. */
  readonly safely: (f: () => void) => void
}
