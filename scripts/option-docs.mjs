// Writes the doc comments of options, which editors show on hover, from what their schemas say: description and default.
// --check fails where one of them says something else.
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const flag = "--conditions=@switchyard/source"

if (!process.execArgv.includes(flag)) {
  const args = [flag, "--import", "tsx", fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  process.exit(spawnSync(process.execPath, args, { stdio: "inherit", cwd: root }).status ?? 1)
}

const { told } = await import(pathToFileURL(join(root, "packages/core/src/errors/Field.ts")).href)
const isCheck = process.argv.includes("--check")
/** Columns that a comment may take, as the longest of those that people wrote. */
const width = 126

const files = readdirSync(join(root, "packages"))
  .map((name) => join("packages", name, "src"))
  .flatMap((folder) => {
    try {
      return readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, String(file)))
    } catch {
      return []
    }
  })
  .filter((file) => file.endsWith(".ts"))
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]))

/** The value of a literal, a product of literals, or a constant of one of the modules. */
const valueOf = (node) => {
  if (ts.isIdentifier(node)) {
    const declared = new RegExp(`^export const ${node.text} = ([^\\n]+)`, "m")
    const found = [...texts.values()].flatMap((text) => declared.exec(text)?.[1] ?? [])
    if (new Set(found).size !== 1) throw new Error(`${node.text}: ${found.length} constants have this name`)
    return Function(`return (${found[0]})`)()
  }
  return Function(`return (${node.getText()})`)()
}

const isCall = (node, name) =>
  ts.isCallExpression(node) && node.expression.getText() === `Field.${name}` && node.arguments.length > 1

const sentenceOf = (property) => {
  const [schema, description, byDefault] = property.initializer.arguments
  return told(description.text, {
    name: property.name.getText(),
    byDefault: byDefault === undefined ? undefined : valueOf(byDefault),
    isDuration: schema.getText().includes("Field.duration")
  })
}

const wrapped = (text, indent) => {
  const line = `${indent}/** ${text} */`
  if (line.length <= width) return line
  const lines = [""]
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`
    if (`${indent} *${longer}`.length > width) lines.push(` ${word}`)
    else lines[lines.length - 1] = longer
  }
  return [`${indent}/**`, ...lines.map((one) => `${indent} *${one}`), `${indent} */`].join("\n")
}

const bare = (comment) =>
  comment
    .slice(3, -2)
    .replace(/\n\s*\* ?/g, " ")
    .replace(/\s+/g, " ")
    .trim()

let stale = 0
let count = 0
for (const [file, text] of texts) {
  if (!/Field\.(option|required)\(/.test(text)) continue
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true)
  const changes = []
  const visit = (node) => {
    if (ts.isPropertyAssignment(node) && (isCall(node.initializer, "option") || isCall(node.initializer, "required"))) {
      count++
      const start = node.getStart()
      if (!/^\s*$/.test(text.slice(text.lastIndexOf("\n", start) + 1, start))) {
        throw new Error(`${file}: ${node.name.getText()} needs a line of its own`)
      }
      const indent = " ".repeat(source.getLineAndCharacterOfPosition(start).character)
      const range = (ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []).at(-1)
      const sentence = sentenceOf(node)
      if (range === undefined || bare(text.slice(range.pos, range.end)) !== sentence) {
        const from = (range?.pos ?? start) - indent.length
        changes.push({ from, to: start, text: `${wrapped(sentence, indent)}\n${indent}` })
        if (isCheck) console.error(`${file}: the comment of ${node.name.getText()} should say: ${sentence}`)
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  stale += changes.length
  if (isCheck || changes.length === 0) continue
  const written = changes.reduceRight(
    (kept, { from, text: comment, to }) => kept.slice(0, from) + comment + kept.slice(to),
    text
  )
  writeFileSync(join(root, file), written)
}

if (isCheck && stale > 0) {
  console.error(`${stale} doc comments differ from their schemas: node scripts/option-docs.mjs writes them.`)
  process.exit(1)
}
console.log(`${count} options have the doc comments that their schemas say`)
