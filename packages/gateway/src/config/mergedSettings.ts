/**
 * Our own settings laid over those of a LiteLLM file, and where each of them stands in the file.
 */
import type { Translation } from "@switchyard/litellm/LiteLlmConfig"

type Settings = Readonly<Record<string, unknown>>

/** Where a setting comes from. */
interface Origin {
  readonly path: string
  /** Whether the file says it in our own words, so that what is missing below it has a path too. */
  readonly own: boolean
}

/** Settings, and the way back to the file. */
export interface Merged {
  readonly settings: Settings
  readonly origins: ReadonlyMap<string, Origin>
}

const concatenated: ReadonlySet<string> = new Set(["deployments", "keys"])

const isObject = (value: unknown): value is Settings =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Objects are merged key by key, `deployments` and `keys` come one after the other, anything else is replaced. */
export const merge = (translation: Pick<Translation, "origins" | "settings">, own: Settings): Merged => {
  const origins = new Map<string, Origin>()
  for (const [path, origin] of translation.origins) origins.set(path, { path: origin, own: false })
  const isOwn = (path: string, from = path) => origins.set(path, { path: from, own: true })

  const mergeObjects = (base: Settings, over: Settings, path: string): Settings => {
    const merged = new Map(Object.entries(base))
    for (const [key, value] of Object.entries(over)) {
      const at = path === "" ? key : `${path}.${key}`
      const before = merged.get(key)
      if (path === "" && concatenated.has(key) && Array.isArray(before) && Array.isArray(value)) {
        for (const index of value.keys()) isOwn(`${at}[${before.length + index}]`, `${at}[${index}]`)
        merged.set(key, [...before, ...value])
      } else if (isObject(before) && isObject(value)) {
        merged.set(key, mergeObjects(before, value, at))
      } else {
        isOwn(at)
        merged.set(key, value)
      }
    }
    return Object.fromEntries(merged)
  }

  return { settings: mergeObjects(translation.settings, own, ""), origins }
}

/** A path of the settings in the file's words. */
export interface Traced {
  readonly path: string
  /** The part of the file that the setting was made from. */
  readonly origin: string
  readonly own: boolean
}

/** Traces a path of the settings back to the file: by the longest path whose origin is known. */
export const trace = ({ origins }: Merged, path: string): Traced => {
  for (let end = path.length; end > 0; end--) {
    const after = path[end]
    if (after !== undefined && after !== "." && after !== "[") continue
    const origin = origins.get(path.slice(0, end))
    if (origin !== undefined) return { path: origin.path + path.slice(end), origin: origin.path, own: origin.own }
  }
  return { path, origin: path, own: true }
}
