/**
 * What becomes of what a target cannot say: dropped and told, or refused by name.
 */

/** A field that is wrong, or that the target cannot express. */
export interface Problem {
  /** In the caller's own words, for example `messages[2].content[0].file_id`. */
  readonly path: string
  /** What was expected, or why it cannot be. */
  readonly expected: string
}

/**
 * Why something was left out. `advisory`: it changes no answer (cache marks, metadata, effort, tiers). `tool`: a server tool that
 * was offered and not forced. `state`: encrypted reasoning or a signature of another provider. `meaning`: it has meaning, and the
 * caller allowed to drop it (`drop_params`).
 */
export type DropReason = "advisory" | "tool" | "state" | "meaning"

/** Something that was left out. */
export interface Dropped {
  readonly path: string
  readonly reason: DropReason
}

/** Classes of a field that a target does not have. */
export type FieldClass = "advisory" | "tool" | "meaning"

/** Keeps account while a request is written: what was left out, and what cannot be. */
export class Account {
  readonly dropped: Array<Dropped> = []
  readonly problems: Array<Problem> = []

  /** With `dropsMeaning` nothing is refused for what the target lacks. */
  constructor(private readonly dropsMeaning = false) {}

  /** The target lacks a field of this class. */
  lacks(fieldClass: FieldClass, path: string, why = "the provider's dialect cannot express this"): void {
    if (fieldClass !== "meaning") this.drop(path, fieldClass)
    else if (this.dropsMeaning) this.drop(path, "meaning")
    else this.refuse(path, why)
  }

  /** Left out, and told. */
  drop(path: string, reason: DropReason): void {
    this.dropped.push({ path, reason })
  }

  /** Wrong whatever the caller allows, for example a tool's result that is missing. */
  refuse(path: string, expected: string): void {
    this.problems.push({ path, expected })
  }
}
