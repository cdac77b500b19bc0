/**
 * What the words of a command line ask for. Options may stand before or after the argument, and a misspelt one is named
 * together with what was probably meant.
 */
import { parseArgs } from "node:util"
import { nearest } from "@switchyard/core/Closest"
import { isShell, type Shell, shells } from "./completions.js"
import type { Command } from "./options.js"

/** What is asked for. */
export type Asked =
  /** Of one subcommand, or of the whole command. */
  | { readonly _tag: "Help"; readonly command: string | undefined }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Completions"; readonly shell: Shell }
  | { readonly _tag: "Run"; readonly command: Command; readonly given: Readonly<Record<string, unknown>> }
  /** `command` is the subcommand whose help says more. */
  | { readonly _tag: "Mistake"; readonly message: string; readonly command: string | undefined }

/** Options that every subcommand has. */
const everywhere = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  completions: { type: "string" }
} as const

const mistake = (message: string, command?: string): Asked => ({
  _tag: "Mistake",
  message: command === undefined ? message : `${command}: ${message}`,
  command
})

const unknown = (what: string, name: string, names: ReadonlyArray<string>): string => {
  const [meant] = nearest(name, names, 1)
  return `no ${what} ${JSON.stringify(name)}${meant === undefined ? `; there is ${names.join(", ")}` : `; did you mean ${meant}?`}`
}

const isBoolean = (word: string): boolean => word === "true" || word === "false"

interface Sorted {
  readonly options: ReadonlyMap<string, ReadonlyArray<string>>
  readonly rest: ReadonlyArray<string>
}

/** The words in options and others; or what is wrong with them. What follows `--` is no option. */
const sorted = (words: ReadonlyArray<string>, options: Command["options"]): Sorted | string => {
  const known = Object.fromEntries(
    Object.entries(options).map(([name, { shape }]) => [
      name,
      { type: shape === undefined ? "boolean" : "string" } as { readonly type: "boolean" | "string"; short?: string }
    ])
  )
  const all: Readonly<Record<string, { readonly type: "boolean" | "string"; short?: string }>> = {
    ...known,
    ...everywhere
  }
  const names = Object.keys(all)
  const isKnown = (word: string): boolean => word === "-h" || names.includes(word.replace(/^--/, ""))
  const { tokens } = parseArgs({ args: [...words], options: all, strict: false, allowPositionals: true, tokens: true })
  const found = new Map<string, Array<string>>()
  const rest: Array<string> = []
  /** The switch that stands before a word. */
  let before: string | undefined
  for (const token of tokens) {
    const known: Array<string> | undefined = before === undefined ? undefined : found.get(before)
    before = undefined
    if (token.kind === "positional" && known !== undefined && isBoolean(token.value)) known.splice(-1, 1, token.value)
    else if (token.kind === "positional") rest.push(token.value)
    if (token.kind !== "option") continue
    const { inlineValue, name, rawName, value } = token
    const type = Object.hasOwn(all, name) ? all[name]?.type : undefined
    if (type === undefined)
      return unknown(
        "option",
        rawName,
        [...Object.keys(options), ...(Object.keys(options).length === 0 ? Object.keys(everywhere) : ["help"])].map(
          (one) => `--${one}`
        )
      )
    if (type === "boolean" && value !== undefined && !(isBoolean(value) && Object.hasOwn(options, name))) {
      return Object.hasOwn(options, name)
        ? `${rawName} takes true, false or no value, found ${JSON.stringify(value)}`
        : `${rawName} takes no value`
    }
    if (
      type === "string" &&
      (value === undefined || (inlineValue === false && value.startsWith("-") && isKnown(value)))
    ) {
      return `${rawName} needs a value`
    }
    const values = found.get(name) ?? []
    if (type === "string" && values.length > 0 && options[name]?.isRepeated !== true) return `${rawName} is given twice`
    found.set(name, [...values, value ?? ""])
    if (type === "boolean" && value === undefined && Object.hasOwn(options, name)) before = name
  }
  return { options: found, rest }
}

const common = ({ options }: Sorted, command: string | undefined): Asked | undefined => {
  if (options.has("help")) return { _tag: "Help", command }
  if (options.has("version")) return { _tag: "Version" }
  const shell = options.get("completions")?.at(-1)
  if (shell === undefined) return undefined
  return isShell(shell)
    ? { _tag: "Completions", shell }
    : mistake(`--completions: expected ${shells.join(", ")}, found ${JSON.stringify(shell)}`)
}

/** What a subcommand is given; or what it lacks, or has too much of. */
const given = (command: Command, { options, rest }: Sorted): Readonly<Record<string, unknown>> | string => {
  const taken = [command.argument, command.second].flatMap((argument) => (argument === undefined ? [] : [argument]))
  const missing = taken.find(({ byDefault }, index) => (rest[index] ?? byDefault) === undefined)
  if (missing !== undefined) return `<${missing.name}> is missing: ${missing.about}`
  const extra = rest[taken.length]
  if (extra !== undefined) return `${JSON.stringify(extra)} is one word too many`
  return {
    ...Object.fromEntries(
      Object.entries(command.options).map(([name, { read }]) => [name, read(options.get(name) ?? [])])
    ),
    ...Object.fromEntries(taken.map(({ byDefault, name }, index) => [name, rest[index] ?? byDefault]))
  }
}

/** What the words ask for; or one line on what is wrong. */
export const read = (words: ReadonlyArray<string>, commands: ReadonlyMap<string, Command>): Asked => {
  const [name, ...others] = words
  if (name === undefined) return { _tag: "Help", command: undefined }
  if (name.startsWith("-")) {
    const found = sorted(words, {})
    if (typeof found === "string") return mistake(found)
    return common(found, undefined) ?? mistake(unknown("command", found.rest[0] ?? name, [...commands.keys()]))
  }
  const command = commands.get(name)
  if (command === undefined && name === "help") {
    const [of] = others
    if (of === undefined || commands.has(of)) return { _tag: "Help", command: of }
    return mistake(unknown("command", of, [...commands.keys()]))
  }
  if (command === undefined) return mistake(unknown("command", name, [...commands.keys()]))
  const found = sorted(others, command.options)
  if (typeof found === "string") return mistake(found, name)
  const asked = common(found, name)
  if (asked !== undefined) return asked
  const values = given(command, found)
  return typeof values === "string" ? mistake(values, name) : { _tag: "Run", command, given: values }
}
