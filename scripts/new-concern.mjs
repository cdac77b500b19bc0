// @ts-check
// Lays a concern of the router: `npm run new:concern -- Redaction` (`--tier attempt` for one that knows its deployment, and
// `--folder NAME` for a place beside others). It makes the module and its test, writes the exports, and says what is left to
// do. `--check` lays one of each tier in .tmp, and type-checks, lints and tests them there.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { root } from "./snippets.mjs"

/** @typedef {"request" | "attempt"} Tier */

/** @param {string} name */
const small = (name) => name.charAt(0).toLowerCase() + name.slice(1)

/** @param {string} name @param {Tier} tier */
const moduleOf = (name, tier) => {
  const [tag, kind] = tier === "request" ? ["LlmService", "Request"] : ["DeploymentService", "Attempt"]
  return `/**
 * What it is for, and why it stands where it stands.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
${tier === "attempt" ? 'import { DeploymentService } from "@switchyard/core/DeploymentService"\n' : ""}import * as Field from "@switchyard/core/Field"
${tier === "request" ? 'import { LlmService } from "@switchyard/core/LlmService"\n' : ""}import * as Service from "@switchyard/core/Service"
import { Effect, Layer, Schema } from "effect"
import * as Concern from "../stack/Concern.js"

/** Options of the layer: each with a sentence that says its unit, default and bounds. */
export const Options = Schema.Struct({})
/** Options of the layer. */
export type Options = typeof Options.Type

/** The layer. */
export const make = (_options: Options = {}): Service.${kind}Layer => Service.map${kind}((call) => call)

/** Puts it around the inner service: say where it belongs. */
export const layerWith = (options: Options): Layer.Layer<${tag}, ConfigError, ${tag}> =>
  Service.wrap(
    ${tag},
    Effect.map(Field.decode(Options, options, "${small(name)}"), (valid) => make(valid))
  )

/** Puts it around the inner service, with the defaults. */
export const layer: Layer.Layer<${tag}, never, ${tag}> = Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack: say what it belongs outside of, and why. */
export class ${name} extends Concern.${tier}({
  name: "${small(name)}",
  about: "What it is for, in a sentence",
  options: Options,
  make: (options) => make(options)
}) {}
`
}

/** @param {string} name @param {Tier} tier */
const testOf = (name, tier) => `import { assert, describe, it } from "@effect/vitest"
import * as ${name} from "@switchyard/router/${name}"
import * as Contract from "@switchyard/testing/Contract"
import { Effect } from "effect"

describe("${name}", () => {
  it("is a concern of the ${tier} tier", () => {
    assert.strictEqual(${name}.${name}.id, "${small(name)}")
    assert.strictEqual(${name}.${name}.tier, "${tier}")
  })
})

describe("${name} keeps the contract of ${tier === "attempt" ? "an attempt" : "a request"}-tier layer", () => {
  const make = Effect.sync(() => ${name}.make())
  for (const { check, name } of Contract.${tier}Layer(make)) it.effect(name, () => check)
})
`

/** What is left to do, by the files that it is done in. @param {string} folder @param {string} name @param {Tier} tier */
const next = (folder, name, tier) => [
  [`packages/router/src/${folder}/${name}.ts`, "what it does; `outside`, `inside` and `state`, where it has any"],
  [`packages/router/test/${folder}/${name}.test.ts`, "a test for each behaviour"],
  ...(readdirSync(join(root, "packages/router/src")).includes(folder)
    ? []
    : [[".dependency-cruiser.cjs", `the folder ${folder} in \`concerns\`, after those that it uses`]]),
  ["packages/router/src/router/StandardStack.ts", "its place, if every router shall have it"],
  ["packages/router/README.md", `a row of the table of the ${tier} tier`],
  ["docs/semantics.md", "a row for each behaviour"],
  ["CHANGELOG.md", "what users notice"]
]

/** @param {string} path @param {string} text */
const write = (path, text) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** @type {(what: string) => never} */
const giveUp = (what) => {
  console.error(what)
  process.exit(1)
}

/** @param {string} script @param {ReadonlyArray<string>} args @param {string} [input] */
const run = (script, args, input) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, "node_modules", script), ...args], {
    cwd: root,
    encoding: "utf8",
    input
  })
  if (status !== 0) giveUp(`${script} ${args.join(" ")}:\n${stdout}${stderr}`)
  return stdout
}

const check = () => {
  const scratch = ".tmp/new-concern"
  rmSync(join(root, scratch), { recursive: true, force: true })
  for (const tier of /** @type {ReadonlyArray<Tier>} */ (["request", "attempt"])) {
    const name = `Laid${tier === "request" ? "Request" : "Attempt"}`
    const files = [
      { path: `packages/router/src/laid/${name}.ts`, text: moduleOf(name, tier) },
      { path: `packages/router/test/laid/${name}.test.ts`, text: testOf(name, tier) }
    ]
    for (const { path, text } of files) {
      const inOrder = run("@biomejs/biome/bin/biome", ["check", "--write", `--stdin-file-path=${path}`], text)
      if (inOrder !== text)
        giveUp(`new-concern.mjs would lay ${path} otherwise than the linter wants it:
${inOrder}`)
      // There the workspace does not know it by its name, nor it the workspace by its place.
      const placed = text
        .replace("../stack/Concern.js", "@switchyard/router/Concern")
        .replace(`@switchyard/router/${name}`, `../../src/laid/${name}.js`)
      write(join(root, scratch, path), placed)
    }
    for (const [path] of next("router", name, tier)) {
      if (!path.includes(name) && !existsSync(join(root, path)))
        giveUp(`new-concern.mjs names ${path}, which is not there`)
    }
  }
  const tsconfig = {
    extends: "../../tsconfig.base.json",
    compilerOptions: { noEmit: true, plugins: [] },
    include: ["packages"]
  }
  write(join(root, scratch, "tsconfig.json"), JSON.stringify(tsconfig))
  run("@typescript/native/bin/tsc", ["--project", `${scratch}/tsconfig.json`])
  run("vitest/vitest.mjs", ["run", "--config", join(root, "vitest.config.ts"), "--root", scratch])
  rmSync(join(root, scratch), { recursive: true })
  console.log("new:concern: what it lays compiles, is in order, and passes its test")
}

const lay = () => {
  const args = process.argv.slice(2)
  /** @param {string} flag @param {string} otherwise */
  const option = (flag, otherwise) => {
    const at = args.indexOf(flag)
    return at === -1 ? otherwise : (args.splice(at, 2)[1] ?? "")
  }
  const tier = option("--tier", "request")
  const given = option("--folder", "")
  const [name = ""] = args
  if (args.length !== 1 || !/^[A-Z][A-Za-z0-9]*$/.test(name) || (tier !== "request" && tier !== "attempt")) {
    giveUp("npm run new:concern -- Name [--tier request|attempt] [--folder name]: a name in PascalCase")
  }
  const folder = given === "" ? small(name) : given
  const module = `packages/router/src/${folder}/${name}.ts`
  const test = `packages/router/test/${folder}/${name}.test.ts`
  for (const path of [module, test]) if (existsSync(join(root, path))) giveUp(`${path} is there already`)
  const left = next(folder, name, tier)
  write(join(root, module), moduleOf(name, tier))
  write(join(root, test), testOf(name, tier))
  const { status } = spawnSync(process.execPath, [join(root, "scripts/exports.mjs")], { stdio: "inherit" })
  if (status !== 0) process.exit(1)
  console.log(`${name} is laid, and \`npx vitest run ${test}\` passes. Next:`)
  for (const [path, what] of left) console.log(`  ${path}: ${what}`)
}

if (process.argv.includes("--check")) check()
else lay()
