/**
 * Keeps secrets out of what is shown of a file: by the name of a setting, and by the look of a text.
 */
import { showValue } from "@switchyard/core/ConfigError"
import * as Environment from "../Environment.js"
import type { TreeNode } from "./yamlTree.js"

const masked = "<secret>"

/** Everything in these may be a secret, whatever its name. */
const opaque = /^((extra|default)_?)?headers$|^environment_variables$/i

/** Whether a setting of this name holds a secret. Prices per token do not. */
export const isSecretName = (name: string): boolean =>
  showValue(name.replaceAll(".", "_"), "x") === masked && !/per_token$/i.test(name)

const isRandom = (run: string): boolean => /\d/.test(run) && /[a-z]/i.test(run)

/** Whether a text looks like a credential: by its beginning, or as a long run of mixed letters and digits. */
export const looksSecret = (text: string): boolean =>
  showValue("", text) === masked || (text.match(/[A-Za-z0-9]{20,}/g) ?? []).some(isRandom)

/** URLs may carry a password, or a key in their query. */
const inUrl = (text: string): string =>
  text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@\s]*:[^/?#\s]*@/i, `$1${masked}@`)
    .replace(/([?&])([^=&#\s]+)=([^&#\s]+)/g, (all, mark: string, name: string) =>
      isSecretName(name) ? `${mark}${name}=${masked}` : all
    )

const reference = ({ fallback, name }: Environment.Reference, isSecret: boolean): string =>
  fallback === undefined ? `\${${name}}` : `\${${name}:-${maskText(fallback, isSecret)}}`

/** A text as it may be shown: references stay, secrets do not. */
const maskText = (text: string, isSecret: boolean): string => {
  if (text === "") return text
  const parts = Environment.parse(text)
  const only = parts?.[0]
  if (parts?.length === 1 && typeof only === "object") {
    return only.fallback === undefined ? text : reference(only, isSecret)
  }
  if (isSecret || looksSecret(text)) return masked
  if (parts === undefined) return inUrl(text)
  return inUrl(parts.map((part) => (typeof part === "string" ? part : reference(part, false))).join(""))
}

/** A node as the file says it, secrets masked. `name` is the key that it stands under. */
export const shown = (node: TreeNode, name = "", hideAll = false): unknown => {
  if (node.kind === "list") return node.items.map((item) => shown(item, name, hideAll))
  if (node.kind === "map") {
    const hide = hideAll || opaque.test(name)
    return Object.fromEntries(
      [...node.entries].map(([key, entry]) => [looksSecret(key) ? masked : key, shown(entry.node, key, hide)])
    )
  }
  const isSecret = hideAll || isSecretName(name)
  const { value } = node
  if (typeof value === "string") return maskText(value, isSecret)
  return isSecret && typeof value === "number" ? masked : value
}

/** A value in a problem: what `shown` gave, as short JSON. */
export const inProblem = (value: unknown): string => {
  if (value === masked) return masked
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** A path whose keys may themselves be secrets that were pasted at a wrong place. */
export const maskPath = (path: string): string =>
  path.replace(/[^.[\]]+/g, (segment) => (looksSecret(segment) ? masked : segment))
