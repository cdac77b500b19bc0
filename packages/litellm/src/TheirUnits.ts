/**
 * What is expected of a value, in the units of LiteLLM's key: seconds where our setting has ms, retries where ours counts
 * attempts, USD per token where ours are per million.
 */

const periods: ReadonlySet<string> = new Set(["budget_duration", "time_period"])

/** Keys that are counts of something else here. */
const counts: ReadonlySet<string> = new Set(["num_retries", "allowed_fails", "max_fallbacks"])

const words = (expected: string, key: string): string => {
  if (counts.has(key) || /Retries$|AllowedFails$/.test(key)) {
    return expected.replace(/^a (whole|finite) number .*$/, "a whole number of at least 0")
  }
  if (/_cost_per_|_token_cost/.test(key)) return expected.replace("per million tokens", "per token")
  if (periods.has(key)) return expected.replace(/^a duration .*$/, 'a length of time such as "30s", "24h" or "30d"')
  return expected
    .replace(/^a duration above 0, in ms or like "30 seconds"/, "a number of seconds above 0")
    .replace(/^a duration of 0 or more, in ms or like "30 seconds"/, "a number of seconds of at least 0")
}

/** What was expected of one of our settings, as whoever wrote LiteLLM's key has to write it. `path` is the key's. */
export const inTheirUnits = (expected: string, path: string): string =>
  words(expected, path.replace(/(\[\d+\])+$/, "").replace(/^.*[.\]]/, ""))
