// @ts-check
// Writes docs/conformance.md: which caller's dialect is served by which provider's, feature by feature. Every cell is carried out
// here as its test does it; those of callers who leave over a gateway. `--check` writes nothing, and fails where the document says something else.
import { Effect } from "effect"
import { tsImport } from "tsx/esm/api"
import { writeOrCheck } from "./generated.mjs"

const { callers, carryOut, features, providers } = await tsImport(
  "../packages/dialects/test/conformance/cells.ts",
  import.meta.url
)

const abort = await tsImport("../packages/gateway/test/conformance/abort.ts", import.meta.url)

/** What became of each caller who left, over one gateway: what comes of sources has no types here. */
const leaves = Effect.gen(function* () {
  const leaving = yield* abort.make
  const verdicts = new Map()
  for (const { caller, provider } of abort.cells) {
    verdicts.set(`${caller} ${provider}`, yield* abort.carryOut(leaving, caller, provider))
  }
  return verdicts
})

/** @type {Map<string, any>} */
const left = await Effect.runPromise(Effect.scoped(/** @type {any} */ (leaves)))

const columns = features.flatMap((/** @type {string} */ name) => (name === "usage" ? ["abort", name] : [name]))

/** @type {Record<string, string>} */
const titles = {
  chat: "Chat completions",
  messages: "Anthropic Messages",
  responses: "OpenAI Responses",
  gemini: "Gemini generateContent",
  converse: "Bedrock Converse",
  cohere: "Cohere v2",
  ollama: "Ollama"
}

/** @type {Array<string>} */
const notes = []

const cell = (/** @type {string} */ caller, /** @type {string} */ provider, /** @type {string} */ feature) => {
  const verdict = feature === "abort" ? left.get(`${caller} ${provider}`) : carryOut(caller, provider, feature)
  if (verdict._tag === "works") return "yes"
  if (verdict._tag === "wrong") throw new Error(`${caller} over ${provider}, ${feature}: ${verdict.why}`)
  notes.push(`${titles[caller]} over ${titles[provider]}, ${feature}: \`${verdict.fields.join("`, `")}\``)
  return `no [${notes.length}]`
}

const table = (/** @type {string} */ caller) => {
  const rows = Object.keys(providers).map(
    (provider) =>
      `| ${titles[provider]} | ${columns.map((/** @type {string} */ feature) => cell(caller, provider, feature)).join(" | ")} |`
  )
  return `## Callers who speak ${titles[caller]}

| over a deployment of | ${columns.join(" | ")} |
|---|${"---|".repeat(columns.length)}
${rows.join("\n")}`
}

const tables = Object.keys(callers).map(table)

const text = `# Which dialect is served by which

<!-- Written by scripts/conformance-docs.mjs from the packages' test/conformance; do not edit. -->

What a caller may ask in its own dialect of a deployment that speaks another one, each cell a test
(\`packages/dialects/test/conformance\`, and \`packages/gateway/test/conformance\` for callers who leave): the request as the provider
gets it is read by a witness of its own, and the provider's answer, whole and streamed, by the caller's reader. \`abort\`: a caller
leaves in the middle of a stream, and takes the provider's request along; the call is counted as left, and its place is free again,
once. A caller's dialect over the same one is passed through. \`no\`: the provider's dialect has no words for it, and the caller is
told so in a 400 that names the field, unless \`drop_params\` lets it be left out.

${tables.join("\n\n")}
${notes.length === 0 ? "" : `\n${notes.map((note, at) => `${at + 1}. ${note}`).join("\n")}\n`}`

writeOrCheck("docs/conformance.md", text, {
  content: `${Object.keys(callers).length * Object.keys(providers).length * columns.length} cells`,
  source: "what the cells say",
  script: "conformance-docs.mjs"
})
