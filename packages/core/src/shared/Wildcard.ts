/**
 * Names with stars, as model groups, fallback chains, keys and prices write them: each `*` stands for any text, also none, and
 * nothing else is special. Linear in the name: callers choose names, and a regular expression with several stars would backtrack.
 */

/** A pattern, taken apart once. */
export interface Wildcard {
  /** What stands between its stars; one part is a name without any. */
  readonly parts: ReadonlyArray<string>
  /** How many characters it names: of two that fit, the one with more is the closer one. */
  readonly literals: number
}

/** Whether a name has stars. */
export const isPattern = (name: string): boolean => name.includes("*")

/** Takes a pattern apart. */
export const make = (pattern: string): Wildcard => ({
  parts: pattern.split("*"),
  literals: pattern.replaceAll("*", "").length
})

/**
 * What the stars stand for in a name, in order, each as short as it can be but for the last; undefined when the name does not
 * fit whole. Empty for a pattern without stars that is the name.
 */
export const capture = ({ parts }: Wildcard, name: string): ReadonlyArray<string> | undefined => {
  const first = parts[0] ?? ""
  if (parts.length === 1) return first === name ? [] : undefined
  const last = parts[parts.length - 1] ?? ""
  const end = name.length - last.length
  if (!name.startsWith(first) || !name.endsWith(last) || end < first.length) return undefined
  const captures: Array<string> = []
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from)
    if (at === -1 || at + part.length > end) return undefined
    captures.push(name.slice(from, at))
    from = at + part.length
  }
  captures.push(name.slice(from, end))
  return captures
}

/** Whether a name fits a pattern whole. */
export const matches = (wildcard: Wildcard, name: string): boolean => capture(wildcard, name) !== undefined

/** Whether a name fits a pattern that is used once. */
export const fits = (pattern: string, name: string): boolean =>
  isPattern(pattern) ? matches(make(pattern), name) : pattern === name

/** Puts captures in place of a name's stars, in order; stars without a capture stay. */
export const substitute = (name: string, captures: ReadonlyArray<string>): string => {
  if (captures.length === 0 || !isPattern(name)) return name
  let index = 0
  return name.replaceAll("*", (star) => captures[index++] ?? star)
}
