#!/usr/bin/env node
// A script, as package.json in this folder says: Node's loader of modules takes 10 ms of a start to begin.
const { existsSync } = require("node:fs")
const { join } = require("node:path")
const { pathToFileURL } = require("node:url")

const [major, minor] = process.versions.node.split(".").map(Number)
const main = join(__dirname, "../dist/main.js")
const bundle = join(__dirname, "../dist/command/main.cjs")

if (major < 20 || (major === 20 && minor < 16)) {
  console.error(`switchyard: Node.js 20.16 or newer is needed, this is ${process.version}`)
  process.exitCode = 1
} else if (!existsSync(main)) {
  console.error("switchyard: not built yet; run `npm run build` first")
  process.exitCode = 1
} else if (process.env.SWITCHYARD_FROM_PACKAGES === undefined && existsSync(bundle)) {
  require("./load.cjs").load(bundle)
} else {
  import(pathToFileURL(main).href)
}
