/** How bad a line is. */
export type Level = "debug" | "info" | "warn" | "error"

/** What a field of a line may hold; what is undefined is left out. */
export type FieldValue = string | number | boolean | ReadonlyArray<string> | undefined

/** Order of the levels, and how they are painted. */
export const levels: Readonly<Record<Level, { readonly rank: number; readonly colour: number }>> = {
  debug: { rank: 0, colour: 2 },
  info: { rank: 1, colour: 32 },
  warn: { rank: 2, colour: 33 },
  error: { rank: 3, colour: 31 }
}

/** Beyond visible ASCII without quotes and backslashes. */
const special = /[^\x20\x21\x23-\x5b\x5d-\x7e]/

/** Controls, line separators, and what changes the direction of text or is not seen. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const escaped = (found: string): string => {
  let text = ""
  for (let i = 0; i < found.length; i++) text += `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`
  return text
}

/** A string as JSON that stays on its line and steers no terminal. */
export const quote = (text: string): string =>
  special.test(text) ? JSON.stringify(text).replace(invisible, escaped) : `"${text}"`

/** A string for people: as it is where it is one plain word, else quoted. */
export const word = (text: string): string => (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text) ? text : quote(text))

/** Wall-clock ms as ISO 8601 in UTC; most lines fall into the same second as the line before. */
export const isoTime = (): ((ms: number) => string) => {
  let second = Number.NaN
  let prefix = ""
  return (ms) => {
    const whole = Math.floor(ms / 1000)
    if (whole !== second) {
      second = whole
      prefix = new Date(whole * 1000).toISOString().slice(0, 20)
    }
    const rest = Math.floor(ms - whole * 1000)
    return `${prefix}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`
  }
}
