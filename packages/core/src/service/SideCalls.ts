/**
 * What providers do beside answering: they count the tokens of a request, and keep answers. It goes past the tower: it opens no
 * breaker, takes no limit and costs no budget.
 */
import type { Effect } from "effect"
import type { Deployment } from "../deployment/Deployment.js"
import type { LlmError } from "../errors/LlmError.js"
import type { JsonObject } from "../json/Json.js"
import type { LlmRequest } from "../request/LlmRequest.js"

/** How long a prompt is, as its provider counts. */
export interface Counted {
  readonly tokens: number
  /** The provider's whole answer, where it is in the request's own dialect. */
  readonly body?: JsonObject | undefined
}

/** What is asked of an answer that a provider keeps, in Responses' words. */
export interface KeptAsk {
  readonly method: "GET" | "DELETE" | "POST"
  readonly id: string
  /** What of it: what went in, or, with POST, that it be given up. */
  readonly part?: "input_items" | "cancel" | undefined
  /** With its question mark; empty without one. No key of the caller's is in it. */
  readonly query: string
}

/** What a provider answers, as it is. */
export interface SideAnswer {
  readonly status: number
  readonly body: JsonObject
}

/** Calls past the tower. Each gives undefined where the deployment's provider has no such thing. */
export interface SideCalls {
  /** `model` is the provider's own name. */
  readonly count: (
    deployment: Deployment,
    model: string,
    request: LlmRequest
  ) => Effect.Effect<Counted, LlmError> | undefined
  readonly kept: (deployment: Deployment, ask: KeptAsk) => Effect.Effect<SideAnswer, LlmError> | undefined
}

/** No provider does anything beside answering. */
export const none: SideCalls = { count: () => undefined, kept: () => undefined }
