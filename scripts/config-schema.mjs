// Writes the JSON Schema of the gateway's configuration, with the doc comments of the options as descriptions.
// --check fails when the file is not what the sources say.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const target = join(root, "packages/gateway/schema/switchyard.schema.json")
const flag = "--conditions=@switchyard/source"

if (!process.execArgv.includes(flag)) {
  const args = [flag, "--import", "tsx", fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  process.exit(spawnSync(process.execPath, args, { stdio: "inherit", cwd: root }).status ?? 1)
}

const sources = new Map()

/** A module's constants and imports, by name. */
const moduleOf = (file) => {
  const known = sources.get(file)
  if (known !== undefined) return known
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, true)
  const constants = new Map()
  const imports = new Map()
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { initializer, name } of statement.declarationList.declarations) {
        if (initializer !== undefined) constants.set(name.getText(), initializer)
      }
    } else if (ts.isImportDeclaration(statement)) {
      const from = fileOf(/** @type {ts.StringLiteral} */ (statement.moduleSpecifier).text, file)
      const bindings = statement.importClause?.namedBindings
      if (from === undefined || bindings === undefined) continue
      if (ts.isNamespaceImport(bindings)) imports.set(bindings.name.text, { from })
      else {
        for (const { name, propertyName } of bindings.elements) {
          imports.set(name.text, { from, name: (propertyName ?? name).text })
        }
      }
    }
  }
  const found = { first: source.statements[0], constants, imports }
  sources.set(file, found)
  return found
}

const fileOf = (specifier, from) => {
  const own = /^@switchyard\/([^/]+)\/(.+)$/.exec(specifier)
  if (own !== null) {
    const folder = join(root, "packages", own[1])
    const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
    return join(folder, exports[`./${own[2]}`]["@switchyard/source"])
  }
  return specifier.startsWith(".") ? join(dirname(from), specifier.replace(/\.js$/, ".ts")) : undefined
}

const commentOf = (node) => {
  const text = node.getSourceFile().text
  const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []
  const range = ts.isSourceFile(node.parent) && node.getFullStart() === 0 ? ranges[0] : ranges.at(-1)
  const comment = range === undefined ? "" : text.slice(range.pos, range.end)
  if (!comment.startsWith("/**")) return undefined
  return comment
    .slice(3, -2)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trim())
    .join(" ")
    .trim()
}

/** For a layer's options what its module is for; else the comment of the schema that a field names. */
const commentOfConstant = (field, module) => {
  const name = /([A-Za-z]+)\.Options\b|\b(Server|Requests)\b/.exec(field.getText())
  if (name?.[1] !== undefined) return commentOf(moduleOf(module.imports.get(name[1]).from).first)
  const value = name === null ? undefined : module.constants.get(name[2])
  return value === undefined ? undefined : commentOf(value.parent.parent.parent)
}

/** Writes down the comments of a schema's fields by their paths. */
const collect = (node, module, path, found) => {
  if (ts.isIdentifier(node)) {
    const imported = module.imports.get(node.text)
    const home = imported?.name === undefined ? module : moduleOf(imported.from)
    const value = home.constants.get(imported?.name ?? node.text)
    if (value !== undefined) collect(value, home, path, found)
  } else if (ts.isPropertyAccessExpression(node)) {
    const space = ts.isIdentifier(node.expression) ? module.imports.get(node.expression.text) : undefined
    if (node.name.text === "fields") collect(node.expression, module, path, found)
    else if (space !== undefined && space.name === undefined) {
      const home = moduleOf(space.from)
      const value = home.constants.get(node.name.text)
      if (value !== undefined) collect(value, home, path, found)
    }
  } else if (ts.isObjectLiteralExpression(node)) {
    for (const field of node.properties) {
      if (ts.isSpreadAssignment(field)) collect(field.expression, module, path, found)
      else if (ts.isPropertyAssignment(field) || ts.isShorthandPropertyAssignment(field)) {
        const at = [...path, field.name.getText()]
        const comment = commentOf(field) ?? commentOfConstant(field, module)
        if (comment !== undefined) found.set(at.join("\n"), comment)
        collect(ts.isPropertyAssignment(field) ? field.initializer : field.name, module, at, found)
      }
    }
  } else if (ts.isCallExpression(node)) {
    collectCall(node, module, path, found)
  }
}

const collectCall = (node, module, path, found) => {
  const name = ts.isPropertyAccessExpression(node.expression) ? node.expression.name.text : node.expression.getText()
  const [first] = node.arguments
  if (name === "annotations" || name === "pipe") collect(node.expression.expression, module, path, found)
  else if (name === "Union") for (const member of node.arguments) collect(member, module, path, found)
  else if (name === "Array" && first !== undefined) collect(first, module, [...path, "[]"], found)
  else if (name === "Record" && first !== undefined && ts.isObjectLiteralExpression(first)) {
    const value = first.properties.find((field) => field.name?.getText() === "value")
    if (value !== undefined && ts.isPropertyAssignment(value)) {
      collect(value.initializer, module, [...path, "*"], found)
    }
  } else if (first !== undefined && ["Struct", "optional", "partial", "partialWith", "optionalWith"].includes(name)) {
    collect(first, module, path, found)
  }
}

const config = moduleOf(join(root, "packages/gateway/src/config/GatewayConfig.ts"))
const comments = new Map()
collect(config.constants.get("Settings"), config, [], comments)

const { make } = await import(pathToFileURL(join(root, "packages/gateway/src/config/ConfigSchema.ts")).href)
const schema = make((path) => comments.get(path.filter((key) => key !== "|").join("\n")))
const biome = join(root, "node_modules/@biomejs/biome/bin/biome")
const formatted = spawnSync(process.execPath, [biome, "format", `--stdin-file-path=${target}`], {
  input: JSON.stringify(schema, null, 2),
  encoding: "utf8",
  cwd: root
})
if (formatted.status !== 0) throw new Error(formatted.stderr)
const text = formatted.stdout

if (process.argv.includes("--check")) {
  if (!existsSync(target) || readFileSync(target, "utf8") !== text) {
    console.error("packages/gateway/schema/switchyard.schema.json is stale: run node scripts/config-schema.mjs")
    process.exit(1)
  }
} else {
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text)
}
