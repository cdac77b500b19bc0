// Writes the catalogue: what is publicly known of providers and of models, from the sources that catalogue/sources.mjs names.
// Needs the network, and so is run by hand; what it writes is checked in, and nothing is ever fetched at run time. The same
// sources and day give the same files.
//
//   node scripts/catalogue.mjs [--date YYYY-MM-DD]      the day whose prices are in force; default: today
//   node scripts/catalogue-docs.mjs                     writes the documents that list it all
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { listPrices, ownAnswers } from "./catalogue/listPrices.mjs"
import { addBounds, addLiteLlm, addModelsDev, addNames, collect, rowsOf } from "./catalogue/models.mjs"
import { keptAs, pricedAs } from "./catalogue/names.mjs"
import { liteLlmNames, providersOf } from "./catalogue/providers.mjs"
import { json, sources, unpacked } from "./catalogue/sources.mjs"

const given = process.argv.indexOf("--date")
const today = given === -1 ? new Date().toISOString().slice(0, 10) : String(process.argv[given + 1])
if (!/^\d{4}-\d{2}-\d{2}$/.test(today)) throw new Error("--date YYYY-MM-DD")

const genai = createRequire(import.meta.url)(join(unpacked(sources.prices), "dist/index.cjs"))
const { MODELS } = await import(pathToFileURL(join(unpacked(sources.bounds), "dist/models.generated.js")).href)
const mastra = json(join(unpacked(sources.mastra), "dist/provider-registry.json"))
const theirs = unpacked(sources.litellm)
const ofTheirs = (/** @type {string} */ path) => json(join(theirs, "litellm", path))
const liter = unpacked(sources.literLlm)
const catalog = json(join(liter, "schemas/catalog.json")).providers
const liteLlm = liteLlmNames(theirs)

/** @type {string[]} */
const written = []
const write = (/** @type {string} */ path, /** @type {string} */ text) => {
  writeFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), text)
  written.push(path)
  console.log(`${path}: ${Math.round(text.length / 1024)} KiB`)
}
const quoted = (/** @type {unknown} */ value) =>
  `'${JSON.stringify(value).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
const notices = Object.values(sources)
  .map(({ gives, licence, name, notice, version }) => `// ${name} ${version}, ${licence}, ${notice}: ${gives}.`)
  .join("\n")
const head = `// Written by scripts/catalogue.mjs on ${today}; do not edit. Its sources:\n${notices}\n`
const folder = "packages/router/src/catalogue/data"

const data = await genai.waitForUpdate()
const prices = listPrices(data, MODELS, today)
write(
  `${folder}/prices.ts`,
  `${head}
/** The day on which the prices were in force. */
export const catalogueDate = "${today}"

/** Of each provider what it is known by, and its models: JSON, and no text before it is first needed. */
export const priceRows: ReadonlyArray<readonly [provider: string, models: () => string]> = [
${prices.map(([provider, models]) => `  [\n    ${quoted(provider)},\n    () => ${quoted(models)}\n  ]`).join(",\n")}
]
`
)

const models = collect()
addLiteLlm(models, ofTheirs("model_prices_and_context_window_backup.json"))
addModelsDev(models, catalog)
addBounds(models, MODELS)
addNames(models, mastra.models)

const providers = providersOf({
  catalog,
  jsonProviders: ofTheirs("llms/openai_like/providers.json"),
  liteLlm,
  literLlm: json(join(liter, "schemas/providers.json")).providers,
  mastra: mastra.providers,
  support: ofTheirs("provider_endpoints_support_backup.json").providers
})

const rows = [...models.providers.entries()]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, list]) => `  ["${name}", () => ${quoted(rowsOf(list))}]`)

/** No file is longer than the tools that read sources take. */
/** @type {Array<Array<string>>} */
const parts = [[]]
for (const row of rows) {
  const last = parts.at(-1) ?? []
  if (last.reduce((sum, text) => sum + text.length, 0) + row.length > 700_000 || last.length > 250) parts.push([row])
  else last.push(row)
}
parts.forEach((part, index) => {
  write(
    `${folder}/models${index + 1}.ts`,
    `${head}
/** Of each provider its name and its models: JSON, and no text before it is first needed. */
// biome-ignore format: one line a provider
export const rows: ReadonlyArray<readonly [name: string, models: () => string]> = [
${part.join(",\n")}
]
`
  )
})

const places = new Map()
for (const { name, url } of providers) {
  const kept = keptAs(name)
  const place = places.get(kept) ?? { labels: [], urls: [] }
  if (kept !== name) place.labels.push(name)
  if (url !== undefined && !url.includes("{") && !/^https?:\/\/(localhost|127\.)/.test(url)) place.urls.push(url)
  places.set(kept, place)
}
write(
  `${folder}/places.ts`,
  `${head}
/** Of each provider the other names that it goes by, where it is, and what the list of prices calls it: JSON. */
export const places = ${quoted(
    Object.fromEntries(
      [...places.entries()]
        .filter(([name]) => models.providers.has(name))
        .map(([name, { labels, urls }]) => [
          name,
          {
            ...(labels.length === 0 ? {} : { labels }),
            ...(urls.length === 0 ? {} : { urls: [...new Set(urls)] }),
            ...(pricedAs[name] === undefined ? {} : { prices: pricedAs[name] })
          }
        ])
    )
  )}
`
)

const byLetter = new Map()
for (const provider of providers) {
  const letter = String(provider.name[0])
  byLetter.set(letter, [...(byLetter.get(letter) ?? []), provider])
}
write(
  "packages/providers/src/known/providerRows.ts",
  `${head}
/** Every provider, by letter: JSON. */
export const providerRows: ReadonlyArray<string> = [
${[...byLetter.values()].map((list) => `  ${quoted(list)}`).join(",\n")}
]
`
)

const { answers, usages } = ownAnswers(genai, today)
const lines = answers.map((/** @type {unknown} */ answer) => `    ${JSON.stringify(answer)}`).join(",\n")
write(
  "packages/router/test/fixtures/catalogue-prices.json",
  `{\n  "usages": ${JSON.stringify(usages)},\n  "answers": [\n${lines}\n  ]\n}\n`
)
write(
  "packages/litellm/test/fixtures/provider-names.json",
  `${JSON.stringify({ source: `litellm ${sources.litellm.version}, LlmProviders`, names: liteLlm }, null, 2)}\n`
)
execFileSync("npx", ["biome", "format", "--write", ...written], { cwd: fileURLToPath(new URL("..", import.meta.url)) })
const counted = [...models.providers.values()].reduce((sum, list) => sum + list.size, 0)
console.log(`${providers.length} names of providers, ${models.providers.size} with models, ${counted} models`)
