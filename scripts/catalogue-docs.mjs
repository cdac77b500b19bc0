// Writes docs/providers.md and docs/models/*.md, which list the whole catalogue; `--check` fails when one of them is not what
// the data says.
import { mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { tsImport } from "tsx/esm/api"
import { sources } from "./catalogue/sources.mjs"
import { writeOrCheck } from "./generated.mjs"

const load = (/** @type {string} */ path) => tsImport(`../packages/${path}`, import.meta.url)
const KnownProviders = await load("providers/src/known/KnownProviders.ts")
const ModelCatalogue = await load("router/src/catalogue/ModelCatalogue.ts")
const { describe } = await load("cli/src/Providers.ts")
const { abilities, priceText } = await load("cli/src/Models.ts")

const cell = (/** @type {string} */ text) => text.replaceAll("|", "\\|")
const code = (/** @type {string} */ text) => `\`${cell(text)}\``
const row = (/** @type {string[]} */ ...cells) => `| ${cells.join(" | ")} |`
const link = (/** @type {string} */ name) => (/^[a-z]/.test(name) ? name[0] : "0")

const places = new Set(ModelCatalogue.providers())
const said = KnownProviders.providers.map(describe)
said.sort((/** @type {{ name: string }} */ a, /** @type {{ name: string }} */ b) => (a.name < b.name ? -1 : 1))
const asked = said.filter((/** @type {{ missing: unknown }} */ { missing }) => missing === null)
const missing = said.filter((/** @type {{ missing: unknown }} */ { missing }) => missing !== null)
const listOfSources = Object.values(sources).map(
  ({ gives, licence, name, notice, version }) => `- ${name} ${version} (${licence}, ${notice}): ${gives}`
)

const providers = `<!-- Written by scripts/catalogue-docs.mjs; do not edit. -->
# Providers

Every name that may stand before a model, as \`provider/model\`, with where it is asked and which variable holds the key. The
data is of ${ModelCatalogue.date}; what somebody has checked by hand beats it. \`switchyard providers\` prints the same. Sources:

${listOfSources.join("\n")}

\`(yours)\` is an address that only you know. What stands in braces is the environment variable that holds it.

${row("Provider", "Name", "Protocol", "Base URL", "Auth", "Key", "Base URL's variables", "Models", "Sources")}
${row("---", "---", "---", "---", "---", "---", "---", "---", "---")}
${asked
  .map((one) =>
    row(
      cell(one.title),
      code(one.name),
      one.protocol,
      one.baseUrl === null ? "(yours)" : code(one.baseUrl),
      one.auth,
      one.keyVariables.map(code).join(", "),
      one.baseVariables.map(code).join(", "),
      one.models === 0 ? "" : `[${one.models}](models/${places.has(one.name) ? link(one.name) : "README"}.md)`,
      one.sources.join(", ")
    )
  )
  .join("\n")}

## What cannot be asked yet

\`switchyard check\` says so for each deployment. Where one of them answers in OpenAI's dialect at an address of its own, that
address as \`baseUrl\` (\`api_base\` with \`custom_llm_provider: openai\` in LiteLLM's files) is all that it takes.

${row("Provider", "Name", "What is missing", "Sources")}
${row("---", "---", "---", "---")}
${missing
  .map((one) => {
    const { kind, why } = KnownProviders.find(one.name).unspoken
    const what = kind === "dialect" ? `its own dialect: ${why}` : `${why}: no endpoint here asks it`
    return row(cell(one.title), code(one.name), cell(what), one.sources.join(", "))
  })
  .join("\n")}
`
writeOrCheck("docs/providers.md", providers, {
  content: `${said.length} providers`,
  source: "the catalogue",
  script: "catalogue-docs.mjs"
})

const byLetter = new Map()
let count = 0
for (const name of ModelCatalogue.providers()) {
  const models = [...ModelCatalogue.models(name)]
  models.sort((a, b) => (a.id < b.id ? -1 : 1))
  count += models.length
  const letter = link(name)
  const section = `## ${name}

${row("Model", "Mode", "Window", "Output", "Can", "USD per million tokens")}
${row("---", "---", "--:", "--:", "---", "---")}
${models
  .map((model) =>
    row(
      code(model.id),
      model.mode ?? "",
      String(model.contextWindow ?? ""),
      String(model.maxOutputTokens ?? ""),
      abilities(model),
      cell(priceText(model.price))
    )
  )
  .join("\n")}
`
  byLetter.set(letter, [...(byLetter.get(letter) ?? []), { name, size: models.length, section }])
}
if (!process.argv.includes("--check")) {
  mkdirSync(fileURLToPath(new URL("../docs/models", import.meta.url)), { recursive: true })
}
const letters = [...byLetter.keys()].sort()
for (const letter of letters) {
  const list = byLetter.get(letter)
  const text = `<!-- Written by scripts/catalogue-docs.mjs; do not edit. -->
# Models of providers: ${letter === "0" ? "digits" : letter.toUpperCase()}

List prices and figures of ${ModelCatalogue.date}; where they come from stands in [README.md](README.md).

${list.map(({ section }) => section).join("\n")}`
  writeOrCheck(`docs/models/${letter}.md`, text, {
    content: `${list.length} providers`,
    source: "the catalogue",
    script: "catalogue-docs.mjs"
  })
}
writeOrCheck(
  "docs/models/README.md",
  `<!-- Written by scripts/catalogue-docs.mjs; do not edit. -->
# Models

${count} models of ${[...byLetter.values()].flat().length} providers, as the catalogue of ${ModelCatalogue.date} knows them: what they are for (as LiteLLM calls it),
how many tokens a prompt and an answer may have, what they can do, and their list prices in USD per million tokens, input and
output, and apiece for what is not billed by tokens. \`switchyard models\` prints the same. A deployment's own \`contextWindow\`,
\`capabilities\`, \`operations\` and prices, and \`prices\` of the configuration, beat it. Sources:

${listOfSources.join("\n")}

${row("Provider", "Models", "")}
${row("---", "--:", "---")}
${letters
  .flatMap((letter) =>
    byLetter.get(letter).map(({ name, size }) => row(code(name), String(size), `[list](${letter}.md)`))
  )
  .join("\n")}
`,
  { content: `${count} models`, source: "the catalogue", script: "catalogue-docs.mjs" }
)
