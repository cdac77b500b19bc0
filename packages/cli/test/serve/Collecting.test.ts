/** V8 knows its flags by name only, and says so on stderr where it knows one no more. */
import { spawnSync } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"

describe("how garbage is collected", () => {
  it("is set by a flag that this Node's V8 knows", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["-e", 'require("node:v8").setFlagsFromString("--no-allocation-site-pretenuring")'],
      { encoding: "utf8" }
    )
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
  })
})
