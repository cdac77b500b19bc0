/**
 * Comma-separated values, as spreadsheets read them, and none that one of them would run.
 */

/** What begins so is a formula to a spreadsheet, also in the full-width forms that it takes for the same. */
const formula = /^[\s]*[=+\-@＝＋－＠]|^[\t\r\n]/

const mustBeQuoted = /[",\r\n]|^\s|\s$/

/** One cell. A text that would be a formula gets an apostrophe before it; a number is what it is. */
export const cell = (value: string | number | boolean | undefined): string => {
  if (value === undefined) return ""
  if (typeof value !== "string") return String(value)
  const text = formula.test(value) ? `'${value}` : value
  return mustBeQuoted.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A line, without its end. */
export const line = (cells: ReadonlyArray<string | number | boolean | undefined>): string => cells.map(cell).join(",")
