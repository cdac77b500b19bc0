/**
 * What every engine that processes share must do, as checks that a test file runs over an engine of its own: in memory,
 * behind another process, in Redis.
 */
import type { EngineError } from "@switchyard/router/Engine"
import { Data, Effect } from "effect"
import * as boards from "./boardRules.js"
import * as breakers from "./breakerRules.js"
import type { Harness, Rule } from "./engineRule.js"
import * as news from "./newsRules.js"
import * as spend from "./spendRules.js"
import * as usage from "./usageRules.js"
import * as values from "./valueRules.js"

export type { Harness } from "./engineRule.js"

/** An engine does not do what every engine must. */
export class EngineViolation extends Data.TaggedError("EngineViolation")<{
  /** The name of the check. */
  readonly rule: string
  /** What was found instead. */
  readonly detail: string
}> {
  override get message(): string {
    return `${this.rule}: ${this.detail}`
  }
}

/** One check, ready to run. */
export interface Check {
  readonly name: string
  readonly check: (harness: Harness) => Effect.Effect<void, EngineViolation | EngineError>
}

const rules: ReadonlyArray<Rule> = [
  ...usage.rules,
  ...boards.rules,
  ...breakers.rules,
  ...news.rules,
  ...spend.rules,
  ...values.rules
]

/** All checks, each to be run over an engine that may be new or in use: they share no keys. */
export const checks: ReadonlyArray<Check> = rules.map(([name, rule]) => ({
  name,
  check: (harness) =>
    Effect.catchTag(rule(harness), "Found", ({ detail }) => Effect.fail(new EngineViolation({ rule: name, detail })))
}))
