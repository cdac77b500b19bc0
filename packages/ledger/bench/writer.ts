/** A process that writes to a ledger as fast as it may, until it is killed: `writer.ts DATA ACKNOWLEDGED [POSTGRES]`. */
import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import * as Ledger from "../src/ledger/Ledger.js"
import { cost, recordOf } from "./sample.js"

const [data = "", acknowledged = "", url] = process.argv.slice(2)

/** Records of a tick: what may be lost at most. */
const perTick = 20

const program = Effect.gen(function* () {
  const store: Ledger.Options["store"] =
    url === undefined ? { engine: "sqlite", path: join(data, "ledger.db") } : { engine: "postgres", url }
  const ledger = Context.get(yield* Layer.build(Ledger.layer({ store, data })), Ledger.Ledger)
  const file = openSync(acknowledged, "a")
  let written = 0
  const tick = (): void => {
    // What the tick before appended is in the journal's file by now.
    writeSync(file, `${written}\n`)
    for (let at = 0; at < perTick; at++) {
      const record = recordOf(written++)
      ledger.append(record)
      ledger.spend({
        scope: "caller",
        key: String(record.caller),
        length: Number.POSITIVE_INFINITY,
        cost,
        time: record.time
      })
    }
    setTimeout(tick, 1)
  }
  tick()
  return yield* Effect.never
})

await Effect.runPromise(Effect.scoped(program))
