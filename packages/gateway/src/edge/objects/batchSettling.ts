/**
 * How a batch is, as its provider tells: once it is over, what it used is settled, from its own words or from the file of its results.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Passage } from "@switchyard/core/Passage"
import { nowMs } from "@switchyard/core/Time"
import * as Usage from "@switchyard/core/Usage"
import { type Clock, Effect } from "effect"
import { usageOfResults } from "./batchLines.js"
import { type BatchMoney, summed } from "./batchMoney.js"
import { iterated } from "./bytes.js"

/** Asks the deployment that keeps a batch. */
export type AskThere = (
  passage: Passage,
  use: (answer: LlmResponse) => Effect.Effect<void, LlmError>
) => Effect.Effect<void, LlmError>

const over: ReadonlySet<unknown> = new Set(["completed", "failed", "expired", "cancelled"])

/** Asks for what lies at a path of a provider. */
export const got = (path: string): Passage => ({ method: "GET", path, query: "", headers: {}, body: undefined })

/** Where the bytes of a file are. */
export const contentPath = (id: string): string => `/files/${encodeURIComponent(id)}/content`

/** What is done with what a provider says of a batch. Settles nothing where its results cannot be read: it is asked again. */
export const settled = (
  object: JsonObject,
  { ask, clock, money }: { readonly ask: AskThere; readonly clock: Clock.Clock; readonly money: BatchMoney }
): Effect.Effect<void, LlmError> => {
  const { id, output_file_id: output, status, usage } = object
  if (typeof id !== "string" || object.object !== "batch" || !money.holds(id)) return Effect.void
  money.seen(id, nowMs(clock))
  if (!over.has(status)) return Effect.void
  const settle = (used: Usage.Usage): void => money.settle(id, used, nowMs(clock))
  const told = Usage.fromOpenAi(usage)
  if (told !== undefined && Usage.total(told) > 0) return Effect.sync(() => settle(told))
  if (typeof output !== "string") return Effect.sync(() => settle(Usage.zero))
  const results = summed()
  return ask(got(contentPath(output)), (answer) =>
    answer._tag === "Complete" || answer.status >= 300
      ? Effect.void
      : Effect.promise(() =>
          usageOfResults(iterated(answer.events), results.add).then(
            () => settle(results.sum()),
            () => {}
          )
        )
  )
}
