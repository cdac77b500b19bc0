/**
 * Plain words of a YAML text as PyYAML's `safe_load` takes them, which reads LiteLLM's files: YAML 1.1, with booleans in more
 * words, octal and sexagesimal numbers, and no exponent without a point and a sign.
 */

const digits = (text: string): string => text.replaceAll("_", "")

const sign = (text: string): number => (text.startsWith("-") ? -1 : 1)

const unsigned = (text: string): string => digits(text).replace(/^[-+]/, "")

/** `1:30` is 90. */
const sexagesimal = (text: string): number =>
  unsigned(text)
    .split(":")
    .reduce((sum, part) => sum * 60 + Number(part), 0)

type Kind = readonly [pattern: RegExp, read: (text: string) => number]

const numbers: ReadonlyArray<Kind> = [
  [/^[-+]?(0|[1-9][0-9_]*)$/, (text) => Number(unsigned(text))],
  [/^[-+]?0b[01_]+$/, (text) => Number.parseInt(unsigned(text).slice(2), 2)],
  [/^[-+]?0x[0-9a-fA-F_]+$/, (text) => Number.parseInt(unsigned(text).slice(2), 16)],
  [/^[-+]?0[0-7_]+$/, (text) => Number.parseInt(unsigned(text), 8)],
  [/^[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?$/, (text) => Number(unsigned(text))],
  [/^\.[0-9][0-9_]*([eE][-+][0-9]+)?$/, (text) => Number(unsigned(text))],
  [/^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$/, sexagesimal],
  [/^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*$/, sexagesimal],
  [/^[-+]?\.(inf|Inf|INF)$/, () => Number.POSITIVE_INFINITY],
  [/^\.(nan|NaN|NAN)$/, () => Number.NaN]
]

/** The value of a word without quotes. */
export const plainValue = (text: string): string | number | boolean | null => {
  if (/^(~|null|Null|NULL|)$/.test(text)) return null
  if (/^(yes|Yes|YES|on|On|ON|true|True|TRUE)$/.test(text)) return true
  if (/^(no|No|NO|off|Off|OFF|false|False|FALSE)$/.test(text)) return false
  const number = numbers.find(([pattern]) => pattern.test(text))
  const value = number?.[1](text)
  return value === undefined || (Number.isNaN(value) && !/nan/i.test(text)) ? text : sign(text) * value
}
