/**
 * The command `switchyard`: reads the command line, runs a subcommand, and turns every mistake into one line on stderr and
 * exit code 1. What it only prints needs nothing loaded.
 */
import { readFileSync } from "node:fs"
import { commands } from "./Cli.js"
import { hasColours, painter } from "./colours.js"
import * as Completions from "./parser/completions.js"
import * as Help from "./parser/help.js"
import { read } from "./parser/words.js"
import { watchPipes } from "./pipes.js"

const version = (): string =>
  (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string })
    .version

const help = (name: string | undefined): string => {
  const paint = painter(hasColours(process.stdout))
  const command = name === undefined ? undefined : commands.get(name)
  return name === undefined || command === undefined
    ? Help.ofAll(commands, paint)
    : Help.ofCommand(name, command, paint)
}

watchPipes()

const asked = read(process.argv.slice(2), commands)
if (asked._tag === "Run") {
  void import("./parser/program.js").then(({ run }) =>
    run(() => asked.command.start(asked.given), asked.command.hearsSignals)
  )
} else if (asked._tag === "Mistake") {
  process.stderr.write(
    `switchyard: ${asked.message} (${["switchyard", asked.command, "--help"].filter(Boolean).join(" ")})\n`
  )
  process.exitCode = 1
} else {
  const text =
    asked._tag === "Help"
      ? help(asked.command)
      : asked._tag === "Version"
        ? version()
        : Completions.script(asked.shell, commands)
  process.stdout.write(`${text}\n`)
}
