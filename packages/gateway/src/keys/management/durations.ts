/** Lengths of time as LiteLLM's users write them: `30s`, `15m`, `12h`, `30d`, `2w`, `1mo`. */

const units: ReadonlyArray<readonly [names: ReadonlyArray<string>, ms: number]> = [
  [["mo"], 30 * 86_400_000],
  [["w"], 7 * 86_400_000],
  [["d"], 86_400_000],
  [["h"], 3_600_000],
  [["m", "min"], 60_000],
  [["s"], 1_000]
]

/** How they are written, for those who write another. */
export const expected = 'a length of time like "30s", "15m", "12h", "30d", "2w" or "1mo" (30 days)'

/** A year of 1,000 of them is more than any key lives. */
const longest = 1_000 * 366 * 86_400_000

/** Ms; undefined for what is none. */
export const parse = (text: string): number | undefined => {
  const [, digits = "", name = ""] = /^(\d{1,12})\s?([a-z]+)$/.exec(text.trim().toLowerCase()) ?? []
  const ms = Number(digits) * (units.find(([names]) => names.includes(name))?.[1] ?? 0)
  return ms > 0 && ms <= longest ? ms : undefined
}

/** The shortest way to write a length, in days, hours, minutes or seconds. */
export const write = (ms: number): string => {
  const found = units.slice(2).find(([, unit]) => ms % unit === 0)
  return found === undefined ? `${Math.ceil(ms / 1_000)}s` : `${ms / found[1]}${found[0][0]}`
}
