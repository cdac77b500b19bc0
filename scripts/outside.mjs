// @ts-check
// The packed packages where a user has them: installed in a folder outside this workspace, beside the peers that they ask
// for. There every public module is imported, and the documents' programs and some examples are compiled as strictly as
// anybody may (the libraries' declarations too), as nodenext and as bundlers resolve, and run.
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { blocksOf, contentOf, documents, fileOf, isProgram, programOf, read, root } from "./snippets.mjs"

/** @typedef {{ name: string, folder: string, file: string }} Tarball */

const npm = process.platform === "win32" ? "npm.cmd" : "npm"
const examples = ["ai-sdk", "async-await", "compose-layers", "custom-strategy", "effect-ai"]
/** What must be the very version that the workspace has, so that the same commit says the same tomorrow. */
const peers = [
  "@effect/ai",
  "@effect/platform",
  "@effect/platform-node",
  "@effect/vitest",
  "@types/node",
  "ai",
  "effect",
  "prom-client",
  "undici",
  "vitest",
  "zod"
]

const nodenext = { module: "NodeNext", moduleResolution: "NodeNext" }
const bundler = { module: "ESNext", moduleResolution: "Bundler" }
/** TypeScript as users have it: compiled to JavaScript, and native. */
const [classic, native] = ["typescript", "@typescript/native"]

/** Ways to resolve and to be strict, each of them before either compiler. */
const ways = [
  { name: "nodenext", compiler: classic, ...nodenext, exactOptionalPropertyTypes: true },
  { name: "nodenext-loose", compiler: native, ...nodenext, exactOptionalPropertyTypes: false },
  { name: "bundler", compiler: native, ...bundler, exactOptionalPropertyTypes: true },
  { name: "bundler-loose", compiler: classic, ...bundler, exactOptionalPropertyTypes: false }
]

/** @param {string} path */
const json = (path) => JSON.parse(read(path))

/** A program for each document's block, one that imports every public module, and the examples. @param {ReadonlyArray<Tarball>} tarballs */
const programs = (tarballs) => {
  /** @type {Map<string, string>} */
  const files = new Map()
  for (const document of documents) {
    const lines = read(document).split("\n")
    for (const block of blocksOf(lines)) {
      const content = contentOf(lines, block)
      if (!isProgram(lines, block)) continue
      const isTest = content.some((line) => line.includes('from "@effect/vitest"'))
      const file = fileOf(document, block)
      files.set(isTest ? file.replace(/ts$/, "test.ts") : file, programOf(block, content))
    }
  }
  const modules = tarballs.flatMap(({ folder, name }) =>
    Object.keys(json(`${folder}/package.json`).exports ?? {})
      .filter((path) => !path.endsWith(".json") && !path.includes("*"))
      .map((path) => `${name}${path.slice(1)}`)
  )
  const imports = modules.map((one, index) => `import * as m${index} from "${one}"`)
  files.set(
    "all.ts",
    `${imports.join("\n")}\nexport const all = [${modules.map((_, index) => `m${index}`).join(", ")}]\n`
  )
  for (const name of examples) files.set(`${name}.ts`, read(`examples/${name}/main.ts`))
  return files
}

/** @param {string} folder @param {ReadonlyArray<Tarball>} tarballs */
const install = (folder, tarballs) => {
  const locked = json("package-lock.json").packages
  const dependencies = Object.fromEntries([
    ...tarballs.map(({ file, name }) => [name, `file:${file}`]),
    // Effect's declarations for Node name it, and do not bring it.
    ["@types/ws", "8.18.1"],
    ...peers.map((name) => [name, locked[`node_modules/${name}`].version])
  ])
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({
      name: "outside",
      private: true,
      type: "module",
      dependencies,
      overrides: json("package.json").overrides
    })
  )
  return spawnSync(
    npm,
    ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: folder,
      encoding: "utf8"
    }
  )
}

/**
 * Runs Node there; what it says where it fails, or nothing.
 * @param {string} folder @param {string} what @param {ReadonlyArray<string>} args @returns {Promise<ReadonlyArray<string>>}
 */
const node = (folder, what, args) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 })
    let said = ""
    const hear = (/** @type {Buffer} */ bytes) => {
      said += bytes.toString()
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.on("close", (code) => resolve(code === 0 ? [] : [`${what} (${code}):\n${said.trimEnd()}`]))
  })

/** Libraries whose own declarations are not as strict as anybody may be. */
const loose = /^node_modules\/(?:ai|@ai-sdk\/[\w-]+)\//

/** What the compiler says, but for declarations of others that are known for it. @param {string} text @returns {ReadonlyArray<string>} */
const withoutForeign = (text) => {
  const [head = "", ...lines] = text.split("\n")
  let isForeign = false
  const kept = lines.filter((line) => {
    if (!/^\s/.test(line)) isForeign = loose.test(line)
    return !isForeign
  })
  // Who was stopped before a word has not compiled.
  return kept.length === 0 && lines.length > 0 ? [] : [[head, ...kept].join("\n")]
}

/** @param {string} folder @param {(typeof ways)[number]} way */
const compile = async (folder, { name, compiler, ...options }) => {
  const compilerOptions = {
    ...options,
    target: "ES2022",
    lib: ["ES2022", "DOM", "DOM.Iterable"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    rootDir: "src",
    outDir: name
  }
  writeFileSync(join(folder, `tsconfig.${name}.json`), JSON.stringify({ compilerOptions, include: ["src"] }))
  const tsc = join(root, "node_modules", compiler, "bin/tsc")
  const said = await node(folder, `compiled for ${name}`, [
    tsc,
    "--project",
    `tsconfig.${name}.json`,
    "--pretty",
    "false"
  ])
  return said.flatMap(withoutForeign)
}

/** Two at a time. @param {ReadonlyArray<() => Promise<ReadonlyArray<string>>>} tasks */
const inTurn = async (tasks) => {
  const waiting = [...tasks]
  /** @type {Array<string>} */
  const said = []
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) said.push(...(await next()))
  }
  await Promise.all([worker(), worker()])
  return said
}

/**
 * The command, with modules of a user's: one that imports nothing, one that imports what the command is made of. Its layer fails
 * to be one where there are two of that.
 * @param {string} folder
 */
const commandRuns = (folder) => {
  const command = "node_modules/switchyard/bin/switchyard.js"
  const stacks = {
    given: "export default (stack) => stack\n",
    importing: `import * as Router from "@switchyard/router/Router"
import { LlmError } from "@switchyard/core/LlmError"
export default (stack, kit) => {
  if (stack !== Router.standard || kit.LlmError.LlmError !== LlmError) throw new Error("there are two of them")
  return stack
}
`
  }
  const deployments = [{ id: "a", group: "m", model: "m", baseUrl: "http://127.0.0.1:9/v1" }]
  return [
    ["the command", [command, "--version"]],
    ...Object.entries(stacks).map(([name, text]) => {
      writeFileSync(join(folder, `${name}.mjs`), text)
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ stack: `./${name}.mjs`, deployments }))
      return [`the command with a stack, ${name}`, [command, "check", `${name}.json`]]
    })
  ].map(
    ([what, args]) =>
      () =>
        node(folder, String(what), /** @type {ReadonlyArray<string>} */ (args))
  )
}

/** What does not work there. @param {ReadonlyArray<Tarball>} tarballs @returns {Promise<ReadonlyArray<string>>} */
export const outside = async (tarballs) => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-outside-"))
  try {
    const installed = install(folder, tarballs)
    if (installed.status !== 0) return [`installed outside the workspace: ${installed.stdout}${installed.stderr}`]
    mkdirSync(join(folder, "src"))
    const files = programs(tarballs)
    for (const [name, text] of files) writeFileSync(join(folder, "src", name), text)
    const compiled = await inTurn(ways.map((way) => () => compile(folder, way)))
    if (compiled.length > 0) return compiled
    const tests = [...files.keys()].filter((name) => name.endsWith(".test.ts"))
    const plain = [...files.keys()].filter((name) => !tests.includes(name) && !examples.includes(name.slice(0, -3)))
    // All at once: what is made of a module's parts is made in each of them.
    writeFileSync(
      join(folder, "run.mjs"),
      `const [folder, ...names] = process.argv.slice(2)
for (const name of names) {
  try { await import("./" + folder + "/" + name) } catch (error) { console.error(name, error); process.exitCode = 1 }
}
`
    )
    const vitest = join(folder, "node_modules/vitest/vitest.mjs")
    const js = (/** @type {string} */ name) => name.replace(/ts$/, "js")
    return await inTurn([
      ...["nodenext", "bundler"].map((way) => () => node(folder, `run as ${way}`, ["run.mjs", way, ...plain.map(js)])),
      ...examples.map((name) => () => node(folder, `examples/${name}`, [`nodenext/${name}.js`])),
      () => node(folder, "the documents' tests", [vitest, "run", "--dir", "nodenext"]),
      ...commandRuns(folder)
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
