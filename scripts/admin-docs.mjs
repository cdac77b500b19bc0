// Writes the table of admin endpoints into docs/operations.md from their declaration, and looks for paths under /admin that
// the documentation names and no gateway serves. `--check` writes nothing, and fails where the table says something else.
import { readdirSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { fileURLToPath } from "node:url"
import { tsImport } from "tsx/esm/api"
import { writeOrCheck } from "./generated.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const document = "docs/operations.md"
const { endpoints } = await tsImport("../packages/gateway/src/api/AdminApi.ts", import.meta.url)
const { sessionPaths } = await tsImport("../packages/gateway/src/control/session/sessionPaths.ts", import.meta.url)

const shown = (path) => path.replace(":id", "<id>")
const rows = endpoints.map(({ method, path, summary }) => `| \`${method} ${shown(path)}\` | ${summary} |`)
const table = `| request | what it says or does |\n|---|---|\n${rows.join("\n")}`

const begin = "<!-- Written by scripts/admin-docs.mjs from packages/gateway/src/api/AdminApi.ts. -->\n\n"
const end = "\n\n<!-- Up to here. -->"
const text = readFileSync(join(root, document), "utf8")
const from = text.indexOf(begin)
const to = text.indexOf(end, from)
if (from === -1 || to === -1) throw new Error(`${document} has no place for the table of admin endpoints`)

const markdown = (folder) =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return /node_modules|^\.|dist/.test(entry.name) ? [] : markdown(path)
    return entry.name.endsWith(".md") ? [path] : []
  })

/** What a path may look like in a text: with any id, and with `…` or `*` for the rest of it. */
const isKnown = (path) => {
  const known = [...endpoints.map((endpoint) => endpoint.path), ...Object.keys(sessionPaths)].map((at) => at.split("/"))
  const parts = path.split("/")
  return known.some(
    (other) => parts.length <= other.length && parts.every((part, at) => part === other[at] || other[at] === ":id")
  )
}

const strangers = markdown("").flatMap((path) =>
  [...readFileSync(join(root, path), "utf8").matchAll(/(?<![\w.-])\/admin(?:\/[\w<>:{}.-]+)+/g)]
    .map(([found]) => found.replace(/[.:]+$/, ""))
    .filter((found) => !isKnown(found))
    .map((found) => `${path} names ${found}, which is no admin endpoint`)
)
if (strangers.length > 0) {
  console.error(strangers.join("\n"))
  process.exit(1)
}

writeOrCheck(document, text.slice(0, from + begin.length) + table + text.slice(to), {
  content: `${endpoints.length} admin endpoints`,
  source: "the admin API",
  script: "admin-docs.mjs"
})
