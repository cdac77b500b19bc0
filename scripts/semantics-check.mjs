// docs/semantics.md says what the router does and which test shows it. This check fails where a named test is not in the
// named file, so that the document cannot outlive the tests it cites. `--list` prints the tests of every file instead.
// A row is `| behaviour | test file | test name |`; in a name made by a loop, `${...}` stands as it does in the source.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const document = "docs/semantics.md"

const isTest = (/** @type {ts.Node} */ callee) => {
  const head = ts.isCallExpression(callee) ? callee.expression : callee
  return /^(it|test)(\.\w+)*$/.test(head.getText().replace(/\s+/g, ""))
}

const literal = (/** @type {ts.Node} */ node) => {
  if (ts.isStringLiteralLike(node)) return node.text
  return ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined
}

/** The names of the tests in a file: the first arguments of `it(...)`, `it.effect(...)`, `it.effect.each(...)(...)`. */
const testsIn = (/** @type {string} */ path) => {
  const source = ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.ES2022, true)
  const names = new Set()
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isCallExpression(node) && node.arguments.length > 0 && isTest(node.expression)) {
      const name = literal(node.arguments[0])
      if (name !== undefined) names.add(name)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names
}

if (process.argv.includes("--list")) {
  for (const folder of readdirSync(join(root, "packages"))) {
    const tests = join("packages", folder, "test")
    if (!existsSync(join(root, tests))) continue
    for (const path of readdirSync(join(root, tests), { recursive: true, encoding: "utf8" }).sort()) {
      if (!/\.(test|programs)\.ts$/.test(path)) continue
      console.log(`# ${folder}/${path}`)
      for (const name of testsIn(join(tests, path))) console.log(name)
    }
  }
  process.exit(0)
}

const known = new Map()
const problems = []
let cited = 0
let open = 0

readFileSync(join(root, document), "utf8")
  .split("\n")
  .forEach((line, index) => {
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("\\|", "|"))
    const [, file, name] = cells
    if (cells.length !== 3 || file === "test file" || /^-+$/.test(file)) return
    if (file === "open") {
      open++
      return
    }
    const [folder, ...rest] = file.split("/")
    const path = join("packages", folder, "test", ...rest)
    if (!existsSync(join(root, path))) {
      problems.push(`${document}:${index + 1} there is no file ${path}`)
      return
    }
    if (!known.has(path)) known.set(path, testsIn(path))
    cited++
    if (!known.get(path).has(name)) problems.push(`${document}:${index + 1} ${path} has no test named "${name}"`)
  })

if (cited === 0) problems.push(`${document} names no test at all`)
if (problems.length > 0) {
  console.error(problems.join("\n"))
  console.error(`\n${problems.length} problem(s) in ${document}.`)
  process.exit(1)
}
console.log(`${document}: ${cited} tests cited, all there; ${open} open`)
