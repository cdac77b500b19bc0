/**
 * What keeps a conversation's requests together, as a short hash: of its session, else of the beginning of its prompt, by
 * which the strategy `sticky` goes, too.
 */
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"

/** Characters of a message that count. */
const reach = 1024

/** Of so many characters each counts, of those behind them one in `stride`: a record may cost no more than microseconds. */
const dense = 128
const stride = 8

/** FNV-1a, 32 bits. */
const mix = (hash: number, code: number): number => Math.imul(hash ^ code, 0x01000193)

const hashText = (text: string, from: number, end = reach): number => {
  const stop = Math.min(text.length, end)
  const near = Math.min(stop, dense)
  let hash = from
  let i = 0
  while (i < near) hash = mix(hash, text.charCodeAt(i++))
  for (; i < stop; i += stride) hash = mix(hash, text.charCodeAt(i))
  return hash
}

/** A message's text; as it was where there is none. */
const hashContent = (content: unknown, from: number | undefined, basis: number): number | undefined => {
  if (typeof content === "string") return content === "" ? from : hashText(content, from ?? basis)
  let hash = from
  let left = reach
  for (const part of arrayOf(content)) {
    const text = typeof part === "string" ? part : isJsonObject(part) ? part.text : undefined
    if (typeof text !== "string" || text === "") continue
    hash = hashText(text, hash ?? basis, left)
    left -= text.length
    if (left <= 0) break
  }
  return hash
}

const basis = 0x811c9dc5

/** The hash, in few letters and digits: it tells conversations apart, and nothing of what is in them. Undefined without a text. */
export const sessionOf = (request: LlmRequest): string | undefined => {
  const { body, operation, sessionKey } = request
  if (sessionKey !== undefined) return (hashText(sessionKey, basis, sessionKey.length) >>> 0).toString(36)
  const { system, user } = wordsOf(request).beginning(operation, body)
  const hash = hashContent(user, hashContent(system, undefined, basis), basis)
  return hash === undefined ? undefined : (hash >>> 0).toString(36)
}
