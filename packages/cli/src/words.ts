/**
 * Reads the words of a command line before the parser does: options may stand before or after the arguments (the parser
 * wants them first), and a misspelt one is named together with what was probably meant.
 */
import { levensteinDistance } from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"
import { Either } from "effect"

/** The options of one subcommand, as `--name`, and whether each takes a value. */
export type Known = ReadonlyMap<string, boolean>

const builtIn: Known = new Map([
  ["--help", false],
  ["-h", false],
  ["--version", false],
  ["--completions", true]
])

const shells = ["sh", "bash", "zsh", "fish"]

/** The names nearest to a misspelt one, best first; empty where nothing is near. */
export const nearest = (name: string, names: ReadonlyArray<string>, most = 3): ReadonlyArray<string> => {
  const limit = Math.max(2, Math.floor(name.length / 3))
  return names
    .map((other) => ({ other, distance: levensteinDistance(name, other, CliConfig.defaultConfig) }))
    .filter(({ distance, other }) => distance <= limit || (name.length > 2 && other.includes(name)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ other }) => other)
}

const unknown = (what: string, name: string, names: ReadonlyArray<string>): string => {
  const [meant] = nearest(name, names, 1)
  return `no ${what} ${JSON.stringify(name)}${meant === undefined ? `; there is ${names.join(", ")}` : `; did you mean ${meant}?`}`
}

/** The words after a subcommand, options first; or what is wrong with them. What follows `--` is no option. */
const ordered = (words: ReadonlyArray<string>, known: Known): Either.Either<ReadonlyArray<string>, string> => {
  const options: Array<string> = []
  const others: Array<string> = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ""
    if (word === "--") {
      others.push(...words.slice(at + 1))
      break
    }
    if (!word.startsWith("-") || word === "-") {
      others.push(word)
      continue
    }
    const equals = word.indexOf("=")
    const name = equals === -1 ? word : word.slice(0, equals)
    const takesValue = known.get(name) ?? builtIn.get(name)
    if (takesValue === undefined) return Either.left(unknown("option", name, [...known.keys(), "--help"]))
    if (!takesValue && equals !== -1) return Either.left(`${name} takes no value`)
    options.push(word)
    if (!takesValue || equals !== -1) continue
    const value = words[++at]
    if (value === undefined || known.has(value) || builtIn.has(value)) return Either.left(`${name} needs a value`)
    const isShell = name !== "--completions" || shells.includes(value)
    if (!isShell) return Either.left(`--completions: expected ${shells.join(", ")}, found ${JSON.stringify(value)}`)
    options.push(value)
  }
  return Either.right([...options, ...others])
}

/** The words as the parser wants them; or one line on what is wrong. */
export const arrange = (
  words: ReadonlyArray<string>,
  commands: ReadonlyMap<string, Known>
): Either.Either<ReadonlyArray<string>, string> => {
  const [first, ...rest] = words
  if (first === undefined) return Either.right(["--help"])
  if (first.startsWith("-")) return ordered(words, new Map())
  const known = commands.get(first)
  if (known === undefined) return Either.left(unknown("command", first, [...commands.keys()]))
  return Either.mapBoth(ordered(rest, known), {
    onLeft: (problem) => `${first}: ${problem}`,
    onRight: (arranged) => [first, ...arranged]
  })
}
