/** Tables as Markdown, and the places in docs/performance.md that they go to. */
import { readFileSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"

const document = fileURLToPath(new URL("../../../docs/performance.md", import.meta.url))

/** One line of a table. */
export const row = (...cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** A table of lines. */
export const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<string>): string =>
  [row(...heads), row(...heads.map(() => "---")), ...rows].join("\n")

/** Puts a text between a document's marks of that name, with the machine that it was measured on. */
export const intoDocument = (name: string, text: string): void => {
  const begin = `<!-- bench: ${name} -->`
  const end = `<!-- end: ${name} -->`
  const old = readFileSync(document, "utf8")
  const from = old.indexOf(begin)
  const to = old.indexOf(end)
  if (from === -1 || to < from) throw new Error(`docs/performance.md has no place for ${name}`)
  const [cpu] = cpus()
  const where = `Node ${process.version}, ${cpus().length} × ${cpu?.model ?? "unknown"}.`
  writeFileSync(document, `${old.slice(0, from)}${begin}\n${text}\n\n${where}\n${old.slice(to)}`)
}
