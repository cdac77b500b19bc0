// Writes what a package offers from the files that it has: a module in PascalCase is public, one in camelCase is a part of
// its neighbours. An import path is the module's name alone, whatever folder it lives in, so that a move breaks nobody.
// `--check` fails when an `index.ts` or an exports map says something else, and writes nothing.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join, posix } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const isCheck = process.argv.includes("--check")

/** Folders whose modules keep a first part in their import path. */
const prefixes = new Map([["router/balancing/strategies", "RoutingStrategy/"]])
/** Modules whose name says too little beside all others. */
const renamed = new Map([["RoutingStrategy/Names", "StrategyNames"]])

const problems = []

/** As the formatter sorts them: letter by letter, a capital just before its small letter. */
const sortKey = (/** @type {string} */ path) =>
  [...path].map((letter) => letter.toLowerCase() + (letter === letter.toLowerCase() ? 1 : 0)).join("")
const inOrder = (/** @type {string} */ a, /** @type {string} */ b) => (sortKey(a) < sortKey(b) ? -1 : 1)

const modulesIn = (/** @type {string} */ name, folder = "") =>
  readdirSync(join(root, "packages", name, "src", folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return modulesIn(name, path)
    return /^[A-Z]\w*\.ts$/.test(entry.name) ? [path.replace(/\.ts$/, "")] : []
  })

const published = (/** @type {string} */ name) =>
  modulesIn(name)
    .map((/** @type {string} */ path) => {
      const specifier = `${prefixes.get(`${name}/${posix.dirname(path)}`) ?? ""}${basename(path)}`
      return { path, specifier, exported: renamed.get(specifier) ?? basename(path) }
    })
    .sort((/** @type {{ specifier: number; }} */ a, /** @type {{ specifier: number; }} */ b) =>
      a.specifier < b.specifier ? -1 : 1
    )

const entry = (/** @type {string} */ path) => ({
  "@switchyard/source": `./src/${path}.ts`,
  types: `./dist/${path}.d.ts`,
  default: `./dist/${path}.js`
})

const writeOrCheck = (
  /** @type {string} */ path,
  /** @type {string | NodeJS.ArrayBufferView<ArrayBufferLike>} */ text
) => {
  if (readFileSync(join(root, path), "utf8") === text) return
  if (isCheck) problems.push(`${path} is not what the package's folders say: node scripts/exports.mjs writes it.`)
  else writeFileSync(join(root, path), text)
}

let count = 0
for (const name of readdirSync(join(root, "packages"))) {
  const index = `packages/${name}/src/index.ts`
  if (!existsSync(join(root, index))) continue
  const modules = published(name)
  count += modules.length
  const twice = modules.filter(({ specifier }, /** @type {number} */ at) => modules[at + 1]?.specifier === specifier)
  for (const { specifier } of twice) problems.push(`packages/${name} has two modules called ${specifier}`)

  const header = /^\/\*\*[\s\S]*?\*\/\n/.exec(readFileSync(join(root, index), "utf8"))?.[0] ?? ""
  const lines = [...modules]
    .sort((a, b) => inOrder(a.path, b.path))
    .map(({ exported, path }) => `export * as ${exported} from "./${path}.js"`)
  writeOrCheck(index, `${header}${lines.join("\n")}\n`)

  const manifest = `packages/${name}/package.json`
  const json = JSON.parse(readFileSync(join(root, manifest), "utf8"))
  json.exports = {
    "./package.json": "./package.json",
    ".": entry("index"),
    ...Object.fromEntries(modules.map(({ path, specifier }) => [`./${specifier}`, entry(path)]))
  }
  writeOrCheck(manifest, `${JSON.stringify(json, null, 2)}\n`)
}

if (problems.length > 0) {
  console.error(problems.join("\n"))
  process.exit(1)
}
console.log(`${count} public modules, ${isCheck ? "all exported" : "exports written"}`)
