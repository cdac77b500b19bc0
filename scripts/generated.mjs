// A document that a script writes from the code: `--check` fails when the file says something else, and writes nothing.
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const read = (/** @type {import("fs").PathOrFileDescriptor} */ path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** Writes `text` to `document`, a path from the root, or checks it. `content` says in words how much it is. */
export const writeOrCheck = (
  /** @type {string} */ document,
  /** @type {string | NodeJS.ArrayBufferView<ArrayBufferLike>} */ text,
  { content, source, script }
) => {
  const path = fileURLToPath(new URL(`../${document}`, import.meta.url))
  if (!process.argv.includes("--check")) {
    writeFileSync(path, text)
    console.log(`${document}: ${content} written`)
  } else if (read(path) === text) {
    console.log(`${document}: ${content}, up to date`)
  } else {
    console.error(`${document} is not what ${source} says: node scripts/${script} writes it.`)
    process.exit(1)
  }
}
