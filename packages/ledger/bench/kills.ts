/**
 * Kills a process that writes to a ledger at a random moment, again and again on the same data, and counts what came of it:
 * `kills.ts [TIMES] [POSTGRES]`, 50 times by default. Exits 1 when more is lost than the last tick, or anything counts twice.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Context, Effect, Layer } from "effect"
import * as Ledger from "../src/ledger/Ledger.js"

const times = Number(process.argv[2] ?? 50)
const url = process.argv[3]
const data = mkdtempSync(join(tmpdir(), "switchyard-kills-"))
const told = join(data, "acknowledged")
const writer = fileURLToPath(new URL("./writer.ts", import.meta.url))
const perTick = 20

const acknowledged = (): number => Number(readFileSync(told, "utf8").trimEnd().split("\n").at(-1) ?? 0)

const stored = Effect.scoped(
  Effect.gen(function* () {
    const store: Ledger.Options["store"] =
      url === undefined ? { engine: "sqlite", path: join(data, "ledger.db") } : { engine: "postgres", url }
    const ledger = Context.get(yield* Layer.build(Ledger.layer({ store, data })), Ledger.Ledger)
    const [sum] = yield* ledger.store.report({ by: [], from: undefined, to: undefined })
    return sum?.requests ?? 0
  })
)

let sure = 0
let lost = 0
let before = await Effect.runPromise(stored)
const first = before
for (let time = 1; time <= times; time++) {
  writeFileSync(told, "")
  const child = spawn(
    process.execPath,
    [...process.execArgv, writer, data, told, ...(url === undefined ? [] : [url])],
    {
      stdio: ["ignore", "ignore", "inherit"]
    }
  )
  const ended = new Promise((resolve) => child.once("exit", resolve))
  while (acknowledged() === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_000))
  child.kill("SIGKILL")
  await ended
  const after = await Effect.runPromise(stored)
  const has = after - before
  const promised = acknowledged()
  before = after
  sure += promised
  // What was appended in the tick that was killed may be there in part.
  if (has < promised || has > promised + perTick) {
    lost++
    console.error(`time ${time}: ${promised} were in the journal, ${has} are stored`)
  }
}
console.log(
  `${times} kills: ${sure} records were in the journal, ${before - first} are stored; ${lost} kills lost or doubled any`
)
rmSync(data, { recursive: true, force: true })
process.exit(lost === 0 ? 0 : 1)
