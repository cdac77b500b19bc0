// @ts-check
// What a script needs of the packages' sources: a script that is started without the loader is started again with it, and what
// several scripts of one process ask for is loaded once.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const condition = "--conditions=@switchyard/source"

if (!process.execArgv.includes(condition)) {
  const cwd = fileURLToPath(new URL("..", import.meta.url))
  const args = [condition, "--import", "tsx", ...process.argv.slice(1)]
  process.exit(spawnSync(process.execPath, args, { stdio: "inherit", cwd }).status ?? 1)
}

/** A module of the sources, by its path from the workspace's root. @param {string} path @returns {Promise<any>} */
export const source = (path) => import(new URL(`../${path}`, import.meta.url).href)
