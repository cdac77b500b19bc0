#!/usr/bin/env node
import { existsSync } from "node:fs"

const major = Number(process.versions.node.split(".")[0])
const main = new URL("../dist/main.js", import.meta.url)

if (major < 20) {
  console.error(`switchyard: Node.js 20 or newer is needed, this is ${process.version}`)
  process.exitCode = 1
} else if (!existsSync(main)) {
  console.error("switchyard: not built yet; run `npm run build` first")
  process.exitCode = 1
} else {
  await import(main.href)
}
