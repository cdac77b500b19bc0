/**
 * What a model of Anthropic's takes, told from its name: requests of other dialects know nothing of it.
 */

/** What a model takes. */
export interface Abilities {
  /** `budget`: thinks with so many tokens; `adaptive`: as much as it likes, by effort; `none`: not at all. */
  readonly thinking: "none" | "budget" | "adaptive"
  /** Words for effort, from the least to the most. */
  readonly efforts: ReadonlyArray<string>
  /** `temperature`, `top_p` and `top_k`: all of them, either temperature or top_p, or none. */
  readonly samplers: "all" | "one" | "none"
  /** Whether an answer can be held to a schema, and calls of tools to theirs. */
  readonly isStructured: boolean
  /** Thoughts are left out of the answer unless it is asked for them. */
  readonly hidesThoughts: boolean
}

/** For models of others who speak the dialect. */
const unknown: Abilities = {
  thinking: "budget",
  efforts: [],
  samplers: "all",
  isStructured: true,
  hidesThoughts: false
}

/** `claude-3-7-sonnet-20250219`, `anthropic.claude-opus-4-6-v1:0`, `claude-sonnet-4@20250514`: 307, 406, 400. */
const version = /claude(?:-[a-z]+)?-(\d{1,2})(?:[-.](\d{1,2})(?!\d))?(?!\d)/

/** By the name of a model, in any cloud's spelling. */
export const abilitiesOf = (model: string): Abilities => {
  const found = version.exec(model)
  if (found === null) return unknown
  const at = Number(found[1]) * 100 + Number(found[2] ?? 0)
  return {
    thinking: at >= 406 ? "adaptive" : at >= 307 ? "budget" : "none",
    efforts: at >= 407 ? ["low", "medium", "high", "xhigh", "max"] : ["low", "medium", "high", "max"],
    samplers: at >= 407 ? "none" : at >= 401 ? "one" : "all",
    isStructured: at >= 401,
    hidesThoughts: at >= 407
  }
}
