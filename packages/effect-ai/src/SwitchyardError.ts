/**
 * What an `AiError` was before @effect/ai had a word for it.
 */
import type * as AiError from "@effect/ai/AiError"
import type { LlmError } from "@switchyard/core/LlmError"
import { Option } from "effect"
import { originOf } from "./aiErrors.js"

/**
 * The router's error behind an `AiError`: its `reason`, its `retryAfter` in ms, and every attempt that was made. None for errors
 * that did not come from the router.
 */
export const of = (error: AiError.AiError): Option.Option<LlmError> => Option.fromNullable(originOf(error))
