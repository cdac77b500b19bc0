import { LRUCache } from "lru-cache"
import { textBytes } from "../cache/textBytes.js"
import type { At } from "./memoryClock.js"
import type { ValueEngine } from "./ValueEngine.js"

/** What all keys and texts may take together, bytes: the least recently used go first. */
const maxBytes = 64 * 1024 * 1024

/** What a value takes beside its texts, roughly. */
const perValue = 256

interface Dated {
  readonly text: string
  readonly until: number
}

/** Values in this process. */
export const make = (at: At): ValueEngine => {
  const values = new LRUCache<string, Dated>({
    maxSize: maxBytes,
    sizeCalculation: ({ text }, key) => perValue + textBytes(key) + textBytes(text)
  })
  return {
    get: (key) =>
      at((now) => {
        const found = values.get(key)
        if (found === undefined || now < found.until) return found?.text
        values.delete(key)
        return undefined
      }),
    set: (key, text, lasts) => at((now) => void values.set(key, { text, until: now + lasts })),
    remove: (key) => at(() => void values.delete(key))
  }
}
