/**
 * The command is one file, which has all that it takes. Modules of a user's that import something have packages of their own,
 * of which there would then be two: with such a module the command runs from its packages instead, where both have the same.
 */
import type { ReadOptions } from "@switchyard/gateway/ConfigFile"

/** Set where the command is made one file. */
declare const SWITCHYARD_BUNDLED: boolean | undefined

/** Whether the command runs as one file. */
export const isBundled = typeof SWITCHYARD_BUNDLED !== "undefined"

/** What ends the command that is one file, so that it begins anew from its packages. */
export class FromPackages extends Error {}

/** Takes the word for whatever it means: who needs it not loses nothing but time. */
const importsSomething = (source: string): boolean => /\b(?:import|require)\b/.test(source)

/** Whether reading a configuration has met such a module. */
export interface Met {
  importing: boolean
}

/** How a configuration is read; `met` is told of a module that cannot be loaded here. */
export const readOptions = (met: Met = { importing: false }): Pick<ReadOptions, "importModule"> =>
  isBundled
    ? {
        importModule: (url, source) => {
          met.importing = importsSomething(source)
          return met.importing
            ? Promise.reject(new Error("it imports something, and the gateway began without it: start it anew"))
            : import(url)
        }
      }
    : {}

/** Runs the command from its packages, in this process, and those that it starts. */
export const runFromPackages = (): void => {
  process.env["SWITCHYARD_FROM_PACKAGES"] = "1"
  // By an address that no bundler follows.
  const main = new URL("../main.js", import.meta.url).href
  void import(main)
}
