import { closest } from "@switchyard/core/Closest"
import { fileKeys, requestKeys } from "./fileKeys.js"
import type { Key, Section } from "./key.js"
import { modelKeys } from "./modelKeys.js"
import { proxyKeys } from "./proxyKeys.js"
import { routerKeys } from "./routerKeys.js"
import * as TheirKeys from "./theirKeys.js"

/** Every key of LiteLLM's that routing knows, in the order of the documentation. */
export const keys: ReadonlyArray<Key> = [...fileKeys, ...modelKeys, ...routerKeys, ...proxyKeys, ...requestKeys]

const bySection = new Map<Section, Map<string, Key>>()
for (const key of keys) {
  const known = bySection.get(key.section) ?? new Map<string, Key>()
  bySection.set(key.section, known.set(key.key, key))
}

/** What becomes of a key in a section; undefined when nobody knows it. */
export const find = (section: Section, key: string): Key | undefined => bySection.get(section)?.get(key)

/** The key of a section that a misspelt one was probably meant to be; undefined for one that is right, but not done here. */
export const suggestion = (section: Section, key: string): string | undefined => {
  const theirs = TheirKeys.names(section)
  return theirs.has(key) ? undefined : closest(key, [...(bySection.get(section)?.keys() ?? []), ...theirs])
}
