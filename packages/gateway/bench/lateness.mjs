/** Loaded into a gateway that is measured: at each SIGUSR2 it writes how late its event loop was since the last one, ms at p99.9. */
import { appendFileSync } from "node:fs"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { isMainThread } from "node:worker_threads"

const told = process.env.BENCH_LATENESS
if (isMainThread && told !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  process.on("SIGUSR2", () => {
    appendFileSync(told, `${delay.percentile(99.9) / 1e6}\n`)
    delay.reset()
  })
}
