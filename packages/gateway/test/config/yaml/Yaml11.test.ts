import { assert, describe, it } from "@effect/vitest"
import { plainValue } from "../../../src/config/yaml/yaml11.js"

describe("plain words of a LiteLLM file", () => {
  it("are read as PyYAML reads them", () => {
    const cases: ReadonlyArray<readonly [text: string, value: unknown]> = [
      ["10", 10],
      ["-3", -3],
      ["+3", 3],
      ["0", 0],
      ["010", 8],
      ["-010", -8],
      ["08", "08"],
      ["0o10", "0o10"],
      ["0x1F", 31],
      ["0b101", 5],
      ["1_000", 1000],
      ["1_000.5", 1000.5],
      ["1:30", 90],
      ["1:30:00", 5400],
      ["-1:30", -90],
      ["1:30.5", 90.5],
      ["0:30", "0:30"],
      ["1:75", "1:75"],
      ["1.5", 1.5],
      ["1.", 1],
      [".5", 0.5],
      ["1e3", "1e3"],
      ["1e-6", "1e-6"],
      ["1.0e3", "1.0e3"],
      ["1.0e+3", 1000],
      ["1.5E-3", 0.0015],
      [".inf", Number.POSITIVE_INFINITY],
      ["-.INF", Number.NEGATIVE_INFINITY],
      ["yes", true],
      ["On", true],
      ["TRUE", true],
      ["no", false],
      ["OFF", false],
      ["y", "y"],
      ["yEs", "yEs"],
      ["~", null],
      ["null", null],
      ["", null],
      ["2024-10-21", "2024-10-21"],
      ["gpt-4o", "gpt-4o"],
      ["_", "_"],
      ["1.2.3", "1.2.3"],
      ["127.0.0.1:8000", "127.0.0.1:8000"]
    ]
    for (const [text, value] of cases) assert.strictEqual(plainValue(text), value, text)
    assert.isNaN(plainValue(".nan"))
  })
})
