// @ts-check
// A module past 350 lines, or a folder past 20 files, is two: split by concept, not by length. Tests may be longer.
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { packages, read, root, walk } from "./snippets.mjs"

const maxLines = 350
const maxFiles = 20

const modules = packages.flatMap((name) => walk(`packages/${name}/src`, (path) => path.endsWith(".ts")))
/** @param {string} path */
const linesOf = (path) => read(path).split("\n").length - 1
const long = modules
  .map((path) => ({ path, lines: linesOf(path) }))
  .filter(({ lines }) => lines > maxLines)
  .map(({ lines, path }) => `${path}: ${lines} lines, more than ${maxLines}`)
const full = [...new Set(modules.map((path) => dirname(path)))]
  .map((folder) => ({
    folder,
    files: readdirSync(join(root, folder), { withFileTypes: true }).filter((one) => one.isFile()).length
  }))
  .filter(({ files }) => files > maxFiles)
  .map(({ files, folder }) => `${folder}: ${files} files, more than ${maxFiles}`)

if (long.length + full.length > 0) {
  console.error([...long, ...full].join("\n"))
  process.exit(1)
}
