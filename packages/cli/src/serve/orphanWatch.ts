/** Ends a process whose parent is gone, whatever its main thread does: in an endless loop it never hears of it. */
import { Worker } from "node:worker_threads"

/** Ms between two looks at who the parent is. */
const lookEvery = 1_000

/** MiB, so that what it may have by the machine's memory is not set aside for it. */
const resourceLimits = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8 }

/**
 * Ends the process with SIGKILL within two seconds of its parent's end. A thread of some 8 MiB and about a ms of CPU a second: all else of
 * Node runs on the main thread, and no signal comes from a parent that was killed. It keeps no process alive.
 */
export const begin = (): void => {
  const look = `
    const process = require("node:process")
    setInterval(() => process.ppid !== ${process.ppid} && process.kill(process.pid, "SIGKILL"), ${lookEvery})`
  new Worker(look, { eval: true, execArgv: [], resourceLimits }).unref()
}
