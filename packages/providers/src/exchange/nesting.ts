/**
 * How deep the JSON of an answer may nest: what nests deeper can be read, but not written again, and clients refuse it.
 */
import { isDeeper } from "@switchyard/core/Json"

/** Objects and lists in each other. */
export const maxDepth = 500

/** What is said of an answer that nests deeper. */
export const tooDeep = `nests deeper than ${maxDepth} levels`

const opensOften = (text: string): boolean => {
  let count = 0
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1))
      if (++count > maxDepth) return true
  }
  return false
}

/** Whether a value nests too deep. The text that it was parsed from rules most out without a walk. */
export const isTooDeep = (text: string, value: unknown): boolean =>
  text.length > 2 * maxDepth && opensOften(text) && isDeeper(value, maxDepth)
