// @ts-check
// Writes the picture of the tower into README.md, and the tables of concerns and states into packages/router/README.md, from
// the standard stack. `--check` writes nothing, and fails where a document says something else.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { tsImport } from "tsx/esm/api"
import { writeOrCheck } from "./generated.mjs"

const { standard } = await tsImport("../packages/router/src/router/StandardStack.ts", import.meta.url)
const { statesOf } = await tsImport("../packages/router/src/stack/Stack.ts", import.meta.url)
const { none } = await tsImport("../packages/router/src/stack/State.ts", import.meta.url)

/** @typedef {{ id: string, key: string, tier: string, about: string, on: boolean, impliedBy: Record<string, object>, state: ReadonlyArray<{ id: string }>, outside: Record<string, string>, inside: Record<string, string> }} Shown */
/** @type {ReadonlyArray<Shown>} */
const concerns = standard.concerns

/** Whether a concern is off by default, and what turns it on beside its own options. @param {Shown} concern */
const offUnless = ({ impliedBy, on }) =>
  on
    ? ""
    : ` (off unless told${Object.keys(impliedBy)
        .map((key) => `, or beside ${code(key)}`)
        .join("")})`

const width = Math.max(...concerns.map(({ id }) => id.length)) + 2
/** What stands on the first line of each tier. */
const heads = { request: " your app ── LlmRequest ──▶  ", turn: "", attempt: "", beside: "" }
const tails = { request: "request tier", turn: "LlmRequest ▶ Attempt", attempt: "attempt tier", beside: "" }

const picture = () => {
  const indent = " ".repeat(heads.request.length)
  let before = ""
  const lines = concerns
    .filter(({ key, tier, id }) => tier !== "beside" && !(key === "tracing" && id !== "tracing"))
    .map(({ about, id, on, tier }) => {
      const isFirst = tier !== before
      before = tier
      const head = isFirst && tier === "request" ? heads.request : indent
      const words = `${about}${on ? "" : " (optional)"}`
      const tail = isFirst ? tails[/** @type {keyof typeof tails} */ (tier)] : ""
      return `${head}${id.padEnd(width)}${tail === "" ? words : `${words.padEnd(54)}${tail}`}`
    })
  return `\`\`\`\n${[...lines, `${indent}${"Providers".padEnd(width)}OpenAI-compatible HTTP ──▶ upstream`].join("\n")}\n\`\`\``
}

const code = (/** @type {string} */ text) => `\`${text}\``
const places = (/** @type {Shown} */ { inside, outside }) =>
  [
    ...Object.entries(outside).map(([name, why]) => `outside ${code(name)}: ${why}`),
    ...Object.entries(inside).map(([name, why]) => `inside ${code(name)}: ${why}`)
  ].join("; ") || "–"

const concernTable = () =>
  [
    "| concern | tier | what it is for | options | state | belongs |",
    "|---|---|---|---|---|---|",
    ...concerns.map(
      (one) =>
        `| ${code(one.id)}${offUnless(one)} | ${one.tier} | ${one.about} | ${code(one.key)} | ${one.state.map(({ id }) => code(id)).join(", ") || "–"} | ${places(one)} |`
    )
  ].join("\n")

const stateTable = () =>
  [
    "| state | tag | options | made of |",
    "|---|---|---|---|",
    ...statesOf(concerns).map(
      (
        /** @type {{ id: string, key: string, keys?: ReadonlyArray<string>, options: unknown, needs: ReadonlyArray<{ id: string }>, tag: { key: string } }} */ state
      ) =>
        `| ${code(state.id)} | ${code(state.tag.key.replace("@switchyard/router/", ""))} | ${(state.keys ?? (state.options === none ? [] : [state.key])).map(code).join(", ") || "–"} | ${state.needs.map(({ id }) => code(id)).join(", ") || "–"} |`
    )
  ].join("\n")

const end = "\n\n<!-- Up to here. -->"

/** Puts texts into their places of a document. */
const put = (/** @type {string} */ document, /** @type {Readonly<Record<string, string>>} */ parts) => {
  let text = readFileSync(fileURLToPath(new URL(`../${document}`, import.meta.url)), "utf8")
  for (const [name, part] of Object.entries(parts)) {
    const begin = `<!-- ${name}: written by scripts/stack-docs.mjs. -->\n\n`
    const from = text.indexOf(begin)
    const to = text.indexOf(end, from)
    if (from === -1 || to === -1) throw new Error(`${document} has no place for ${name}`)
    text = text.slice(0, from + begin.length) + part + text.slice(to)
  }
  writeOrCheck(document, text, {
    content: `${Object.keys(parts).join(" and ")} of ${concerns.length} concerns`,
    source: "the standard stack",
    script: "stack-docs.mjs"
  })
}

put("README.md", { "The tower": picture() })
put("packages/router/README.md", { "The concerns": concernTable(), "The states": stateTable() })
