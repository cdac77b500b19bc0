import { isJsonObject, type JsonObject } from "@switchyard/core/Json"

const csvCells = (line: string): ReadonlyArray<string> => {
  const cells: Array<string> = []
  let cell = ""
  let isQuoted = false
  for (let i = 0; i < line.length; i++) {
    const letter = line[i] as string
    if (isQuoted) {
      if (letter !== '"') cell += letter
      else if (line[i + 1] === '"') cell += line[++i]
      else isQuoted = false
    } else if (letter === '"') isQuoted = true
    else if (letter === ",") {
      cells.push(cell)
      cell = ""
    } else cell += letter
  }
  cells.push(cell)
  return cells.map((text) => text.trim())
}

/** One line, and what it holds; undefined where that cannot be read. */
export type Row = { readonly line: number; readonly fields: JsonObject | undefined; readonly text: string }

/** Only a first line may be an object without a key. */
const isJsonLine = ({ content }: { readonly content: string }, index: number): boolean =>
  /^\s*\{\s*"/.test(content) || (index === 0 && content.trimStart().startsWith("{"))

/**
 * The lines of a text, as CSV with a head, or as JSON; empty ones are none, and so are those before the first of JSON: a process
 * whose output all goes to one file greets before it logs.
 */
export const rowsOf = (text: string): ReadonlyArray<Row> => {
  const lines = text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .map((content, index) => ({ content, line: index + 1 }))
    .filter(({ content }) => content.trim() !== "")
  const first = lines[0]
  if (first === undefined) return []
  const begin = lines.findIndex(isJsonLine)
  if (begin !== -1) {
    return lines.slice(begin).map(({ content, line }) => {
      try {
        const json: unknown = JSON.parse(content)
        return { line, text: content, fields: isJsonObject(json) ? json : undefined }
      } catch {
        return { line, text: content, fields: undefined }
      }
    })
  }
  const heads = csvCells(first.content)
  return lines.slice(1).map(({ content, line }) => {
    const cells = csvCells(content)
    // A comma at the end is no cell; one more that says something has moved the others.
    const fits = cells.length >= heads.length && cells.slice(heads.length).every((cell) => cell === "")
    const fields = fits ? Object.fromEntries(heads.map((head, i) => [head, cells[i]])) : undefined
    return { line, text: content, fields }
  })
}
