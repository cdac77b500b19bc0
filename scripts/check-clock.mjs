// Time and randomness come from Effect's Clock and Random, so that tests can own both; what runs beside a layer can be ended
// wherever it was begun. This check fails where library or example code reaches for the global clock, the global randomness, or
// for a fork that closes its scope only perhaps. Code that must live in real time is listed in `allowed`.
import { readdirSync, readFileSync } from "node:fs"
import { join, sep } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const allowed = [
  /^packages\/testing\/src\/(fake|programs)\//,
  /^packages\/core\/src\/shared\/(Background|Turns)\.ts$/,
  /^packages\/ledger\/src\/journal\/Journal\.ts$/,
  /^packages\/gateway\/src\/workers\/Peer\.ts$/,
  /^packages\/redis\/src\/connection\/RedisConnection\.ts$/
]

const members = new Map([
  ["Date.now", "Clock.currentTimeMillis"],
  ["Math.random", "Random"],
  ["performance.now", "Clock.currentTimeNanos"],
  ["process.hrtime", "Clock.currentTimeNanos"],
  ["Effect.forkScoped", "Background.run of @switchyard/core"]
])
const functions = new Map([
  ["setTimeout", "Effect.sleep or Effect.delay"],
  ["setInterval", "Schedule"],
  ["setImmediate", "Effect.yieldNow"]
])
const modules = new Set(["timers", "timers/promises", "perf_hooks"])

const sources = (/** @type {string} */ folder) =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      return ["node_modules", "dist", "test"].includes(entry.name) ? [] : sources(path)
    }
    return /\.[cm]?tsx?$/.test(entry.name) ? [path] : []
  })

const folders = readdirSync(join(root, "packages"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => join("packages", entry.name))
  .filter((path) => readdirSync(join(root, path)).includes("src"))
  .map((path) => join(path, "src"))

/**
 * @type {string[]}
 */
const problems = []

/** @param {ts.ImportDeclaration} node */
const specifierOf = (node) => /** @type {ts.StringLiteral} */ (node.moduleSpecifier).text

for (const file of [...folders, "examples"].flatMap(sources)) {
  const path = file.split(sep).join("/")
  if (allowed.some((pattern) => pattern.test(path))) continue
  const source = ts.createSourceFile(path, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.ES2022, true)
  const report = (
    /** @type {ts.ImportDeclaration | ts.PropertyAccessExpression | ts.NewExpression | ts.CallExpression} */ node,
    /** @type {string} */ what,
    /** @type {string | undefined} */ instead
  ) => {
    const { line, character } = source.getLineAndCharacterOfPosition(node.getStart())
    problems.push(`${path}:${line + 1}:${character + 1} ${what}: use ${instead}`)
  }
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const text = node.getText().replace(/^globalThis\./, "")
      if (members.has(text)) report(node, text, members.get(text))
    } else if (ts.isNewExpression(node) && node.expression.getText() === "Date" && !node.arguments?.length) {
      report(node, "new Date()", "Clock or DateTime.now")
    } else if (ts.isCallExpression(node)) {
      const name = node.expression.getText().replace(/^globalThis\./, "")
      if (functions.has(name)) report(node, name, functions.get(name))
      if (name === "Date") report(node, "Date()", "Clock or DateTime.now")
    } else if (ts.isImportDeclaration(node) && modules.has(specifierOf(node).replace(/^node:/, ""))) {
      report(node, specifierOf(node), "Effect's Clock and Schedule")
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
}

if (problems.length > 0) {
  console.error(problems.join("\n"))
  console.error(`\n${problems.length} use(s) of what is not to be used here.`)
  process.exit(1)
}
