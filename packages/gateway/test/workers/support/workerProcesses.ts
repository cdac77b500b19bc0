/** Workers as processes behind one port, before one upstream. */
import { spawn } from "node:child_process"
import type * as SharedStates from "@switchyard/router/SharedStates"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { bundled } from "../../../../../scripts/bundled.js"
import { type Together, together } from "../../support/gateways.js"

/** What the processes are started with. */
export interface Asked extends SharedStates.Options {
  /** Settings as a file would have them. */
  readonly config: object
  readonly count: number
}

/** What is served. */
export interface Settings extends SharedStates.Options, Together {}

/** So many workers before one upstream, until the scope closes. */
export const workerProcesses = (count: number, { besides, limits, more, ...windows }: Settings) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "east", journalLimit: 20_000 })
    const config = together(upstream, { besides, limits, more })
    const program = yield* Effect.promise(() => bundled("packages/gateway/test/workers/support/stampingWorkers.ts"))
    const asked: Asked = { config, count, ...windows }
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [program, JSON.stringify(asked)], { stdio: ["ignore", "pipe", "inherit"] })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const line = yield* Effect.promise(
      () =>
        new Promise<string>((resolve, reject) => {
          child.stdout.setEncoding("utf8").once("data", resolve)
          child.once("exit", () => reject(new Error("the primary ended")))
        })
    )
    const { pids, url } = JSON.parse(line) as { readonly pids: ReadonlyArray<number>; readonly url: string }
    return { upstream, url, pids }
  })
