#!/usr/bin/env node
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

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
