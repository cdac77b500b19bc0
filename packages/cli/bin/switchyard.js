#!/usr/bin/env node
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"

// V8 collects once the heap is this much larger than what was alive, in % of it; by itself it waits until it is several times
// that: 201 MiB resident under load in place of 174, for no CPU that a bench could tell. Before all else: what V8 keeps of
// programs is bound to its flags.
setFlagsFromString("--heap-growing-percent=30")

const major = Number(process.versions.node.split(".")[0])
const main = new URL("../dist/main.js", import.meta.url)
const bundle = fileURLToPath(new URL("../dist/command/main.cjs", import.meta.url))

if (major < 20) {
  console.error(`switchyard: Node.js 20 or newer is needed, this is ${process.version}`)
  process.exitCode = 1
} else if (!existsSync(main)) {
  console.error("switchyard: not built yet; run `npm run build` first")
  process.exitCode = 1
} else if (process.env.SWITCHYARD_FROM_PACKAGES === undefined && existsSync(bundle)) {
  createRequire(import.meta.url)("./load.cjs").load(bundle)
} else {
  await import(main.href)
}
