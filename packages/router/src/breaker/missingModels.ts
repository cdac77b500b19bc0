import { type Closed, closed } from "@switchyard/core/Status"

/** Callers choose names, so there may be any number of them; the one that was noted first is forgotten first. */
const maxNames = 1_000

/** The names that a wildcard's provider says it does not have, each until a time. Monotonic ms. */
export class MissingModels {
  private readonly until = new Map<string, Closed>()

  /** Closed while the name is missing; undefined otherwise. Changes nothing. */
  status(model: string, now: number): Closed | undefined {
    const lacking = this.until.get(model)
    return lacking?.until !== undefined && now < lacking.until ? lacking : undefined
  }

  note(model: string, until: number): void {
    this.until.delete(model)
    if (this.until.size >= maxNames) {
      for (const oldest of this.until.keys()) {
        this.until.delete(oldest)
        break
      }
    }
    this.until.set(model, closed("cooldown", until))
  }

  forget(model: string): void {
    this.until.delete(model)
  }
}
