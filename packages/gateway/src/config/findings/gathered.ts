/**
 * Findings without repetition: the same mistake is told once, and what is to be said of many places is said once for all.
 */
import type { Problem } from "../Problem.js"

/** So many places have a line each. */
const few = 3

const nameOf = (path: string): string => path.replace(/(\[\d+\])+$/, "").replace(/^.*[.\]]/, "")

const groupBy = (problems: ReadonlyArray<Problem>, keyOf: (problem: Problem) => string) => {
  const groups = new Map<string, [Problem, ...Array<Problem>]>()
  for (const problem of problems) {
    const key = keyOf(problem)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [problem])
    else group.push(problem)
  }
  return [...groups.values()]
}

const same = ({ column, file, line, message, path, severity }: Problem): string =>
  JSON.stringify([file, line, column, path, severity, message])

/** What is to be mended is told place by place. */
const alike = (problem: Problem): string => {
  const { file, message, path, severity, suggestion, value } = problem
  return severity === "note"
    ? JSON.stringify([file, severity, message, nameOf(path), value, suggestion])
    : same(problem)
}

/** `lines 4, 9, 14 and 12 more`. */
const placesOf = (others: ReadonlyArray<Problem>): string => {
  const lines = [...new Set(others.flatMap(({ line }) => (line === undefined ? [] : [line])))]
  const shown = lines.slice(0, few).join(", ")
  return lines.length <= few ? `lines ${shown}` : `lines ${shown} and ${lines.length - few} more`
}

/** Each finding once; of notes that say the same of more than three places, the first tells of the others. */
export const gathered = (problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> => {
  const each = groupBy(problems, same).map(([first]) => first)
  const told = new Map<Problem, Problem>()
  for (const group of groupBy(each, alike)) {
    const [first, ...others] = group
    if (group.length <= few) for (const one of group) told.set(one, one)
    else told.set(first, { ...first, message: `${first.message}; the same at ${placesOf(others)}` })
  }
  return each.flatMap((problem) => told.get(problem) ?? [])
}

/** Problems that are told one by one, beside those that cost a deployment each. */
const most = 500

/** All of a list of usual length; of a longer one the errors before anything else, and how many there are beside. */
export const bounded = (problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> => {
  const plain = problems.filter(({ leavesOut }) => leavesOut === undefined)
  if (plain.length <= most) return problems
  const errors = plain.filter(({ severity }) => severity === "error")
  const others = plain.filter(({ severity }) => severity !== "error")
  const told = new Set([...errors, ...others].slice(0, most))
  const { file, severity } = errors[most] ?? others[0] ?? { file: undefined, severity: "note" as const }
  const more: Problem = {
    severity,
    path: "",
    message: `${plain.length - told.size} more, which are not listed`,
    file,
    line: undefined,
    column: undefined
  }
  return [...problems.filter((problem) => problem.leavesOut !== undefined || told.has(problem)), more]
}
