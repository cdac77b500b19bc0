/**
 * Keeps credentials out of errors: providers echo keys, and errors end in logs.
 */

const mask = "<secret>"

/** A secret shorter than this is no secret, and to cut it out would spoil the text. */
const shortest = 4

/** What looks like a key, whoever's it is. */
const keyLike =
  /\b(?:sk|pk|rk|gsk|xai|pplx|nvapi|hf|csk|fw|key)[-_][A-Za-z0-9_-]{12,}|\bAIza[A-Za-z0-9_-]{20,}|(?<=\bBearer\s)[^\s"',]{8,}/g

/** The text without the given secrets, and without anything else that looks like a key. */
export const scrub = (text: string, secrets: ReadonlyArray<string>): string => {
  let clean = text
  for (const secret of secrets) if (secret.length >= shortest) clean = clean.replaceAll(secret, mask)
  return clean.replace(keyLike, mask)
}
