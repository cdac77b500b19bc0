// Models as the other sources know them, put together: what one says, or all say alike.
import { keptAs } from "./names.mjs"

/** Capabilities as letters: a capital where a model has it, a small one where it is known not to. */
const capabilities = {
  A: "audio_input",
  C: "prompt_caching",
  D: "video_input",
  I: "image_output",
  J: "json_schema",
  O: "audio_output",
  P: "pdf_input",
  R: "reasoning",
  T: "tools",
  U: "computer_use",
  V: "vision",
  W: "web_search"
}

/** The words of each source for them. */
const theirs = {
  supports_audio_input: "A",
  supports_prompt_caching: "C",
  supports_video_input: "D",
  supports_response_schema: "J",
  supports_audio_output: "O",
  supports_pdf_input: "P",
  supports_reasoning: "R",
  supports_function_calling: "T",
  supports_computer_use: "U",
  supports_vision: "V",
  supports_web_search: "W"
}

const endpoints = {
  "/v1/chat/completions": "chat",
  "/v1/responses": "chat",
  "/v1/messages": "chat",
  "/v1/completions": "completion",
  "/v1/embeddings": "embeddings",
  "/v1/rerank": "rerank",
  "/v1/moderations": "moderation",
  "/v1/images/generations": "image",
  "/v1/images/edits": "imageEdit",
  "/v1/images/variations": "imageVariation",
  "/v1/audio/speech": "speech",
  "/v1/audio/transcriptions": "transcription",
  "/v1/audio/translations": "translation"
}

/** USD per million, without the noise of binary fractions. More than a thousand is a price per thousand, taken for one apiece. */
const million = (/** @type {unknown} */ value) =>
  typeof value === "number" && value >= 0 && value < 0.001 ? Number((value * 1e6).toPrecision(10)) : undefined
const piece = (/** @type {unknown} */ value) =>
  typeof value === "number" && value >= 0 && value < 1e3 ? Number(value.toPrecision(10)) : undefined
const count = (/** @type {unknown} */ value) =>
  typeof value === "number" && Number.isInteger(value) && value > 0 ? value : undefined

const trimmed = (/** @type {unknown[]} */ values) => {
  const kept = values.map((value) => value ?? 0)
  while (kept.length > 0 && kept.at(-1) === 0) kept.pop()
  return kept
}

/** `[input, output, cached, written]`, undefined where half of it is unknown. */
const rates = (input, output, cached, written) =>
  input === undefined || output === undefined ? undefined : [input, output, cached ?? null, written ?? null]

const withTiers = (price, tiers) => {
  if (price === undefined) return undefined
  const known = tiers.filter(([above, ...rest]) => above > 0 && rest[0] !== undefined && rest[1] !== undefined)
  known.sort((a, b) => a[0] - b[0])
  return known.length === 0 ? price : [...price, known.map((tier) => tier.map((value) => value ?? null))]
}

const tierNames = /^input_cost_per_token_above_(\d+)k_tokens$/

const theirPrice = (said) => {
  if (Array.isArray(said.tiered_pricing) && said.input_cost_per_token === undefined) {
    const steps = said.tiered_pricing.map((tier) => [
      tier.range?.[0] ?? 0,
      million(tier.input_cost_per_token),
      million(tier.output_cost_per_token),
      million(tier.cache_read_input_token_cost),
      undefined
    ])
    const [, ...first] = steps.find(([above]) => above === 0) ?? []
    return withTiers(rates(...first), steps)
  }
  const { mode } = said
  const isPicture = mode === "image_generation" || mode === "image_edit"
  // Where pictures or sound are what is billed, their tokens cost more than those of texts.
  const output =
    (isPicture
      ? said.output_cost_per_image_token
      : mode === "audio_speech"
        ? said.output_cost_per_audio_token
        : undefined) ??
    said.output_cost_per_token ??
    (mode === "embedding" || mode === "rerank" || mode === "moderation" ? 0 : undefined)
  const price = rates(
    million(
      (mode === "audio_transcription" ? said.input_cost_per_audio_token : undefined) ?? said.input_cost_per_token
    ),
    million(output),
    million(said.cache_read_input_token_cost),
    million(said.cache_creation_input_token_cost)
  )
  const tiers = Object.keys(said).flatMap((key) => {
    const size = tierNames.exec(key)?.[1]
    if (size === undefined) return []
    const at = (/** @type {string} */ name) => million(said[`${name}_above_${size}k_tokens`])
    return [
      [
        Number(size) * 1000,
        at("input_cost_per_token"),
        at("output_cost_per_token") ?? price?.[1],
        at("cache_read_input_token_cost"),
        at("cache_creation_input_token_cost")
      ]
    ]
  })
  return withTiers(price, tiers)
}

/** Prices by the piece: image, second, character, search, page. What is billed by tokens is not billed twice. */
const pieces = (said) => {
  const { mode } = said
  const [input = 0, output = 0] = theirPrice(said) ?? []
  if (input + output > 0) return {}
  if (mode === "image_generation" || mode === "image_edit") {
    return { image: piece(said.output_cost_per_image || said.input_cost_per_image) }
  }
  if (mode === "audio_transcription" || mode === "audio_speech" || mode === "video_generation") {
    return {
      second: piece(said.output_cost_per_second || said.input_cost_per_second),
      character: mode === "audio_speech" ? piece(said.input_cost_per_character) : undefined
    }
  }
  if (mode === "rerank" || mode === "search") return { search: piece(said.input_cost_per_query) }
  return mode === "ocr" ? { page: piece(said.ocr_cost_per_page) } : {}
}

/** Tokens of sound and of images, where they cost something else than those of texts. */
const media = (said) => {
  const [input, output] = theirPrice(said) ?? []
  if (input === undefined) return {}
  const unless = (/** @type {number} */ usual, /** @type {number | undefined} */ value) =>
    value === usual ? undefined : value
  return {
    audioIn: unless(input, million(said.input_cost_per_audio_token)),
    audioOut: unless(output, million(said.output_cost_per_audio_token)),
    imageIn: unless(input, million(said.input_cost_per_image_token))
  }
}

const attribute = /^(?:hd|standard|low|medium|high|auto)$|^\d+-x-\d+$|^max-x-max$|steps$/

/** `hd/1024-x-1792/dall-e-3` is `dall-e-3`, asked as `hd 1024x1792`. */
const asked = (/** @type {string} */ name) => {
  const parts = name.split("/")
  const said = []
  while (parts.length > 1 && attribute.test(String(parts[0]))) said.push(String(parts.shift()).replace("-x-", "x"))
  return { id: parts.join("/"), as: said.join(" ") }
}

const ofSize = (said, /** @type {string} */ as) => {
  const whole = piece(said.output_cost_per_image ?? said.input_cost_per_image)
  if (whole !== undefined) return whole
  const [, width, height] = /(\d+)x(\d+)/.exec(as) ?? []
  const dot = said.output_cost_per_pixel || said.input_cost_per_pixel
  return dot === undefined || width === undefined ? undefined : piece(dot * Number(width) * Number(height))
}

export const collect = () => {
  const providers = new Map()
  const at = (/** @type {string} */ provider, /** @type {string} */ id) => {
    const name = keptAs(provider)
    const models = providers.get(name) ?? new Map()
    providers.set(name, models)
    const key = id.toLowerCase()
    const known = models.get(key) ?? { id, modes: [], operations: new Set(), says: {}, images: {} }
    models.set(key, known)
    return known
  }
  return { providers, at }
}

/** A source's word counts where no earlier one spoke. */
const first = (model, field, value) => {
  if (value !== undefined && model[field] === undefined) model[field] = value
}

const can = (model, /** @type {string} */ letter, /** @type {unknown} */ value) => {
  if (typeof value !== "boolean") return
  model.says[letter] = model.says[letter] === undefined || model.says[letter] === value ? value : "both"
}

/** LiteLLM's map. */
export const addLiteLlm = ({ at }, map) => {
  for (const [key, said] of Object.entries(map)) {
    const provider = said.litellm_provider
    if (key === "sample_spec" || typeof provider !== "string" || /commitment/.test(key)) continue
    const name = keptAs(provider)
    const prefixes = [`${provider}/`, `${name}/`, name === "amazon_nova" ? "amazon-nova/" : "/"]
    const prefix = prefixes.find((one) => key.startsWith(one)) ?? ""
    const { as, id } = asked(key.slice(prefix.length))
    const model = at(provider, id)
    if (as !== "") {
      const price = ofSize(said, as)
      if (price !== undefined) model.images[as] = price
      if (said.mode !== undefined && model.modes.length === 0) model.modes.push(said.mode)
      continue
    }
    if (said.mode !== undefined) model.modes.push(said.mode)
    for (const path of said.supported_endpoints ?? []) {
      if (endpoints[path] !== undefined) model.operations.add(endpoints[path])
    }
    first(model, "window", count(said.max_input_tokens))
    first(model, "output", said.mode === "embedding" ? undefined : count(said.max_output_tokens))
    first(model, "price", theirPrice(said))
    for (const [unit, price] of Object.entries({ ...pieces(said), ...media(said) })) first(model, unit, price)
    for (const [word, letter] of Object.entries(theirs)) can(model, letter, said[word])
    const output = said.supported_output_modalities
    if (Array.isArray(output)) {
      can(model, "I", output.includes("image"))
      can(model, "O", output.includes("audio"))
    }
  }
}

/** models.dev's list, as liter-llm ships it. */
export const addModelsDev = ({ at }, catalog) => {
  for (const [provider, { models }] of Object.entries(catalog)) {
    for (const said of Object.values(models)) {
      const model = at(provider, said.id)
      if (said.mode !== undefined) model.modes.push(said.mode)
      first(model, "window", count(said.limit?.input) ?? count(said.limit?.context))
      first(model, "output", said.mode === "embedding" ? undefined : count(said.limit?.output))
      first(model, "family", said.family)
      const { pricing } = said
      if (pricing !== undefined && pricing !== null) {
        const price = rates(
          million(pricing.input_cost_per_token),
          million(pricing.output_cost_per_token),
          million(pricing.cache_read_input_token_cost),
          million(pricing.cache_creation_input_token_cost)
        )
        const tiers = (pricing.tiers ?? []).map((tier) => [
          tier.min_context_tokens,
          million(tier.input_cost_per_token),
          million(tier.output_cost_per_token),
          million(tier.cache_read_input_token_cost),
          million(tier.cache_creation_input_token_cost)
        ])
        first(model, "price", withTiers(price, tiers))
      }
      const { input = [], output = [] } = said.modalities ?? {}
      can(model, "T", said.capabilities.function_calling)
      can(model, "R", said.capabilities.reasoning)
      if (said.capabilities.structured_output === true) can(model, "J", true)
      if (input.length > 0) {
        can(model, "V", input.includes("image"))
        can(model, "A", input.includes("audio"))
        can(model, "D", input.includes("video"))
        if (input.includes("pdf")) can(model, "P", true)
      }
      if (output.length > 0) {
        can(model, "I", output.includes("image"))
        can(model, "O", output.includes("audio"))
      }
    }
  }
}

/** pi-ai's list. */
export const addBounds = ({ at }, lists) => {
  for (const [provider, list] of Object.entries(lists)) {
    for (const said of Object.values(list)) {
      const model = at(provider, said.id)
      if (model.modes.length === 0) model.modes.push("chat")
      first(model, "window", count(said.contextWindow))
      first(model, "output", count(said.maxTokens))
      const { cacheRead, cacheWrite, input, output } = said.cost
      const isKnown = input > 0 || output > 0
      if (isKnown) first(model, "price", rates(input, output, cacheRead || null, cacheWrite || null))
      if (said.input.includes("image")) can(model, "V", true)
      can(model, "R", said.reasoning)
    }
  }
}

/** Names alone. */
export const addNames = ({ at }, lists) => {
  for (const [provider, names] of Object.entries(lists)) for (const name of names) at(provider, name)
}

/** How a model's images cost when nobody says of which kind. */
const usual = (/** @type {Record<string, number>} */ images) => {
  const names = ["standard 1024x1024", "1024x1024", "medium 1024x1024", "standard", "medium"]
  const name = names.find((one) => images[one] !== undefined) ?? Object.keys(images)[0]
  return name === undefined ? undefined : images[name]
}

/** `[id, mode, capabilities, window, output, price, rest]`, trailing unknowns left out. */
const row = (model) => {
  const letters = Object.keys(capabilities)
    .flatMap((letter) =>
      model.says[letter] === true ? [letter] : model.says[letter] === false ? [letter.toLowerCase()] : []
    )
    .join("")
  const modes = [...new Set(model.modes)]
  const isByTokens = (model.price?.[0] ?? 0) + (model.price?.[1] ?? 0) > 0
  const images = isByTokens ? {} : Object.fromEntries(Object.entries(model.images).sort(([a], [b]) => (a < b ? -1 : 1)))
  const rest = {
    also: modes.length > 1 ? modes.slice(1) : undefined,
    at: model.operations.size > 0 ? [...model.operations].sort() : undefined,
    family: model.family,
    image: isByTokens ? undefined : (model.image ?? usual(images)),
    images: Object.keys(images).length > 0 ? images : undefined,
    second: isByTokens ? undefined : model.second,
    character: isByTokens ? undefined : model.character,
    search: model.search,
    page: model.page,
    audioIn: model.audioIn,
    audioOut: model.audioOut,
    imageIn: model.imageIn
  }
  const isEmpty = Object.values(rest).every((value) => value === undefined)
  return trimmed([model.id, modes[0], letters || 0, model.window, model.output, model.price, isEmpty ? 0 : rest])
}

/** Rows of a provider, in the order of their ids. */
export const rowsOf = (/** @type {Map<string, unknown>} */ models) =>
  [...models.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, model]) => row(model))
