/** A long simulation has a process of its own with room for young objects, which V8 gives only to one that begins with it. */
import { spawn } from "node:child_process"
import { toMs } from "@switchyard/core/Time"
import type { Scenario } from "@switchyard/simulator/Scenario"
import { Effect } from "effect"

/**
 * MiB, eight times what V8 before that of Node 24 takes by itself. Requests under way then outlast fewer collections: a third less time
 * with half of it, and a tenth less again with all, for 100 MiB more.
 * Neither Node 20 nor 22 takes it while it runs.
 */
const flag = "--max-semi-space-size=128"

/** Node 24 has half of it by itself, which has to do, and whoever says how much it should be is believed. */
const isRoomy = (): boolean =>
  Number(process.versions.node.split(".")[0]) >= 24 ||
  [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].some((said) => said.includes("semi-space-size"))

const signals = ["SIGINT", "SIGTERM"] as const

/** Another process takes 0.4 s to begin, which so many requests take less in it. */
const fromRequests = 50_000

/** About how many requests a scenario sends in one variant. */
const requestsOf = ({ model, trace }: Scenario): number => {
  if (trace !== undefined) return trace.length
  const rate = (model.workload ?? []).reduce((sum, one) => sum + one.rate, 0)
  return model.requests ?? (rate * toMs(model.duration ?? 0)) / 1000
}

/** Whether a simulation is over sooner in a process of its own. */
export const isWorthwhile = (scenario: Scenario): boolean =>
  !isRoomy() && requestsOf(scenario) * scenario.variants.length >= fromRequests

/** Ends a process that was begun for another's simulation with that other one, however it ended. */
export const endWithParent: Effect.Effect<void> = Effect.sync(() => {
  // Without a channel it is undefined: nobody began this process for a simulation.
  if (process.connected === undefined || !process.execArgv.includes(flag)) return
  if (!process.connected) process.exit(1)
  process.on("disconnect", () => process.exit(1))
  // It would keep the process from ending by itself.
  process.channel?.unref()
})

const begin = Effect.async<void>((resume) => {
  const child = spawn(process.execPath, [...process.execArgv, flag, ...process.argv.slice(1)], {
    // Nothing is said over the channel: the child sees that it closes.
    stdio: ["inherit", "inherit", "inherit", "ipc"]
  })
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  for (const signal of signals) process.on(signal, pass)
  const end = (code: number): void => {
    for (const signal of signals) process.off(signal, pass)
    process.exitCode = code
    resume(Effect.void)
  }
  child.on("error", () => end(1))
  child.on("exit", (code) => end(code ?? 1))
})

/** Runs the same command in another process: signals go there, its exit code comes back. */
export const again: Effect.Effect<void> = Effect.uninterruptible(begin)
