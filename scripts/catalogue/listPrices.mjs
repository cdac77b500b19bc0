// Prices as the first source writes them: a model by a clause of names, tiers, announced days.

const per = (value, inputTokens) => {
  if (value === undefined || typeof value === "number") return value ?? null
  let price = value.base
  for (const tier of [...value.tiers].sort((a, b) => a.start - b.start))
    if (inputTokens > tier.start) price = tier.price
  return price
}

const row = (prices, inputTokens) => [
  per(prices.input_mtok, inputTokens),
  per(prices.output_mtok, inputTokens),
  per(prices.cache_read_mtok, inputTokens),
  per(prices.cache_write_mtok, inputTokens)
]

const starts = (prices) =>
  [
    ...new Set(
      Object.entries(prices).flatMap(([key, value]) =>
        typeof value === "object" && /^(input|output|cache_read|cache_write)_mtok$/.test(key)
          ? value.tiers.map(({ start }) => start)
          : []
      )
    )
  ].sort((a, b) => a - b)

/** `[input, output, cached, written, tiers]` in USD per million tokens; a tier is `[above this many input tokens, …]`. */
const priceOf = (prices) => {
  if (prices === undefined || prices.input_mtok === undefined) return null
  const tiers = starts(prices).map((start) => [start, ...row(prices, start + 1)])
  const price = row(prices, 0)
  return tiers.length === 0 ? price : [...price, tiers]
}

/** Nobody sees prices change by the hour: where they do, the dearest counts. */
const dearest = (rows) => rows.reduce((a, b) => (per(b.prices.input_mtok, 0) > per(a.prices.input_mtok, 0) ? b : a))

/** The price in force today, and those that are announced, each with its first day. */
const pricesOf = (given, today) => {
  if (!Array.isArray(given)) return { now: priceOf(given), later: [] }
  const byHour = given.filter(({ constraint }) => constraint?.type === "time_of_date")
  const dated = given.filter(({ constraint }) => constraint?.type !== "time_of_date")
  const inForce = dated.filter(({ constraint }) => constraint === undefined || constraint.start_date <= today).at(-1)
  const later = dated.filter(({ constraint }) => constraint !== undefined && constraint.start_date > today)
  const now = byHour.length === 0 ? inForce : dearest([...(inForce === undefined ? [] : [inForce]), ...byHour])
  return { now: priceOf(now?.prices), later: later.map((each) => [each.constraint.start_date, priceOf(each.prices)]) }
}

const signs = { equals: "=", starts_with: "^", ends_with: "$", contains: "*", regex: "/" }

/** Clauses as short texts: `=equal`, `^start`, `$end`, `*part`, `/expression`; a list is any of them, `{and}` all. */
const clause = (match) => {
  if (match.or !== undefined) return match.or.map(clause)
  if (match.and !== undefined) return { and: match.and.map(clause) }
  const [[kind, text]] = Object.entries(match)
  return signs[kind] + (kind === "regex" ? text : text.toLowerCase())
}

const matches = (match, text) => {
  if (Array.isArray(match)) return match.some((each) => matches(each, text))
  if (typeof match === "object") return match.and.every((each) => matches(each, text))
  const [sign, rest] = [match[0], match.slice(1)]
  if (sign === "=") return text === rest
  if (sign === "^") return text.startsWith(rest)
  if (sign === "$") return text.endsWith(rest)
  return sign === "*" ? text.includes(rest) : new RegExp(rest).test(text)
}

/** What the second source calls the providers of the first. */
const boundsOf = {
  anthropic: ["anthropic"],
  aws: ["amazon-bedrock"],
  azure: ["azure-openai-responses"],
  cerebras: ["cerebras"],
  cloudflare: ["cloudflare-workers-ai"],
  deepseek: ["deepseek"],
  fireworks: ["fireworks"],
  "github-copilot": ["github-copilot"],
  google: ["google", "google-vertex"],
  groq: ["groq"],
  minimax: ["minimax"],
  mistral: ["mistral"],
  moonshotai: ["moonshotai"],
  openai: ["openai"],
  openrouter: ["openrouter"],
  "x-ai": ["xai"],
  zai: ["zai"]
}

/** The same figure of every known model that the clause means; null when they differ. */
const agreed = (bounds, provider, id, match, field) => {
  const known = (boundsOf[provider] ?? []).flatMap((name) => Object.values(bounds[name] ?? {}))
  const exact = known.filter((model) => model.id.toLowerCase() === id.toLowerCase())
  const meant = exact.length > 0 ? exact : known.filter((model) => matches(match, model.id.toLowerCase()))
  const figures = new Set(meant.map((model) => model[field]).filter((figure) => figure > 0))
  return figures.size === 1 ? [...figures][0] : null
}

const trimmed = (values) => {
  const kept = [...values]
  while (kept.length > 0 && (kept.at(-1) === null || kept.at(-1)?.length === 0)) kept.pop()
  return kept
}

const model = ({ bounds, today }, provider, { context_window, id, match, prices }) => {
  const made = clause(match)
  const { later, now } = pricesOf(prices, today)
  const isPlain = JSON.stringify(made) === JSON.stringify(`=${id.toLowerCase()}`)
  const window = context_window ?? agreed(bounds, provider, id, made, "contextWindow")
  const output = agreed(bounds, provider, id, made, "maxTokens")
  return trimmed([id, isPlain ? null : made, now, window, output, later])
}

/** Of each provider what it is known by, and its models. */
export const listPrices = (data, bounds, today) =>
  data.map(({ api_pattern, fallback_model_providers, id, model_match, models, provider_match }) => [
    {
      id,
      url: api_pattern,
      ...(provider_match === undefined ? {} : { label: clause(provider_match) }),
      ...(model_match === undefined ? {} : { model: clause(model_match) }),
      ...(fallback_model_providers === undefined ? {} : { others: fallback_model_providers })
    },
    models.map((each) => model({ bounds, today }, id, each))
  ])

const samples = [
  ["openai", "gpt-4o"],
  ["openai", "gpt-4o-2024-08-06"],
  ["openai", "gpt-4o-mini"],
  ["openai", "gpt-5"],
  ["openai", "gpt-5-2025-08-07"],
  ["openai", "gpt-5-mini"],
  ["openai", "gpt-4.1-nano"],
  ["openai", "o3"],
  ["openai", "o4-mini-2025-04-16"],
  ["openai", "text-embedding-3-small"],
  ["openai", "gpt-5.6-sol"],
  ["openai", "gpt-3.5-turbo-0125"],
  ["anthropic", "claude-sonnet-4-20250514"],
  ["anthropic", "claude-sonnet-4-5"],
  ["anthropic", "claude-opus-4-1-20250805"],
  ["anthropic", "claude-3-5-haiku-latest"],
  ["anthropic", "claude-haiku-4-5"],
  ["google", "gemini-2.5-pro"],
  ["google", "gemini-2.5-flash"],
  ["google", "gemini-2.5-flash-lite"],
  ["google", "gemini-2.0-flash"],
  ["google", "claude-sonnet-4@20250514"],
  ["azure", "gpt-4o"],
  ["azure", "gpt-4.1-mini"],
  ["azure", "deepseek-r1"],
  ["aws", "anthropic.claude-3-5-sonnet-20240620-v1:0"],
  ["aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"],
  ["aws", "amazon.nova-pro-v1:0"],
  ["groq", "llama-3.3-70b-versatile"],
  ["together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"],
  ["mistral", "mistral-large-latest"],
  ["mistral", "mistral-small-2506"],
  ["fireworks", "accounts/fireworks/models/deepseek-v3p1"],
  ["x-ai", "grok-4"],
  ["cohere", "command-r-plus"],
  ["openrouter", "anthropic/claude-sonnet-4"],
  ["openrouter", "google/gemini-2.5-flash"],
  ["cerebras", "llama-3.3-70b"],
  ["moonshotai", "kimi-k2-0905-preview"],
  ["voyageai", "voyage-3-large"],
  ["openai", "no-such-model"]
]
const usages = [
  [1_000, 0, 0, 1_000],
  [100_000, 40_000, 10_000, 5_000],
  [300_000, 0, 0, 1_000]
]
/** The package's own answers, for the test of our reading of its data. */
export const ownAnswers = (genai, today) => ({
  usages,
  answers: samples.map(([providerId, id]) => [
    providerId,
    id,
    usages.map(([input_tokens, cache_read_tokens, cache_write_tokens, output_tokens]) => {
      const usage = { input_tokens, cache_read_tokens, cache_write_tokens, output_tokens }
      return genai.calcPrice(usage, id, { providerId, timestamp: new Date(`${today}T12:00:00Z`) })?.total_price ?? null
    })
  ])
})
