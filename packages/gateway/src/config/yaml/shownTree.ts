/**
 * Keeps secrets out of what is shown of a file: by the name of a setting, and by the look of a text.
 */
import { isOpaque, isSecretName, isUrl, masked, maskUrl, shownText } from "@switchyard/core/Secret"
import * as Environment from "../Environment.js"
import type { TreeNode } from "./yamlTree.js"

const reference = ({ fallback, name }: Environment.Reference, key: string, hide: boolean): string =>
  fallback === undefined ? `\${${name}}` : `\${${name}:-${maskText(fallback, key, hide)}}`

/** A text as it may be shown under a key: references stay, secrets do not. */
const maskText = (text: string, key: string, hide: boolean): string => {
  if (text === "") return text
  const parts = Environment.parse(text)
  const only = parts?.[0]
  if (parts?.length === 1 && typeof only === "object") {
    return only.fallback === undefined ? text : reference(only, key, hide)
  }
  if (hide) return masked
  return shownText(
    key,
    parts?.map((part) => (typeof part === "string" ? part : reference(part, "", false))).join("") ?? text
  )
}

/** A node as the file says it, secrets masked. `name` is the key that it stands under. */
export const shown = (node: TreeNode, name = "", hideAll = false): unknown => {
  if (node.kind === "list") return node.items.map((item) => shown(item, name, hideAll))
  if (node.kind === "map") {
    const hide = hideAll || isOpaque(name)
    return Object.fromEntries(
      [...node.entries].map(([key, entry]) => [shownText("", key), shown(entry.node, key, hide)])
    )
  }
  const { value } = node
  if (typeof value === "string") return maskText(value, name, hideAll)
  return (hideAll || isSecretName(name)) && typeof value === "number" ? masked : value
}

/** A value in a problem: what `shown` gave, as short JSON. */
export const inProblem = (value: unknown): string => {
  if (value === masked) return masked
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** A path whose keys may themselves be secrets that were pasted at a wrong place. */
export const maskPath = (path: string): string => {
  if (!isUrl(path)) return path.replace(/[^.[\]]+/g, (segment) => shownText("", segment))
  const [before = ""] = /^(?:[\w-]+(?:\[\d+\])*\.)*/.exec(path) ?? []
  return maskPath(before) + maskUrl(path.slice(before.length))
}
