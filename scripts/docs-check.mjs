// Keeps the documentation true:
//   1. a code block that names a file (title="path" or <!-- snippet: path --> just before it) equals that file, or the
//      part between `snippet:start NAME` and `snippet:end NAME` when it names path#NAME (--write updates the block); where
//      the comment goes on with `, prints: WORDS`, the file is run, and prints these words;
//   2. every other ts block type-checks against the workspace (```ts no-check skips one);
//   3. relative links lead somewhere;
//   4. files that a recipe in CONTRIBUTING.md names are there (but for NAME, Name and TARGET);
//   5. every export of a public module carries a JSDoc comment.
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import ts from "typescript"
import {
  blocksOf,
  contentOf,
  documents,
  fileOf,
  isMarkdown,
  isProgram,
  packages,
  printedBy,
  programOf,
  read,
  root,
  targetOf,
  walk
} from "./snippets.mjs"

const write = process.argv.includes("--write")
const problems = []
const report = (/** @type {string} */ file, /** @type {number} */ line, /** @type {string} */ message) =>
  problems.push(`${file}:${line} ${message}`)

const trimBlank = (/** @type {string[]} */ lines) => {
  const isBlank = (/** @type {string} */ line) => line.trim() === ""
  const first = lines.findIndex((line) => !isBlank(line))
  const last = lines.findLastIndex((line) => !isBlank(line))
  return first === -1 ? [] : lines.slice(first, last + 1)
}

const snippet = (/** @type {string} */ target) => {
  const [path, name] = target.split("#")
  if (!existsSync(join(root, path)) || !statSync(join(root, path)).isFile()) {
    return { error: `no such file: ${path}` }
  }
  let lines = read(path).split("\n")
  if (name !== undefined) {
    const marks = (/** @type {string} */ kind) =>
      lines.findIndex((line) => new RegExp(`snippet:${kind}\\s+${name}\\s*$`).test(line))
    const [start, end] = [marks("start"), marks("end")]
    if (start === -1 || end === -1 || end < start) return { error: `${path} has no snippet ${name}` }
    lines = lines.slice(start + 1, end)
  }
  lines = trimBlank(lines.filter((line) => !/^\s*(\/\/|#)\s*snippet:(start|end)\s+\S+\s*$/.test(line)))
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length)
  const indent = indents.length === 0 ? 0 : Math.min(...indents)
  return { lines: lines.map((line) => line.slice(indent)) }
}

// The words of a link's #fragment, as GitHub makes them of a heading.
const slug = (/** @type {string} */ heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

const proseOf = (/** @type {string} */ text) => {
  const lines = text.split("\n")
  for (const block of blocksOf(lines)) lines.fill("", block.start, block.end + 1)
  return lines
}

const anchorsOf = (/** @type {string} */ text) => {
  const seen = new Map()
  const anchors = new Set([...text.matchAll(/\b(?:id|name)="([^"]+)"/g)].map((match) => match[1]))
  for (const line of proseOf(text)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*\s*$/.exec(line)
    if (heading === null) continue
    const name = slug(heading[1])
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    anchors.add(count === 0 ? name : `${name}-${count}`)
  }
  return anchors
}

const checkLinks = (/** @type {string} */ document) => {
  proseOf(read(document)).forEach((/** @type {string} */ line, /** @type {number} */ index) => {
    const prose = line.replace(/`[^`]*`/g, "")
    const links = [
      ...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g),
      ...prose.matchAll(/^\s*\[[^\]]+\]:\s+<?([^\s>]+)>?/g),
      ...prose.matchAll(/\b(?:href|src)="([^"]+)"/g)
    ].map((match) => match[1])
    for (const link of links) {
      if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(link)) continue
      const [path, fragment] = decodeURIComponent(link).split("#")
      const target = path === "" ? document : posix.join(posix.dirname(document), path)
      if (target.startsWith("..") || !existsSync(join(root, target))) {
        report(document, index + 1, `broken link: ${link}`)
      } else if (fragment && isMarkdown(target) && !anchorsOf(read(target)).has(fragment)) {
        report(document, index + 1, `no such heading: ${link}`)
      }
    }
  })
}

const checkFiles = (/** @type {string} */ document) => {
  proseOf(read(document)).forEach((/** @type {string} */ line, /** @type {number} */ index) => {
    for (const [, path] of line.matchAll(
      /`((?:packages|scripts|docs|examples|ops)\/[\w./-]*\.\w+|[\w.-]+\.(?:cjs|json|md))`/g
    )) {
      if (!/name|target/i.test(path) && !existsSync(join(root, path)))
        report(document, index + 1, `no such file: ${path}`)
    }
  })
}
checkFiles("CONTRIBUTING.md")

const scratch = ".tmp/docs-check"
rmSync(join(root, scratch), { recursive: true, force: true })
/** Documents by the files that their programs are written to. */
const extracted = new Map()

const extract = (
  /** @type {string} */ document,
  /** @type {{ start: number; end: number; indent: string; mark: string; info: string; }} */ block,
  /** @type {readonly string[]} */ content
) => {
  const file = `${scratch}/${fileOf(document, block)}`
  extracted.set(file, document)
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), programOf(block, content))
}

/** Runs a program of the workspace from its sources; what is wrong with what it prints, or nothing. */
const run = (/** @type {string} */ file, /** @type {string} */ wanted) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=@switchyard/source", "--import", "tsx", file], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000
    })
    let said = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (said += bytes))
    child.on("close", (code) => resolve(code === 0 && said.trim() === wanted ? undefined : `${said.trim()} (${code})`))
  })

/** Programs under way, while all else is checked. */
const running = []

for (const document of documents) {
  let lines = read(document).split("\n")
  const replacements = []
  for (const block of blocksOf(lines)) {
    const content = contentOf(lines, block)
    const target = targetOf(lines, block)
    const printed = printedBy(lines, block)
    if (target !== undefined && printed !== undefined) {
      const [file = ""] = target.split("#")
      running.push({ document, line: block.start + 1, file, said: run(file, printed) })
    }
    if (target !== undefined) {
      const wanted = snippet(target)
      if (wanted.error !== undefined) {
        report(document, block.start + 1, wanted.error)
      } else if (wanted.lines.join("\n") !== content.join("\n")) {
        if (write) replacements.push({ block, lines: wanted.lines })
        else report(document, block.start + 1, `differs from ${target} (npm run docs-check -- --write updates it)`)
      }
    } else if (isProgram(lines, block)) {
      extract(document, block, content)
    }
  }
  for (const { block, lines: wanted } of replacements.reverse()) {
    const indented = wanted.map((line) => (line === "" ? line : block.indent + line))
    lines = [...lines.slice(0, block.start + 1), ...indented, ...lines.slice(block.end)]
  }
  if (replacements.length > 0) {
    writeFileSync(join(root, document), lines.join("\n"))
    console.log(`${document}: updated ${replacements.length} snippet(s)`)
  }
  checkLinks(document)
}

if (extracted.size > 0) {
  const tsconfig = {
    extends: "../../tsconfig.base.json",
    compilerOptions: { noEmit: true, noUnusedLocals: false, noUnusedParameters: false, plugins: [] },
    include: ["*.ts"]
  }
  writeFileSync(join(root, scratch, "tsconfig.json"), JSON.stringify(tsconfig))
  const tsc = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/@typescript/native/bin/tsc"),
      "--project",
      join(scratch, "tsconfig.json"),
      "--pretty",
      "false"
    ],
    { cwd: root, encoding: "utf8" }
  )
  if (tsc.status !== 0) {
    problems.push(
      tsc.stdout
        .trimEnd()
        .replace(/^(\S+\.ts)\((\d+),\d+\)/gm, (whole, file, line) =>
          extracted.has(file) ? `${extracted.get(file)}:${line}` : whole
        ) + tsc.stderr
    )
  }
}

/** The exports a module declares itself, each with whether one of its declarations carries a JSDoc comment. */
const exportsOf = (/** @type {ts.SourceFile} */ source) => {
  const declared = new Map()
  const exported = new Set()
  const declare = (/** @type {string} */ name, /** @type {ts.Node} */ node, /** @type {boolean} */ isExported) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart())
    const documented = ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc)
    const known = declared.get(name)
    declared.set(name, { line: known?.line ?? line + 1, documented: documented || known?.documented === true })
    if (isExported) exported.add(name)
  }
  for (const node of source.statements) {
    const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
    const isExported = modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)
    if (ts.isVariableStatement(node)) {
      for (const declaration of node.declarationList.declarations) declare(declaration.name.getText(), node, isExported)
    } else if (
      ts.isExportDeclaration(node) &&
      !node.moduleSpecifier &&
      node.exportClause &&
      ts.isNamedExports(node.exportClause)
    ) {
      for (const element of node.exportClause.elements) exported.add((element.propertyName ?? element.name).text)
    } else if (ts.isExportAssignment(node)) {
      declare("default", node, true)
    } else {
      const { name } = /** @type {ts.DeclarationStatement} */ (node)
      if (name !== undefined) declare(name.getText(), node, isExported)
    }
  }
  return [...exported].filter((name) => declared.has(name)).map((name) => ({ name, ...declared.get(name) }))
}

for (const { document, file, line, said } of running) {
  const wrong = await said
  if (wrong !== undefined) report(document, line, `${file} prints something else: ${wrong}`)
}

for (const name of packages) {
  const isPublic = (/** @type {string} */ path) => /\/([A-Z]\w*|index)\.ts$/.test(path)
  for (const path of walk(`packages/${name}/src`, isPublic)) {
    const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.ES2022, true)
    for (const item of exportsOf(source)) {
      if (!item.documented) report(path, item.line, `export ${item.name} has no JSDoc comment`)
    }
  }
}

if (problems.length > 0) {
  console.error(problems.join("\n"))
  console.error(`\n${problems.length} problem(s) in the documentation.`)
  process.exit(1)
}
console.log(
  `${documents.length} document(s) and ${extracted.size} code block(s) checked, ${running.length} program(s) run.`
)
