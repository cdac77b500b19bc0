/**
 * What was left out of translated requests: told once for each field of a deployment, so that nobody has to guess why it does
 * nothing.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { Dropped, DropReason } from "@switchyard/dialects/Problem"
import { Effect } from "effect"

/** Fields that are told of, for each deployment. */
const maxTold = 100

const reasons: Readonly<Record<DropReason, string>> = {
  advisory: "the provider's dialect has no such thing",
  tool: "only its own provider runs this tool",
  state: "only the provider that issued it can read it",
  meaning: "the provider's dialect cannot express it, and `drop_params` allows to leave it out"
}

/** One name for all places of a field in lists. */
const fieldOf = ({ path }: Dropped): string => path.replace(/\[\d+\]/g, "[*]").replace(/\.\d+(?=\.|$)/g, ".*")

/** Remembers what was told. */
export class LeftOut {
  private readonly told = new WeakMap<object, Set<string>>()

  /** Notes what was left out of an attempt; logs what is new about its deployment. */
  tell(attempt: Attempt, dropped: ReadonlyArray<Dropped>): Effect.Effect<void> | undefined {
    attempt.leftOut = dropped
    let told = this.told.get(attempt.target)
    if (told === undefined) {
      told = new Set()
      this.told.set(attempt.target, told)
    }
    const news: Array<string> = []
    for (const one of dropped) {
      const field = fieldOf(one)
      if (told.has(field) || told.size >= maxTold) continue
      told.add(field)
      news.push(`${field} (${reasons[one.reason]})`)
    }
    if (news.length === 0) return undefined
    return Effect.logInfo(`${attempt.deployment}: left out of translated requests from now on: ${news.join(", ")}`)
  }
}
