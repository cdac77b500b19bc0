// @ts-check
// Makes the command one file, and the ledger's thread another, of what the build has compiled and of the packages that they
// use: a start then reads one file in place of a thousand. Beside them: the licences of all that is in them, and what V8 has
// compiled of them, for the Node that builds. Part of `npm run build`.
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { warm } from "./bundle/warm.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = join(root, "packages/cli/dist/command")
const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, "utf8"))

/** A module goes on finding what lies beside it in its package. @type {import("esbuild").Plugin} */
const ownPlaces = {
  name: "own-places",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]packages[\\/][^\\/]+[\\/]dist[\\/].*\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, "utf8")
      const [, name = "", inside = ""] = /^packages[\\/]([^\\/]+)[\\/](.*)$/.exec(relative(root, path)) ?? []
      // The thread is a file beside the command.
      if (!contents.includes("import.meta.url") || inside.endsWith("threadModule.js")) return { contents, loader: "js" }
      const place = [json(join(root, "packages", name, "package.json")).name, inside.replaceAll("\\", "/")]
      const args = place.map((one) => JSON.stringify(one)).join(", ")
      return { contents: contents.replaceAll("import.meta.url", `placeOf(${args})`), loader: "js" }
    })
  }
}

/** Puts a module in place of a package. @returns {import("esbuild").Plugin} */
const inPlaceOf = (/** @type {string} */ name, /** @type {string} */ contents) => ({
  name,
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: new RegExp(`^${name}$`) }, ({ path }) => ({ path, namespace: name, sideEffects: false }))
    onLoad({ filter: /.*/, namespace: name }, () => ({ contents, loader: "js", resolveDir: root }))
  }
})

const plugins = [
  ownPlaces,
  // What is used of it: all of it brings a browser's fetch, caches and sockets.
  inPlaceOf(
    "undici",
    `export { default as Agent } from "undici/lib/dispatcher/agent.js"
export { default as ProxyAgent } from "undici/lib/dispatcher/proxy-agent.js"
export { default as buildConnector } from "undici/lib/core/connect.js"
export { default as errors } from "undici/lib/core/errors.js"
export default undefined
`
  ),
  // Nobody asks for HTTP/2, and Node's module for that is a large one.
  inPlaceOf("./client-h2.js", 'module.exports = () => { throw new Error("HTTP/2 is not spoken here") }\n'),
  // Effect names it for values made up from schemas, which nothing here asks for.
  inPlaceOf("fast-check", "export const array = undefined\n")
]

/**
 * One byte a character, which takes half the memory: what esbuild leaves as it is are letters in regular expressions, where an
 * escape means the same.
 */
const escaped = (/** @type {string} */ code) =>
  code.replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** What runs the programs, and sets flags, which what V8 keeps is bound to. */
const starters = ["load.cjs", "switchyard.js"].map((file) => readFileSync(join(root, "packages/cli/bin", file))).join()

/** Makes a program one file. */
const bundle = async (/** @type {string} */ name, /** @type {string} */ entry) => {
  const { metafile, outputFiles } = await build({
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    target: "node20",
    // V8 keeps what it has compiled of scripts, on every Node, and of modules on the newer ones only.
    format: "cjs",
    // Names stay: stacks are read.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    inject: [join(root, "scripts/bundle/places.mjs")],
    define: { "import.meta.url": "bundleUrl", SWITCHYARD_BUNDLED: "true" },
    // What only some install, and what is no JavaScript.
    external: ["@parcel/watcher", "gpt-tokenizer", "libsql", "pg-native", "prom-client"],
    plugins,
    logLevel: "warning"
  })
  const code = escaped(outputFiles[0]?.text ?? "").replace(/(?<![\w$.])import\(/g, "importHere(")
  const hash = createHash("sha256").update(code).update(starters).digest("hex").slice(0, 16)
  const text = `/*${hash}*/(function(exports,require,module,__filename,__dirname,importHere){${code}})\n`
  return { file: `${name}.cjs`, text, inputs: Object.keys(metafile.inputs) }
}

/** The licences of the packages that files belong to. */
const licencesOf = (/** @type {ReadonlyArray<string>} */ files) => {
  const packages = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
  return [...packages].sort().map((path) => {
    const { license, name, version } = json(join(root, path, "package.json"))
    const file = readdirSync(join(root, path)).find((one) => /^(licen[cs]e|copying)/i.test(one))
    const text = file === undefined ? "" : `\n${readFileSync(join(root, path, file), "utf8").trim()}\n`
    return `${name} ${version}, ${license}\n${text}`
  })
}

const threadModule = `import { fileURLToPath } from "node:url"
import loader from "../../bin/load.cjs"
loader.load(fileURLToPath(new URL("thread.cjs", import.meta.url)))
`

const programs = await Promise.all([
  bundle("main", "packages/cli/dist/main.js"),
  bundle("thread", "packages/ledger/dist/worker/thread.js")
])
const isSame = programs.every(
  ({ file, text }) => existsSync(join(folder, file)) && readFileSync(join(folder, file), "latin1") === text
)
const isKept = () =>
  programs.every(({ file }) => readdirSync(folder).some((one) => one.startsWith(`${file}.`) && one.endsWith(".cache")))
if (!isSame || !isKept()) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { file, text } of programs) writeFileSync(join(folder, file), text, "latin1")
  writeFileSync(join(folder, "thread.js"), threadModule)
  const inputs = programs.flatMap((one) => one.inputs)
  writeFileSync(join(folder, "LICENSES.txt"), `${licencesOf(inputs).join(`\n${"-".repeat(80)}\n`)}\n`)
  await warm(isKept)
}
