/**
 * One upstream as a process of its own, so that it can be frozen and killed: a fake provider whose faults follow from the
 * seed. It tells its parent of every call it gets, and ends with it.
 */
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { askIn } from "./ask.js"
import { choose } from "./upstreamFaults.js"

/** What an upstream tells its parent: that it listens, or that it got a call. */
export type Told = { readonly listens: number } | { readonly id: number; readonly fault: string | undefined }

/** What an upstream is told: from now on everything is answered well. */
export interface Calm {
  readonly calm: true
}

const [name = "upstream", port = "0", seed = "1"] = process.argv.slice(2)

const tell = (told: Told): void => void (process.connected && process.send?.(told))

const program = Effect.gen(function* () {
  let calm = false
  const times = new Map<number, number>()
  process.on("message", () => {
    calm = true
  })
  process.on("disconnect", () => process.exit(0))
  // It may be gone already.
  if (!process.connected) process.exit(0)
  const provider = yield* FakeProvider.make({ name, port: Number(port), journalLimit: 10 })
  yield* provider.when(({ body }) => {
    const ask = askIn(body)
    if (ask === undefined) return undefined
    const nth = times.get(ask.id) ?? 0
    times.set(ask.id, nth + 1)
    const { behaviour, fault } = choose(ask, Number(seed), name, nth, calm)
    tell({ id: ask.id, fault })
    return behaviour
  })
  tell({ listens: provider.port })
  return yield* Effect.never
}).pipe(Effect.scoped)

await Effect.runPromise(program)
