/**
 * Names of tools in another dialect's alphabet and length. What does not fit goes out under a name that follows from it alone, and
 * comes back in the answer as what it was.
 */
import type { Conversation } from "../conversation/Conversation.js"
import { fits, hash, type IdRules, isWord } from "./toolIds.js"

/** What a dialect takes for the name of a tool. */
export interface NameRules extends IdRules {
  /** Whether it has to begin with a letter or an underscore. */
  readonly beginsWithLetter?: boolean | undefined
}

/** OpenAI's, Bedrock's, and what those take for granted who speak chat. */
export const wordNames: NameRules = { extra: "_-", least: 1, most: 64 }
/** Anthropic's. */
export const longNames: NameRules = { extra: "_-", least: 1, most: 128 }
/** Google's. */
export const googleNames: NameRules = { extra: "_-.:", least: 1, most: 64, beginsWithLetter: true }

/** Characters of a hash, and the line before it. */
const tail = 10

const beginsWell = (name: string): boolean => /^[A-Za-z_]/.test(name)

const isGood = (name: string, rules: NameRules): boolean =>
  name === "" || (fits(name, rules) && (rules.beginsWithLetter !== true || beginsWell(name)))

const made = (name: string, { beginsWithLetter, extra, most }: NameRules): string => {
  let clean = beginsWithLetter === true && !beginsWell(name) ? "_" : ""
  for (let at = 0; at < name.length && clean.length < most - tail; at++) {
    clean += isWord(name.charCodeAt(at)) || extra.includes(name.charAt(at)) ? name.charAt(at) : "_"
  }
  return `${clean}_${hash(name, 0)}`
}

/** Names of one conversation, both ways. */
export interface Names {
  /** As the target takes it. */
  readonly out: (name: string) => string
  /** As the caller knows it. */
  readonly back: (name: string) => string
}

/** The names of a conversation's tools for a target; undefined where all of them are good as they are. */
export const namesFor = ({ tools, turns }: Conversation, rules: NameRules): Names | undefined => {
  let known: Map<string, string> | undefined
  const look = (name: string): void => {
    if (isGood(name, rules)) return
    known ??= new Map()
    known.set(made(name, rules), name)
  }
  for (const tool of tools) if (tool.type !== "server") look(tool.name)
  for (const { parts } of turns) for (const part of parts) if (part.type === "toolCall") look(part.name)
  if (known === undefined) return undefined
  const originals = known
  return {
    out: (name) => (isGood(name, rules) ? name : made(name, rules)),
    back: (name) => originals.get(name) ?? name
  }
}
