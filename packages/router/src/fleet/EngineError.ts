import { Schema } from "effect"

/** The engine did not do what it was asked for. */
export class EngineError extends Schema.TaggedError<EngineError>("@switchyard/router/EngineError")("EngineError", {
  /**
   * `slow`: no answer within the time that was given; `away`: no connection; `refused`: it answered with an error: a wrong
   * password, no memory left, read-only, foreign keys under the prefix.
   */
  reason: Schema.Literal("slow", "away", "refused"),
  /** A sentence for people, without secrets. */
  description: Schema.String
}) {
  override get message(): string {
    return this.description
  }
}
