// Part of every program that bundle.mjs makes: where its modules would stand, had they not become part of it.
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"

/** The program's own address. */
export const bundleUrl = pathToFileURL(__filename).href

/** @type {Map<string, string>} */
const folders = new Map()

/** A package's own folder. @param {string} name */
const folderOf = (name) => {
  const known = folders.get(name)
  if (known !== undefined) return known
  const folder = name === "switchyard" ? join(__dirname, "../..") : dirname(require.resolve(`${name}/package.json`))
  folders.set(name, folder)
  return folder
}

/** The address of a module of this workspace, by its package and its path there. */
export const placeOf = (/** @type {string} */ name, /** @type {string} */ path) =>
  pathToFileURL(join(folderOf(name), path)).href
