import { isSecretName } from "@switchyard/core/Secret"
import type { Draft } from "./draft.js"
import { below, isTree } from "./values.js"

/** Texts that look like references to the environment, and are none for LiteLLM. A `$` may begin a password. */
const nearly: ReadonlyArray<RegExp> = [
  /^\s*(?:os\.environ(?:[.:\\]|\[["']?|\.get\(["'])|os\.env[/.]|os\.getenv\(["'])([A-Za-z_]\w*)["'\])]*\s*$/,
  /^\s*(?:environ[/.]|env[/:.]|ENV[/:.]|[%$])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)%?\s*$/,
  /^\s*(?:(?:get)?env\(["']?|process\.env\.|\$env:|\$?\{\{\s*(?:(?:secrets|env|vars)\.|\.Env\.)?)([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)["')}\s]*$/
]

/** The reference where it cannot be seen: LiteLLM looks for it at the beginning alone. */
const inside = /\S\s*os\.environ\/([A-Za-z_]\w*)/

const nameIn = (text: string): string | undefined => nearly.flatMap((pattern) => pattern.exec(text)?.[1] ?? [])[0]

/** Where a text that was meant as a reference does harm: keys, and where they go. */
const isMeant = (key: string): boolean =>
  isSecretName(key) || /^(api_base|base_url|api_version|database_url|model)$/.test(key)

/** What an example's address says in place of one's own. */
const placeholder = /\{[^{}]*\}|[/.]your[-_](resource|endpoint|server|host|domain|api)/i

/** Warns about settings that are taken as they stand and look like the name of a variable. */
export const tellLiterals = (draft: Draft, value: unknown, path: string, key = ""): void => {
  if (typeof value === "string") {
    if (!isMeant(key)) return
    const name = nameIn(value)
    if (name !== undefined) {
      draft.warn(path, `This is taken as it stands; the environment's variable would be \`os.environ/${name}\`.`)
    } else if (inside.test(value)) {
      draft.warn(
        path,
        "This is taken as it stands, as in LiteLLM: `os.environ/` is a variable only where the value begins with it."
      )
    } else if (/^(api_base|base_url)$/.test(key) && placeholder.test(value)) {
      draft.warn(path, "This looks like an example's address, and is taken as it stands: put your own in its place.")
    }
  } else if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => void tellLiterals(draft, item, below(path, index), key))
  } else if (isTree(value)) {
    for (const [name, inner] of Object.entries(value)) tellLiterals(draft, inner, below(path, name), name)
  }
}
