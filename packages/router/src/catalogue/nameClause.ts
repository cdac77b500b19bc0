/**
 * Which names are meant, all in lower case: `=equal`, `^start`, `$end`, `*part`, `/regular expression`. A list means any
 * of its clauses, `and` all of them.
 */
export type Clause = string | ReadonlyArray<Clause> | { readonly and: ReadonlyArray<Clause> }

const expressions = new Map<string, RegExp>()

const expression = (source: string): RegExp => {
  const known = expressions.get(source)
  if (known !== undefined) return known
  const made = new RegExp(source)
  expressions.set(source, made)
  return made
}

/** Whether a clause means a name. */
export const matches = (clause: Clause, name: string): boolean => {
  if (typeof clause !== "string") {
    return "and" in clause
      ? clause.and.every((part) => matches(part, name))
      : clause.some((part) => matches(part, name))
  }
  const text = clause.slice(1)
  switch (clause[0]) {
    case "=":
      return name === text
    case "^":
      return name.startsWith(text)
    case "$":
      return name.endsWith(text)
    case "*":
      return name.includes(text)
    default:
      return expression(text).test(name)
  }
}
