/**
 * The optional package that counts tokens: whether it is there, and how it comes.
 */
import { createRequire } from "node:module"

/** How a family of models cuts text. */
export type Encoding = "o200k_base" | "cl100k_base"

const name = "gpt-tokenizer"

/** How it comes here, in the version that the tests run with. */
export const installLine = `npm install ${name}@4`

/** Where an encoding's module is; undefined where the package is not installed. */
export const pathOf = (encoding: Encoding): string | undefined => {
  try {
    return createRequire(import.meta.url).resolve(`${name}/encoding/${encoding}`)
  } catch {
    return undefined
  }
}
