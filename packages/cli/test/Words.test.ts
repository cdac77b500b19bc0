import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { known } from "../src/Cli.js"
import { arrange, nearest } from "../src/words.js"

const right = (...words: ReadonlyArray<string>) => Either.getOrThrow(arrange(words, known))
const left = (...words: ReadonlyArray<string>) => Either.getOrThrow(Either.flip(arrange(words, known)))

describe("the words of a command line", () => {
  it("may have options after arguments", () => {
    assert.deepStrictEqual(right("route", "a.yaml", "--model", "m", "--json", "--tag=x"), [
      "route",
      "--model",
      "m",
      "--json",
      "--tag=x",
      "a.yaml"
    ])
  })
  it("are no options after two dashes", () => {
    assert.deepStrictEqual(right("check", "--strict", "--", "--odd.yaml"), ["check", "--strict", "--odd.yaml"])
  })
  it("may give an option a value that begins with a dash", () => {
    assert.deepStrictEqual(right("route", "a.yaml", "--model", "-m"), ["route", "--model", "-m", "a.yaml"])
  })
  it("are help where there are none", () => {
    assert.deepStrictEqual(right(), ["--help"])
    assert.deepStrictEqual(right("serve", "-h"), ["serve", "-h"])
  })
  it("name what was probably meant", () => {
    assert.strictEqual(left("serv"), 'no command "serv"; did you mean serve?')
    assert.strictEqual(left("serve", "--prot", "3"), 'serve: no option "--prot"; did you mean --port?')
    assert.strictEqual(left("frobnicate"), 'no command "frobnicate"; there is serve, check, top, route, key, schema')
  })
  it("lack a value, or have one too many", () => {
    assert.strictEqual(left("serve", "--port"), "serve: --port needs a value")
    assert.strictEqual(left("serve", "--port", "--host", "h"), "serve: --port needs a value")
    assert.strictEqual(left("check", "--strict=yes", "a"), "check: --strict takes no value")
    assert.strictEqual(left("--completions", "tcsh"), '--completions: expected sh, bash, zsh, fish, found "tcsh"')
  })
})

describe("the nearest names", () => {
  it("come best first, and none where none is near", () => {
    assert.deepStrictEqual(nearest("gpt-4", ["gpt-4o-mini", "gpt-4o", "claude"]), ["gpt-4o", "gpt-4o-mini"])
    assert.deepStrictEqual(nearest("zzzzz", ["gpt-4o", "claude"]), [])
  })
})
