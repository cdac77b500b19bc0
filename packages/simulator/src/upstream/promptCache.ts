import { toMs } from "@switchyard/core/Time"
import type { Duration } from "effect"
import type { Asked } from "./Asked.js"

/** An upstream's memory of prompts. */
export interface PromptCache {
  /** Tokens of the prompt that it has; from now on it has all of them. */
  readonly take: (asked: Asked, now: number) => number
  /** The same, without an effect. */
  readonly peek: (asked: Asked, now: number) => number
}

interface Kept {
  readonly tokens: number
  readonly until: number
}

/** Prompts that are kept at most; the oldest make room. */
const mostPrompts = 100_000

/** A cache that keeps what is used within `lasts`; undefined for none. */
export const promptCache = (lasts: Duration.DurationInput | undefined): PromptCache | undefined => {
  if (lasts === undefined) return undefined
  const ms = toMs(lasts)
  const kept = new Map<string, Kept>()
  const tokensOf = (name: string | undefined, now: number): number => {
    const found = name === undefined ? undefined : kept.get(name)
    return found === undefined || found.until < now ? 0 : found.tokens
  }
  const keep = (name: string | undefined, tokens: number, now: number): void => {
    if (name === undefined) return
    kept.delete(name)
    kept.set(name, { tokens, until: now + ms })
    if (kept.size > mostPrompts) for (const oldest of kept.keys()) return void kept.delete(oldest)
  }
  const prefixName = ({ prefix }: Asked) => (prefix === undefined ? undefined : `prefix ${prefix.name}`)
  const sessionName = ({ session }: Asked) => (session === undefined ? undefined : `session ${session}`)
  const peek: PromptCache["peek"] = (asked, now) =>
    Math.min(asked.inputTokens, Math.max(tokensOf(sessionName(asked), now), tokensOf(prefixName(asked), now)))
  return {
    peek,
    take: (asked, now) => {
      const cached = peek(asked, now)
      keep(sessionName(asked), asked.inputTokens, now)
      keep(prefixName(asked), Math.min(asked.prefix?.tokens ?? 0, asked.inputTokens), now)
      return cached
    }
  }
}
