import type { Draft } from "../draft.js"

/** Why deployments were left out, for the one error that says that none is left. */
export class LeftOut {
  private readonly dialects = new Set<string>()
  private readonly variables = new Set<string>()
  private others = 0
  /** Patterns of names that a wildcard would have taken, and why it does not. */
  readonly refused: Record<string, string> = {}

  constructor(private readonly draft: Draft) {}

  /** A provider's own dialect would be needed. */
  dialect(entry: string, path: string, provider: string, sentence: string): void {
    this.dialects.add(provider)
    this.tell(entry, path, sentence)
  }

  /** A variable that holds a key or an address is not set. */
  unset(entry: string, path: string, names: ReadonlyArray<string>, sentence: string): void {
    for (const name of names) this.variables.add(name)
    this.tell(entry, path, sentence)
  }

  /** Anything else. */
  other(entry: string, path: string, sentence: string, meant?: string): void {
    this.others++
    this.tell(entry, path, sentence, meant)
  }

  private tell(entry: string, path: string, sentence: string, meant?: string): void {
    this.draft.leftOut.add(entry)
    this.draft.warn(path, sentence, meant)
  }

  /** What is to be mended before anything can be served; empty where nothing was left out. */
  get causes(): string {
    const dialects = [...this.dialects].join(" and ")
    const parts = [
      ...(dialects === ""
        ? []
        : [`${this.dialects.size === 1 ? "the dialect" : "the dialects"} of ${dialects} cannot be spoken yet`]),
      ...(this.variables.size === 0 ? [] : [`not set in the environment: ${[...this.variables].join(", ")}`]),
      ...(this.others === 0 ? [] : ["see the warnings"])
    ]
    return parts.length === 0 ? "" : ` (${parts.join("; ")})`
  }
}
