/**
 * References to the environment in the strings of a configuration: `os.environ/NAME` as a whole string, and `${NAME}` or
 * `${NAME:-default}` anywhere in one. They are read from strings that YAML has given, so what a variable holds can never
 * change the structure of a file.
 */

/** Variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>

/** A reference to one variable. */
export interface Reference {
  readonly name: string
  /** What stands for a variable that is unset or empty; undefined when nothing does. */
  readonly fallback: string | undefined
}

/** A string in its parts: text as it is, and references. */
export type Parts = ReadonlyArray<string | Reference>

const wholeReference = /^os\.environ\/(.+)$/

/** `$${NAME}` is the text `${NAME}` itself. */
const embedded = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g

const escapesAfter = (text: string, end: number): ReadonlyArray<RegExpMatchArray & { readonly index: number }> =>
  [...text.slice(end).matchAll(/\$\$\{/g)].map((match) => Object.assign(match, { index: match.index + end }))

/** The parts of a string; undefined when it holds no reference and stands for itself. */
export const parse = (text: string): Parts | undefined => {
  const whole = wholeReference.exec(text.trim())
  if (whole?.[1] !== undefined) return [{ name: whole[1], fallback: undefined }]
  if (!text.includes("${")) return undefined
  const parts: Array<string | Reference> = []
  let from = 0
  // No reference ends after the last brace, and to look for the end of each of many takes the square of their number.
  const end = text.lastIndexOf("}") + 1
  for (const match of [...text.slice(0, end).matchAll(embedded), ...escapesAfter(text, end)]) {
    if (match.index > from) parts.push(text.slice(from, match.index))
    const [all, name, fallback] = match
    parts.push(name === undefined ? "${" : { name, fallback })
    from = match.index + all.length
  }
  if (from === 0) return undefined
  if (from < text.length) parts.push(text.slice(from))
  return parts
}

/** Whether parts are one reference and nothing else, so that what it holds may be read as a number or a boolean. */
export const isWhole = (parts: Parts): boolean => parts.length === 1 && typeof parts[0] === "object"

/** What a string with references comes to. */
export interface Resolved {
  /** The string; undefined when a variable is unset. */
  readonly text: string | undefined
  /** Variables that are unset and have no default. */
  readonly unset: ReadonlyArray<string>
  /** What the variables held: never to be shown. */
  readonly held: ReadonlyArray<string>
}

/** Puts the variables in. A variable that is set but empty counts as set, and takes its default where it has one. */
export const resolve = (parts: Parts, variables: Variables): Resolved => {
  const unset: Array<string> = []
  const held: Array<string> = []
  let text = ""
  for (const part of parts) {
    if (typeof part === "string") {
      text += part
      continue
    }
    const value = Object.hasOwn(variables, part.name) ? variables[part.name] : undefined
    const given = part.fallback === undefined ? value : value || part.fallback
    if (given === undefined) unset.push(part.name)
    else {
      text += given
      held.push(given)
    }
  }
  return { text: unset.length === 0 ? text : undefined, unset, held }
}

/** A variable's text as YAML reads a plain number or boolean; undefined when it is neither. */
export const plain = (text: string): number | boolean | undefined => {
  if (/^(true|True|TRUE)$/.test(text)) return true
  if (/^(false|False|FALSE)$/.test(text)) return false
  return /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(text) ? Number(text) : undefined
}
