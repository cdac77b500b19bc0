/** What every engine must do, of one that a real process has behind the pipe to the one that started it. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as EngineContract from "@switchyard/testing/EngineContract"
import { bundled } from "../../../../scripts/bundled.js"

interface Line {
  readonly name: string
  readonly failure?: string
}

describe("an engine behind a real process", () => {
  let found: ReadonlyMap<string, Line> = new Map()
  beforeAll(async () => {
    const program = await bundled("packages/gateway/test/workers/support/contractWorker.ts")
    const { stdout } = await promisify(execFile)(process.execPath, [program])
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line)
    found = new Map(lines.map((line) => [line.name, line]))
  }, 180_000)

  for (const { name } of EngineContract.checks) {
    it(name, () => assert.deepStrictEqual(found.get(name), { name }))
  }
})
