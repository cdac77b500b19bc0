/**
 * The example for apps of promises, as its users run it.
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { bundled } from "../../scripts/bundled.js"

describe("the router in an app of promises", { timeout: 180_000 }, () => {
  it("answers, streams, rejects with an error that has its reason, is left by a signal, and ends", async () => {
    const program = await bundled("examples/async-await/main.ts")
    const { stdout } = await promisify(execFile)(process.execPath, [program], {
      cwd: fileURLToPath(new URL("../..", import.meta.url))
    })
    assert.deepStrictEqual(stdout.trim().split("\n"), [
      "Hello from fake",
      "Hello from fake",
      "busy, try again later",
      "TimeoutError: The operation was aborted due to timeout"
    ])
  })
})
