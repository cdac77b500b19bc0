/**
 * The help, from the table of subcommands.
 */
import type { Paint } from "../colours.js"
import type { Command, Option } from "./options.js"

const everywhere = `
  -h, --help    Help, also for each command, for example: switchyard serve --help
  --version     The version
  --completions sh|bash|zsh|fish
                A completion script for a shell

Exit codes: 0 it worked, 1 it did not, or the command line is wrong; of serve also 3, calls were cut at
the end of a drain, and 70, a fault of its own.`

const about = "An OpenAI-compatible gateway that routes over many deployments of language models"

const nameOf = (name: string, { isRepeated, shape }: Option): string => {
  const whole = shape === undefined ? `--${name}` : `--${name} ${shape}`
  return isRepeated === true ? `[${whole}]...` : whole
}

const usageOf = (name: string, option: Option): string => {
  const whole = nameOf(name, option)
  return option.isRepeated === true ? whole : `[${whole}]`
}

const sections = (parts: ReadonlyArray<readonly [title: string, lines: string] | undefined>, paint: Paint): string =>
  parts.flatMap((part) => (part === undefined ? [] : [`${paint("bold", part[0])}\n\n${part[1]}`])).join("\n\n")

/** What can be typed after a subcommand's name, and what it does. */
export const ofCommand = (
  name: string,
  { about, argument, examples, options, second }: Command,
  paint: Paint
): string => {
  const shown = Object.entries(options)
  const taken = [argument, second].flatMap((one) => (one === undefined ? [] : [one]))
  const words = taken.map((one) => (one.byDefault === undefined ? `<${one.name}>` : `[<${one.name}>]`))
  const usage = ["$ switchyard", name, ...shown.map(([key, option]) => usageOf(key, option)), ...words].join(" ")
  return sections(
    [
      ["USAGE", usage],
      ["DESCRIPTION", about],
      taken.length === 0 ? undefined : ["ARGUMENTS", taken.map((one) => `<${one.name}>\n  ${one.about}`).join("\n\n")],
      ["OPTIONS", shown.map(([key, option]) => `${nameOf(key, option)}\n  ${option.about}`).join("\n\n")],
      examples.length === 0
        ? undefined
        : ["EXAMPLES", examples.map(([line, about]) => `$ ${line}\n  ${about}`).join("\n\n")]
    ],
    paint
  )
}

/** What there is. */
export const ofAll = (commands: ReadonlyMap<string, Command>, paint: Paint): string => {
  const width = Math.max(...[...commands.keys()].map(({ length }) => length)) + 2
  return sections(
    [
      ["USAGE", "$ switchyard <command>"],
      ["DESCRIPTION", about],
      ["COMMANDS", [...commands].map(([name, command]) => `  ${name.padEnd(width)}${command.about}`).join("\n")],
      ["EVERYWHERE", everywhere.slice(1)]
    ],
    paint
  )
}
