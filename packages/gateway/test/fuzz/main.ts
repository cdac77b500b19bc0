/**
 * `npm run fuzz -- [--target edge|upstream|config] [--minutes 5] [--seed N]`: fuzzes one target, or one after the other, and
 * writes what it finds to `found/` beside this file.
 */
import { parseArgs } from "node:util"
import { replay, run } from "./campaign.js"
import { foundFolder, type Target } from "./target.js"
import * as makers from "./targets.js"

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) }
  }
})

const names = values.target === undefined ? Object.keys(makers) : [values.target]
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (names.some((name) => !(name in makers)) || !(minutes > 0) || !Number.isInteger(seed)) {
  console.error(`fuzz [--target ${Object.keys(makers).join("|")}] [--minutes 5] [--seed 1]`)
  process.exit(2)
}

const fuzz = async <Case>(target: Target<Case>): Promise<number> => {
  console.log(`fuzz: ${target.name}, --seed ${seed}`)
  const stale = await replay(target)
  for (const problem of stale) console.error(`fuzz: corpus ${problem}`)
  const { cases, found } = await run(target, {
    seed,
    ms: minutes * 60_000,
    cases: Number.POSITIVE_INFINITY,
    write: true
  })
  console.log(`fuzz: ${target.name}: ${cases} cases, ${found.length} broken promises`)
  await target.close()
  return stale.length + found.length
}

const main = async (): Promise<void> => {
  let problems = 0
  if (names.includes("edge")) problems += await fuzz(await makers.edge())
  if (names.includes("upstream")) problems += await fuzz(await makers.upstream())
  if (names.includes("config")) problems += await fuzz(await makers.config())
  if (problems > 0) console.error(`fuzz: ${problems} problems; see ${foundFolder}`)
  process.exit(problems > 0 ? 1 : 0)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(2)
})
