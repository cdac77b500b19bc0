/** Kills what a run has started when the run itself is gone without having done so. */
const pids = new Set<number>()

process.on("message", ({ add, drop }: { readonly add?: number; readonly drop?: number }) => {
  if (add !== undefined) pids.add(add)
  if (drop !== undefined) pids.delete(drop)
})
process.on("disconnect", () => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has ended by itself.
    }
  }
  process.exit(0)
})
