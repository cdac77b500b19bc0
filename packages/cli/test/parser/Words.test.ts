import { assert, describe, it } from "@effect/vitest"
import { nearest } from "@switchyard/core/Closest"
import { commands } from "../../src/Cli.js"
import { script, shells } from "../../src/parser/completions.js"
import * as Help from "../../src/parser/help.js"
import { read } from "../../src/parser/words.js"

const given = (...words: ReadonlyArray<string>): unknown => {
  const asked = read(words, commands)
  return asked._tag === "Run" ? asked.given : asked
}
const mistake = (...words: ReadonlyArray<string>): string => {
  const asked = read(words, commands)
  return asked._tag === "Mistake" ? asked.message : `no mistake: ${asked._tag}`
}

describe("the words of a command line", () => {
  it("may have options before and after the argument, in both spellings", () => {
    const wanted = {
      file: "a.yaml",
      model: "m",
      stack: false,
      json: true,
      tag: ["x", "y"],
      region: undefined,
      stream: false,
      tools: false
    }
    assert.deepStrictEqual(given("route", "a.yaml", "--model", "m", "--json", "--tag=x", "--tag", "y"), wanted)
    assert.deepStrictEqual(given("route", "--tag=x", "--tag=y", "--json", "--model=m", "a.yaml"), wanted)
    assert.deepStrictEqual(given("route", "--tag", "x", "--json", "a.yaml", "--tag", "y", "--model", "m"), wanted)
  })
  it("are no options after two dashes, nor is a dash alone", () => {
    assert.deepStrictEqual(given("check", "--strict", "--", "--odd.yaml"), {
      file: "--odd.yaml",
      strict: true,
      env: false,
      data: undefined,
      json: false
    })
    assert.include(given("check", "-") as object, { file: "-" })
  })
  it("may give an option a value that begins with a dash", () => {
    assert.include(given("route", "a.yaml", "--model", "-m") as object, { model: "-m", file: "a.yaml" })
  })
  it("may say true or false after a switch, and nothing else", () => {
    for (const [words, strict] of [
      [["--strict=true"], true],
      [["--strict", "true"], true],
      [["--strict=false"], false],
      [["--strict", "false", "--json"], false],
      [["--strict=true", "--strict=false"], false]
    ] as const) {
      assert.include(given("check", "a.yaml", ...words) as object, { file: "a.yaml", strict }, words.join(" "))
    }
    assert.include(given("check", "--strict", "--", "true") as object, { file: "true", strict: true })
    assert.include(mistake("check", "--strict=yes"), '--strict takes true, false or no value, found "yes"')
    assert.include(mistake("check", "--help=true"), "--help takes no value")
  })
  it("leave defaults where they are silent", () => {
    assert.deepStrictEqual(given("top"), { url: "http://127.0.0.1:4000", key: undefined, interval: "2s", once: false })
    assert.include(given("key") as object, { action: "", named: "", name: undefined })
    assert.deepStrictEqual(given("serve"), {
      config: undefined,
      port: undefined,
      host: undefined,
      data: undefined,
      workers: undefined
    })
  })
  it("ask for help where there are none, for a command's, and for the version anywhere", () => {
    assert.deepStrictEqual(read([], commands), { _tag: "Help", command: undefined })
    assert.deepStrictEqual(read(["help"], commands), { _tag: "Help", command: undefined })
    assert.deepStrictEqual(read(["help", "serve"], commands), { _tag: "Help", command: "serve" })
    assert.strictEqual(mistake("help", "serv"), 'no command "serv"; did you mean serve?')
    assert.deepStrictEqual(read(["serve", "-h"], commands), { _tag: "Help", command: "serve" })
    assert.deepStrictEqual(read(["route", "--json", "--help"], commands), { _tag: "Help", command: "route" })
    assert.deepStrictEqual(read(["--help", "serve"], commands), { _tag: "Help", command: undefined })
    assert.deepStrictEqual(read(["check", "--version"], commands), { _tag: "Version" })
    assert.deepStrictEqual(read(["--completions", "fish"], commands), { _tag: "Completions", shell: "fish" })
  })
  it("name what was probably meant", () => {
    assert.strictEqual(mistake("serv"), 'no command "serv"; did you mean serve?')
    assert.strictEqual(mistake("serve", "--prot", "3"), 'serve: no option "--prot"; did you mean --port?')
    assert.strictEqual(
      mistake("frobnicate"),
      'no command "frobnicate"; there is serve, check, top, route, simulate, providers, models, key, spend, schema'
    )
    assert.strictEqual(mistake("--frob"), 'no option "--frob"; there is --help, --version, --completions')
    assert.strictEqual(
      mistake("constructor"),
      'no command "constructor"; there is serve, check, top, route, simulate, providers, models, key, spend, schema'
    )
    assert.match(mistake("check", "--toString", "a"), /no option "--toString"/)
    assert.match(mistake("check", "-x", "a"), /check: no option "-x"/)
  })
  it("lack a value, or have one too many", () => {
    assert.strictEqual(mistake("serve", "--port"), "serve: --port needs a value")
    assert.strictEqual(mistake("serve", "--port", "--host", "h"), "serve: --port needs a value")
    assert.strictEqual(
      mistake("check", "--strict=yes", "a"),
      'check: --strict takes true, false or no value, found "yes"'
    )
    assert.strictEqual(mistake("check", "--strict=", "a"), 'check: --strict takes true, false or no value, found ""')
    assert.strictEqual(mistake("serve", "--port", "1", "--port=2"), "serve: --port is given twice")
    assert.strictEqual(mistake("--completions", "tcsh"), '--completions: expected sh, bash, zsh, fish, found "tcsh"')
  })
  it("lack what must be there, or hold what nobody asked for", () => {
    const missing = "check: <file> is missing: The configuration: LiteLLM's config.yaml, or our own"
    assert.strictEqual(mistake("check"), missing)
    assert.strictEqual(mistake("check", "--"), missing)
    assert.strictEqual(mistake("check", "a", "b"), 'check: "b" is one word too many')
    assert.strictEqual(mistake("serve", "foo"), 'serve: "foo" is one word too many')
    const { command } = read(["check"], commands) as { readonly command?: string }
    assert.strictEqual(command, "check")
  })
})

describe("the help", () => {
  const plain = (_: string, text: string): string => text

  it("of a command says what can be typed, and what for", () => {
    const route = commands.get("route")
    assert.isDefined(route)
    if (route === undefined) return
    const text = Help.ofCommand("route", route, plain)
    assert.include(
      text,
      "$ switchyard route [--model M] [--stack] [--tag T]... [--region R] [--stream] [--tools] [--json] <file>\n"
    )
    assert.include(text, "OPTIONS\n\n--model M\n  The model that the request asks for\n\n--stack\n")
    for (const { about } of Object.values(route.options)) assert.include(text, about)
  })
  it("of all has each command in a line", () => {
    const text = Help.ofAll(commands, plain)
    const width = Math.max(...[...commands.keys()].map(({ length }) => length)) + 2
    for (const [name, { about }] of commands) assert.include(text, `\n  ${name.padEnd(width)}${about}\n`)
  })
})

describe("the completions", () => {
  it.each(shells)("of %s know every command and option", (shell) => {
    const text = script(shell, commands)
    for (const [name, { options }] of commands) {
      assert.include(text, name)
      for (const option of Object.keys(options)) assert.include(text, shell === "fish" ? `-l ${option}` : `--${option}`)
    }
  })
})

describe("the nearest names", () => {
  it("come best first, and none where none is near", () => {
    assert.deepStrictEqual(nearest("gpt-4", ["gpt-4o-mini", "gpt-4o", "claude"]), ["gpt-4o", "gpt-4o-mini"])
    assert.deepStrictEqual(nearest("zzzzz", ["gpt-4o", "claude"]), [])
  })
})
