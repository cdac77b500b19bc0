/**
 * Scripts that complete the command line in a shell, from the table of subcommands.
 */
import type { Command, Options } from "./options.js"

/** The shells that there is a script for. */
export const shells = ["sh", "bash", "zsh", "fish"] as const
/** A shell that there is a script for. */
export type Shell = (typeof shells)[number]

/** Whether there is a script for it. */
export const isShell = (name: string): name is Shell => (shells as ReadonlyArray<string>).includes(name)

type Commands = ReadonlyMap<string, Command>

const everywhere: Options = {
  help: { about: "Help", read: () => true },
  version: { about: "The version", read: () => true },
  completions: { about: "A completion script for a shell", shape: "SHELL", read: () => true }
}

const optionsOf = (command: Command) => Object.entries({ ...command.options, ...everywhere })

const flags = (options: Options): string =>
  ["-h", ...Object.keys({ ...options, ...everywhere }).map((name) => `--${name}`)].join(" ")

/** Options whose value, and commands whose argument, is a file. */
const isFile = (shape: string | undefined): boolean => shape === "FILE" || shape === "file"

/** What completes a file. */
const files = `$(compgen -f -- "\${cur}")`

const bash = (commands: Commands): string => `_switchyard() {
    local cur prev word cmd=""
    cur="\${COMP_WORDS[COMP_CWORD]}"
    prev="\${COMP_WORDS[COMP_CWORD-1]}"
    for word in "\${COMP_WORDS[@]:0:COMP_CWORD}"; do
        case "\${cmd},\${word}" in
            ",$1") cmd="switchyard" ;;
${[...commands.keys()].map((name) => `            switchyard,${name}) cmd="${name}" ;;`).join("\n")}
        esac
    done
    case "\${cmd},\${prev}" in
        *,--completions) COMPREPLY=( $(compgen -W "${shells.join(" ")}" -- "\${cur}") ); return 0 ;;
${[...commands]
  .flatMap(([name, { options }]) =>
    Object.entries(options).flatMap(([option, { shape }]) =>
      shape === undefined
        ? []
        : [`        ${name},--${option}) ${isFile(shape) ? `COMPREPLY=( ${files} ); ` : ""}return 0 ;;`]
    )
  )
  .join("\n")}
    esac
    case "\${cmd}" in
        switchyard) COMPREPLY=( $(compgen -W "${[...commands.keys()].join(" ")} ${flags({})}" -- "\${cur}") ) ;;
${[...commands]
  .map(
    ([name, { argument, options }]) =>
      `        ${name}) COMPREPLY=( $(compgen -W "${flags(options)}" -- "\${cur}")${isFile(argument?.name) ? ` ${files}` : ""} ) ;;`
  )
  .join("\n")}
    esac
}
complete -o filenames -F _switchyard switchyard`

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** In a list of zsh's the brackets and the colon end a text. */
const zshText = (text: string): string => text.replace(/[[\]:\\]/g, "\\$&")

const zshOption = ([name, { about, isRepeated, shape }]: readonly [string, Options[string]]): string => {
  const value =
    shape === undefined
      ? ""
      : `:${shape}:${shape === "SHELL" ? `(${shells.join(" ")})` : isFile(shape) ? "_files" : " "}`
  return quoted(`${isRepeated === true ? "*" : ""}--${name}[${zshText(about)}]${value}`)
}

const zsh = (commands: Commands): string => `#compdef switchyard

_switchyard() {
    local curcontext="$curcontext" state line
    local -a commands=(
${[...commands].map(([name, { about }]) => `        ${quoted(`${name}:${zshText(about)}`)}`).join("\n")}
    )
    _arguments -C ${Object.entries(everywhere).map(zshOption).join(" ")} '-h[Help]' '1:command:->command' '*::argument:->argument'
    case "$state" in
        (command) _describe -t commands command commands ;;
        (argument)
            case "$line[1]" in
${[...commands]
  .map(([name, command]) => {
    const word =
      command.argument === undefined
        ? ""
        : ` ${quoted(`1:${command.argument.name}:${isFile(command.argument.name) ? "_files" : " "}`)}`
    return `                (${name}) _arguments ${optionsOf(command).map(zshOption).join(" ")} '-h[Help]'${word} ;;`
  })
  .join("\n")}
            esac
            ;;
    esac
}

if [ "$funcstack[1]" = "_switchyard" ]; then
    _switchyard "$@"
else
    compdef _switchyard switchyard
fi`

const fishOption = (condition: string, [name, { about, shape }]: readonly [string, Options[string]]): string => {
  const value =
    shape === undefined
      ? ""
      : shape === "SHELL"
        ? ` -x -a ${quoted(shells.join(" "))}`
        : isFile(shape)
          ? " -r -F"
          : " -x"
  return `complete -c switchyard -n ${quoted(condition)} -l ${name}${value} -d ${quoted(about)}`
}

const fish = (commands: Commands): string =>
  [
    "complete -c switchyard -f",
    ...Object.entries(everywhere).map((one) => fishOption("true", one)),
    "complete -c switchyard -s h -d Help",
    ...[...commands].flatMap(([name, { about, argument, options }]) => [
      `complete -c switchyard -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
      ...Object.entries(options).map((one) => fishOption(`__fish_seen_subcommand_from ${name}`, one)),
      ...(isFile(argument?.name)
        ? [`complete -c switchyard -n ${quoted(`__fish_seen_subcommand_from ${name}`)} -F`]
        : [])
    ])
  ].join("\n")

/** The script for a shell, to be sourced. */
export const script = (shell: Shell, commands: Commands): string =>
  shell === "zsh" ? zsh(commands) : shell === "fish" ? fish(commands) : bash(commands)
