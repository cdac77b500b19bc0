/**
 * Options of the Fallback layer.
 */
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"
import * as FallbackChains from "./FallbackChains.js"

/** Options of the Fallback layer. */
export const Options = Field.options("Where a request goes when its group cannot serve it.", {
  /** The chains. Default: none; a request may still bring its own list. */
  chains: Field.option(FallbackChains.Config, "The chains. Default: none; a request may still bring its own list."),
  /** Hops that one request may make; 0 disables fallbacks. Default 5. */
  maxFallbacks: Field.option(Field.count, "Hops that one request may make; 0 disables fallbacks.", 5),
  /** Lets a content policy violation use `general` where it has no chain of its own. Default false. */
  contentPolicyUsesGeneral: Field.option(
    Schema.Boolean,
    "Lets a content policy violation use `general` where it has no chain of its own.",
    false
  ),
  /** Lets a request that the provider calls invalid use `general`. Default false. */
  invalidRequestUsesGeneral: Field.option(
    Schema.Boolean,
    "Lets a request that the provider calls invalid use `general`.",
    false
  )
})
/** Options of the Fallback layer. */
export type Options = typeof Options.Type

/** What an option is when it is left out. */
export const defaults = Field.defaults(Options)
