/**
 * Beta features that a caller of Anthropic's dialect names in a header: other dialects have none, and clouds know some of them.
 */
import type { Protocol } from "../protocols/protocol.js"

/** What of a caller's beta header a provider knows, and what is left out. */
export const betasFor = (
  { betas }: Protocol,
  header: string
): { readonly kept: ReadonlyArray<string>; readonly dropped: ReadonlyArray<string> } => {
  const named = [...new Set(header.split(",").map((name) => name.trim()))].filter((name) => name !== "")
  if (betas === undefined) return { kept: named, dropped: [] }
  const isKnown = (name: string): boolean => betas.some((start) => name.startsWith(start))
  return { kept: named.filter(isKnown), dropped: named.filter((name) => !isKnown(name)) }
}
