import { readFileSync } from "node:fs"
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

/** The text of a file; undefined where there is none. */
type Read = (path: string) => string | undefined

const ofDisk: Read = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** Cores that a container may use, as the kernel's control groups (2, else 1) say; infinite where they say nothing. */
const granted = (read: Read): number => {
  const folder = "/sys/fs/cgroup"
  const [quota, period] =
    read(`${folder}/cpu.max`)?.trim().split(" ") ??
    ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map((name) => read(`${folder}/cpu/${name}`)?.trim())
  const cores = Number(quota) / Number(period)
  return cores > 0 ? Math.max(1, Math.floor(cores)) : Number.POSITIVE_INFINITY
}

/**
 * How many there are. `auto` is one for each core that this process may use: Node before 22.12 tells those of the machine, however
 * few its container has, and 64 workers on two cores take 6 GB for nothing.
 */
export const resolved = (
  count: number | "auto" | undefined,
  read: Read = ofDisk,
  cores = availableParallelism()
): number => Math.min(most, count === "auto" ? Math.min(cores, granted(read)) : (count ?? 1))
