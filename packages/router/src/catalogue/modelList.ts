import { rows as first } from "./data/models1.js"
import { rows as second } from "./data/models2.js"
import { places } from "./data/places.js"
import type { Price, Rates, UnitPrices } from "./price.js"
import { spellings } from "./priceList.js"
import { type PriceRow, toPrice } from "./rates.js"

/** What stands behind the figures of a row. */
interface Rest {
  /** Modes that another source gives. */
  readonly also?: ReadonlyArray<string>
  /** Operations at whose endpoints it is said to be. */
  readonly at?: ReadonlyArray<string>
  readonly family?: string
  readonly image?: number
  readonly images?: Readonly<Record<string, number>>
  readonly second?: number
  readonly character?: number
  readonly search?: number
  readonly page?: number
  /** Tokens of sound and of images. */
  readonly audioIn?: number
  readonly audioOut?: number
  readonly imageIn?: number
}

/** Zeros stand for what is unknown. */
type Row = readonly [
  id: string,
  mode?: string | 0,
  capabilities?: string | 0,
  window?: number,
  output?: number,
  price?: PriceRow | 0,
  rest?: Rest | 0
]

/** A model of the list of models. */
export interface Described {
  readonly provider: string
  readonly id: string
  readonly price: Price | undefined
  readonly contextWindow: number | undefined
  readonly maxOutputTokens: number | undefined
  readonly mode: string | undefined
  readonly operations: ReadonlyArray<string> | undefined
  readonly capabilities: Readonly<Record<string, boolean>>
  readonly family: string | undefined
  readonly units: UnitPrices | undefined
  /** Rates of tokens that are no text's; undefined where they cost the same, or nobody knows. */
  readonly media: Pick<Rates, "audioInput" | "audioOutput" | "imageInput"> | undefined
}

/** A capital where a model has the capability, a small letter where it is known not to. */
const letters: Readonly<Record<string, string>> = {
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

const capabilitiesOf = (text: string): Readonly<Record<string, boolean>> =>
  Object.fromEntries(
    [...text].map((letter) => [letters[letter.toUpperCase()] ?? letter, letter === letter.toUpperCase()])
  )

/** What a model of a mode may be asked for. A mode that is not here says nothing. */
const operationsOf: Readonly<Record<string, ReadonlyArray<string>>> = {
  audio_speech: ["speech"],
  audio_transcription: ["transcription", "translation"],
  chat: ["chat", "completion"],
  completion: ["completion"],
  embedding: ["embeddings"],
  image_edit: ["imageEdit"],
  image_generation: ["image", "imageEdit", "imageVariation"],
  moderation: ["moderation"],
  ocr: [],
  realtime: [],
  rerank: ["rerank"],
  responses: ["chat"],
  search: [],
  vector_store: [],
  video_generation: []
}

const operations = (mode: string | undefined, { also = [], at = [] }: Rest): ReadonlyArray<string> | undefined => {
  const known = mode === undefined ? at : [mode, ...also]
  const given = mode === undefined ? [] : known.map((one) => operationsOf[one])
  if (given.includes(undefined) || (mode === undefined && at.length === 0)) return undefined
  return [...new Set([...given.flatMap((one) => one ?? []), ...at])]
}

const unitsOf = ({ character, image, images, page, search, second }: Rest): UnitPrices | undefined => {
  const units = {
    ...(image === undefined ? {} : { perImage: image }),
    ...(images === undefined ? {} : { images }),
    ...(second === undefined ? {} : { perSecond: second }),
    ...(character === undefined ? {} : { perCharacter: character }),
    ...(search === undefined ? {} : { perSearch: search }),
    ...(page === undefined ? {} : { perPage: page })
  }
  return Object.keys(units).length === 0 ? undefined : units
}

const mediaOf = ({ audioIn, audioOut, imageIn }: Rest): Described["media"] =>
  audioIn === undefined && audioOut === undefined && imageIn === undefined
    ? undefined
    : {
        ...(audioIn === undefined ? {} : { audioInput: audioIn }),
        ...(audioOut === undefined ? {} : { audioOutput: audioOut }),
        ...(imageIn === undefined ? {} : { imageInput: imageIn })
      }

const described = (provider: string, [id, mode, capabilities, window, output, price, rest]: Row): Described => {
  const more = rest === 0 || rest === undefined ? {} : rest
  return {
    provider,
    id,
    price: price === 0 ? undefined : toPrice(price),
    contextWindow: window === 0 ? undefined : window,
    maxOutputTokens: output === 0 ? undefined : output,
    mode: mode === 0 ? undefined : mode,
    operations: operations(mode === 0 ? undefined : mode, more),
    capabilities: capabilities === 0 || capabilities === undefined ? {} : capabilitiesOf(capabilities),
    family: more.family,
    units: unitsOf(more),
    media: mediaOf(more)
  }
}

/** Before an id of Bedrock's: where it may be served. Behind it: its version. */
const bedrockRegion = /^(?:us|eu|apac|jp|au|ca|sa|global|us-gov)\./
const bedrockVersion = /-v\d+(?::\d+)?$/

/** A provider of the list; its models are read when they are first asked for. */
export class Describer {
  private known: ReadonlyMap<string, Row> | undefined

  constructor(
    readonly name: string,
    private readonly text: () => string
  ) {}

  private get rows(): ReadonlyMap<string, Row> {
    this.known ??= new Map((JSON.parse(this.text()) as ReadonlyArray<Row>).map((row) => [row[0].toLowerCase(), row]))
    return this.known
  }

  get models(): ReadonlyArray<Described> {
    return [...this.rows.values()].map((row) => described(this.name, row))
  }

  /** The model of that name, in small letters, however its date is written. */
  find(name: string): Described | undefined {
    const names = spellings(name)
    for (const one of [...names, ...names.map((other) => other.replace(bedrockRegion, ""))]) {
      const row = this.rows.get(one) ?? this.rows.get(one.replace(bedrockVersion, ""))
      if (row !== undefined) return described(this.name, row)
    }
    return undefined
  }
}

interface PlaceRow {
  readonly labels?: ReadonlyArray<string>
  readonly urls?: ReadonlyArray<string>
  /** What the list of prices calls it. */
  readonly prices?: string
}

interface Index {
  readonly byName: ReadonlyMap<string, Describer>
  readonly byLabel: ReadonlyMap<string, Describer>
  /** Of each host the providers there, with the paths of their addresses. */
  readonly byHost: ReadonlyMap<string, ReadonlyArray<readonly [path: string, describer: Describer]>>
  /** Those whose models the list of prices has under a name of its own. */
  readonly byPrices: ReadonlyMap<string, Describer>
  readonly pricesOf: ReadonlyMap<string, string>
}

let index: Index | undefined

const made = (): Index => {
  const byName = new Map([...first, ...second].map(([name, models]) => [name, new Describer(name, models)]))
  const byLabel = new Map(byName)
  const byHost = new Map<string, Array<readonly [string, Describer]>>()
  const byPrices = new Map(byName)
  const pricesOf = new Map<string, string>()
  for (const [name, { labels = [], prices, urls = [] }] of Object.entries(
    JSON.parse(places) as Readonly<Record<string, PlaceRow>>
  )) {
    const describer = byName.get(name)
    if (describer === undefined) continue
    for (const label of labels) byLabel.set(label, describer)
    if (prices !== undefined) {
      if (!byPrices.has(prices)) byPrices.set(prices, describer)
      pricesOf.set(name, prices)
    }
    for (const url of urls) {
      const { hostname, pathname } = new URL(url)
      const there = byHost.get(hostname) ?? []
      byHost.set(hostname, [...there, [pathname, describer]])
    }
  }
  return { byName, byLabel, byHost, byPrices, pricesOf }
}

const indexed = (): Index => {
  index ??= made()
  return index
}

/** Every provider of the list, by the name under which its models are kept. */
export const describers = (): ReadonlyMap<string, Describer> => indexed().byName

/** The provider that a deployment's label means. */
export const byLabel = (label: string): Describer | undefined => indexed().byLabel.get(label.toLowerCase().trim())

/** The provider that the list of prices calls so. */
export const byPrices = (name: string): Describer | undefined => indexed().byPrices.get(name)

/** What the list of prices calls a provider of this list. */
export const pricesOf = (name: string): string => indexed().pricesOf.get(name) ?? name

const clouds: ReadonlyArray<readonly [RegExp, string]> = [
  [/^bedrock(?:-runtime)?\.[a-z0-9-]+\.amazonaws\.com$/, "bedrock"],
  [/(?:^|\.)(?:openai|cognitiveservices)\.azure\.(?:com|us|cn)$/, "azure"],
  [/\.services\.ai\.azure\.com$/, "azure_ai"],
  [/(?:^|-)aiplatform\.googleapis\.com$/, "vertex_ai"],
  [/^api\.openai\.com$/, "openai"],
  [/^api\.anthropic\.com$/, "anthropic"],
  [/^generativelanguage\.googleapis\.com$/, "gemini"]
]

/** The provider to whom an address belongs: where several are at one host, the one with the longest path in common. */
export const byAddress = (baseUrl: string): Describer | undefined => {
  if (!URL.canParse(baseUrl)) return undefined
  const { hostname, pathname } = new URL(baseUrl)
  const { byHost, byName } = indexed()
  const cloud = clouds.find(([host]) => host.test(hostname))?.[1]
  if (cloud !== undefined) return byName.get(cloud)
  const there = byHost.get(hostname)
  if (there === undefined) return undefined
  const fitting = there.filter(([path]) => pathname.startsWith(path)).sort(([a], [b]) => b.length - a.length)
  return (fitting[0] ?? there[0])?.[1]
}
