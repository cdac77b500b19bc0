import { Cause } from "effect"
import type { JsonObject } from "../json/Json.js"

const mask = "<prompt>"

/** Shorter texts are words of any program, and to cut them out would spoil the cause. */
const shortest = 4
/** Texts that are looked for; what dies of a longer conversation is told without its words. */
const most = 1_000

/** Every text in the prompt, the longest first; undefined when there are too many. Walks iteratively. */
const textsOf = (body: JsonObject, fields: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  const texts = new Set<string>()
  const left: Array<unknown> = fields.map((field) => body[field])
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === "string") {
      if (value.length >= shortest) texts.add(value)
    } else if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) if (name !== "role" && name !== "type") left.push(inner)
    }
    if (texts.size > most) return undefined
  }
  return [...texts].sort((a, b) => b.length - a.length)
}

/** What V8 quotes of a text that is no JSON. */
const quotes = /(?:\.\.\.)?"[\s\S]*?"(?:\.\.\.)?(?= is not valid JSON)/g

/** A defect as text, and as an error again. */
class Told extends Error {
  constructor(name: string, text: string) {
    super("")
    this.name = name
    const [first = "", ...lines] = text.split("\n")
    this.message = first.startsWith(`${name}: `) ? first.slice(name.length + 2) : first
    this.stack = [first, ...lines].join("\n")
  }
}

/** The cause as it may stand in a log: the same where it quotes nothing of the prompt, else a copy without that. */
export const withoutPrompt = (
  cause: Cause.Cause<unknown>,
  body: JsonObject,
  fields: ReadonlyArray<string>
): Cause.Cause<unknown> => {
  const said = Cause.pretty(cause, { renderErrorCause: true })
  const texts = textsOf(body, fields)
  let clean = said.replace(quotes, mask)
  if (texts === undefined)
    clean = said
      .split("\n")
      .filter((line) => /^\s+at /.test(line))
      .join("\n")
  else {
    for (const text of texts) {
      clean = clean.replaceAll(text, mask).replaceAll(JSON.stringify(text).slice(1, -1), mask)
    }
  }
  if (clean === said) return cause
  const defect: unknown = Cause.squash(cause)
  return Cause.die(new Told(defect instanceof Error ? defect.name : "Error", clean))
}
