/** A program that is one file, and what V8 has compiled of it. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

const loader = fileURLToPath(new URL("../../bin/load.cjs", import.meta.url))
let folder = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-load-"))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** A program that says a word, and stays until it is compiled. */
const program = (hash: string, word: string): string =>
  `/*${hash}*/(function(exports,require,module,__filename,__dirname,importHere){
console.log("${word}");setTimeout(()=>importHere("node:path").then(({sep})=>console.log(sep)),50)})\n`

const run = (hash: string, word: string): string => {
  const file = join(folder, "program.cjs")
  writeFileSync(file, program(hash, word))
  const code = `require(${JSON.stringify(loader)}).load(${JSON.stringify(file)})`
  return execFileSync(process.execPath, ["-e", code], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "", SWITCHYARD_START_TAKES: "1" }
  })
}

const kept = (): ReadonlyArray<string> => readdirSync(folder).filter((name) => name.endsWith(".cache"))

describe("a program that is one file", () => {
  it("runs the same with what was compiled before as without, and imports", () => {
    assert.strictEqual(run("aaaa", "one"), "one\n/\n")
    assert.match(kept().join(), /^program\.cjs\.aaaa\.v[\d.]+-\d+\.cache$/)
    assert.strictEqual(run("aaaa", "one"), "one\n/\n")
    assert.strictEqual(kept().length, 1)
  })

  it("takes nothing of what was compiled of another program of the same length", () => {
    run("aaaa", "one")
    assert.strictEqual(run("bbbb", "two"), "two\n/\n")
  })

  it("is taken by V8 at the next start, also where a gateway has changed how garbage is collected since", () => {
    run("aaaa", 'one");require("node:v8").setFlagsFromString("--no-allocation-site-pretenuring");("')
    const [name = ""] = kept()
    const [file, cache] = ["program.cjs", name].map((one) => JSON.stringify(join(folder, one)))
    const code = `const { readFileSync } = require("node:fs"); const source = readFileSync(${file}, "latin1")
      const { cachedDataRejected } = new (require("node:vm").Script)(source, { filename: ${file}, cachedData: readFileSync(${cache}) })
      console.log(cachedDataRejected)`
    assert.strictEqual(execFileSync(process.execPath, ["-e", code], { encoding: "utf8" }), "false\n")
  })

  it("runs where what is kept is spoilt", () => {
    run("aaaa", "one")
    for (const name of kept()) writeFileSync(join(folder, name), "nothing that V8 knows")
    assert.strictEqual(run("aaaa", "one"), "one\n/\n")
  })
})
