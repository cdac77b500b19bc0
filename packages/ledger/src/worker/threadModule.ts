/** The thread's first module, as Node can run it. */
import { createHash } from "node:crypto"
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

interface Bundler {
  readonly buildSync: (options: object) => { readonly outputFiles: ReadonlyArray<{ readonly text: string }> }
}

let made: URL | undefined

/**
 * From source: a thread has nothing of what reads TypeScript for its process, and what could do so in it takes seconds to load.
 * So its modules are made one of JavaScript, once, beside the source, where it finds its packages.
 */
const fromSource = (): URL => {
  const bundler = "esbuild"
  const { buildSync } = createRequire(import.meta.url)(bundler) as Bundler
  const [output] = buildSync({
    entryPoints: [fileURLToPath(new URL("./thread.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@switchyard/source"],
    external: ["effect", "effect/*", "@effect/*", "libsql"]
  }).outputFiles
  const text = output?.text ?? ""
  const folder = new URL("../../.tmp/", import.meta.url)
  const name = createHash("sha256").update(text).digest("hex").slice(0, 16)
  const file = new URL(`thread-${name}.mjs`, folder)
  const draft = new URL(`thread-${name}-${process.pid}.draft`, folder)
  mkdirSync(folder, { recursive: true })
  writeFileSync(draft, text)
  renameSync(draft, file)
  return file
}

/** Where it is: beside this module where that was compiled. */
export const threadModule = (): URL => {
  if (!import.meta.url.endsWith(".ts")) return new URL("./thread.js", import.meta.url)
  made ??= fromSource()
  return made
}
