/**
 * Makes the parser's help shorter: no sentences that say nothing, no double blank lines, and usages that can be typed.
 */
import { stripVTControlCharacters } from "node:util"

const empty = new Set([
  "A user-defined piece of text.",
  "A true or false value.",
  "This setting is optional.",
  "This option may be repeated zero or more times."
])

const builtIns = `
EVERYWHERE

  -h, --help    Help, also for each command, for example: switchyard serve --help
  --version     The version
  --completions sh|bash|zsh|fish
                A completion script for a shell

Exit codes: 0 it worked, 1 it did not, or the command line is wrong; of serve also 3, calls were cut at
the end of a drain, and 70, a fault of its own.`

/** Whether the last line before a blank one is an option's or an argument's name. */
const isBelowName = (kept: ReadonlyArray<string>): boolean =>
  kept.at(-1) === "" && /^(\(?-|<|\[)/.test(stripVTControlCharacters(kept.at(-2) ?? ""))

/** The help of the parser, tidied; anything else as it is. */
export const tidied = (text: string): string => {
  const lines = text.split("\n")
  const bare = lines.map((line) => stripVTControlCharacters(line).trim())
  const usage = bare.indexOf("USAGE")
  if (usage === -1) return text.trimEnd()
  const kept: Array<string> = []
  lines.forEach((line, index) => {
    const content = bare[index] ?? ""
    // The title says no more than the usage below it.
    if (index < usage || empty.has(content)) return
    const [, command, description] = /^- (\S+).*? {2,}(.+)$/.exec(content) ?? []
    if (command !== undefined) {
      if (kept.at(-1) === "" && kept.at(-2)?.startsWith("  ") === true) kept.pop()
      kept.push(`  ${command.padEnd(8)}${description}`)
      return
    }
    if (content !== "" && line.startsWith("  ") && isBelowName(kept)) kept.pop()
    if (content === "" && kept.at(-1) === "") return
    kept.push(
      line
        .replace(/^\$ (?!switchyard)/, "$ switchyard ")
        .replace(/(?<!\[)(--\S+ [A-Z]+)\.\.\./, "[$1]...")
        .replace(/^\$ switchyard$/, "$ switchyard <command>")
    )
  })
  const whole = kept.join("\n").trimEnd()
  return bare.includes("COMMANDS") ? `${whole}\n${builtIns}` : whole
}
