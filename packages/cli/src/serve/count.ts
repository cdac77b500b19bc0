import { availableParallelism } from "node:os"
import { Effect } from "effect"
import { type CommandError, fail } from "../output.js"

/** Workers at most: each is a process of some 100 MB. */
const most = 512

/** How many workers a command line asks for; undefined where it does not say. */
export const countOf = (text: string | undefined): Effect.Effect<number | "auto" | undefined, CommandError> =>
  text === undefined || text === "auto"
    ? Effect.succeed(text)
    : /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= most
      ? Effect.succeed(Number(text))
      : fail(`serve: --workers: expected a whole number from 1 to ${most}, or auto, found ${JSON.stringify(text)}`)

/** How many there are. */
export const resolved = (count: number | "auto" | undefined): number =>
  count === "auto" ? availableParallelism() : Math.min(most, count ?? 1)
