import type { JsonObject } from "@switchyard/core/Json"
import type { RequestOptions } from "@switchyard/core/LlmRequest"

/** What every request of a model brings: its tags, its session, whose it is, what it decides for itself (`overrides`). */
export interface Routing extends Omit<RequestOptions, "exact" | "forwards"> {
  /** Further fields of the payload, in the words of OpenAI's chat: `temperature`, `max_tokens`, `reasoning_effort`, … */
  readonly body?: JsonObject | undefined
}

const merged = <A extends object>(before: A | undefined, after: A | undefined): A | undefined =>
  before === undefined || after === undefined ? (after ?? before) : { ...before, ...after }

/** Options above others: fields of payload, demands and overrides stand beside each other, all else is replaced. */
export const above = (before: Routing, after: Routing | undefined): Routing => {
  if (after === undefined) return before
  return {
    ...before,
    ...after,
    body: merged(before.body, after.body),
    demands: merged(before.demands, after.demands),
    overrides: merged(before.overrides, after.overrides)
  }
}
