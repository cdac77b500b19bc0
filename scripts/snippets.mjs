// @ts-check
// The documents of this workspace and the blocks of code in them, for what checks them here (docs-check.mjs) and where a
// user has them (outside.mjs).
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** @param {string} path */
export const read = (path) => readFileSync(join(root, path), "utf8")

/** Paths of all files in a folder that are kept. @type {(folder: string, keep: (path: string) => boolean) => Array<string>} */
export const walk = (folder, keep) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
        const path = posix.join(folder, entry.name)
        if (entry.isDirectory()) return ["node_modules", "dist"].includes(entry.name) ? [] : walk(path, keep)
        return keep(path) ? [path] : []
      })
    : []

/** Names of the folders of packages. */
export const packages = readdirSync(join(root, "packages")).filter((name) =>
  existsSync(join(root, "packages", name, "src"))
)

/** @param {string} path */
export const isMarkdown = (path) => path.endsWith(".md")

export const documents = [
  ...readdirSync(root).filter(isMarkdown),
  ...packages.map((name) => `packages/${name}/README.md`).filter((path) => existsSync(join(root, path))),
  ...walk("examples", isMarkdown),
  ...walk("docs", isMarkdown)
]

/** @typedef {{ start: number, end: number, indent: string, mark: string, info: string }} Block */

/** The fenced blocks of a document: `start` and `end` are the indices of the fences' lines. @param {ReadonlyArray<string>} lines */
export const blocksOf = (lines) => {
  /** @type {Array<Block>} */
  const blocks = []
  /** @type {Omit<Block, "end"> | undefined} */
  let open
  lines.forEach((line, index) => {
    const [, indent = "", mark, info = ""] = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(line) ?? []
    if (mark === undefined) return
    if (open === undefined) {
      open = { start: index, indent, mark, info: info.trim() }
    } else if (info.trim() === "" && mark.startsWith(open.mark)) {
      blocks.push({ ...open, end: index })
      open = undefined
    }
  })
  return blocks
}

/** The comment before a block that names its file, and what that prints when it runs, if anybody wants to know. @param {ReadonlyArray<string>} lines @param {Block} block */
const namedBefore = (lines, block) => {
  for (let index = block.start - 1; index >= 0; index--) {
    const line = lines[index] ?? ""
    if (line.trim() !== "") return /^\s*<!--\s*snippet:\s*([^\s,]+)(?:,\s*prints:\s*(.+?))?\s*-->\s*$/.exec(line)
  }
  return null
}

/** The file a block must be equal to, if it names one. @param {ReadonlyArray<string>} lines @param {Block} block */
export const targetOf = (lines, block) => {
  const title = /\btitle="([^"]+)"/.exec(block.info)
  return title === null ? namedBefore(lines, block)?.[1] : title[1]
}

/** What the block's file prints when it runs, if the document says so. @param {ReadonlyArray<string>} lines @param {Block} block */
export const printedBy = (lines, block) => namedBefore(lines, block)?.[2]

/** What a block says. @param {ReadonlyArray<string>} lines @param {Block} block */
export const contentOf = (lines, block) =>
  lines.slice(block.start + 1, block.end).map((line) => line.replace(new RegExp(`^${block.indent}`), ""))

/** Whether a block stands for itself, and must compile. @param {ReadonlyArray<string>} lines @param {Block} block */
export const isProgram = (lines, block) =>
  targetOf(lines, block) === undefined && /^(ts|typescript)\b/.test(block.info) && !/\bno-check\b/.test(block.info)

/** @param {string} document @param {Block} block */
export const fileOf = (document, block) => `${document.replace(/[^A-Za-z0-9]+/g, "_")}_${block.start + 1}.ts`

/** Blank lines stand in for the prose, so that the compiler reports the document's own line numbers. @param {Block} block @param {ReadonlyArray<string>} content */
export const programOf = (block, content) => `${"\n".repeat(block.start + 1)}${content.join("\n")}\n`
