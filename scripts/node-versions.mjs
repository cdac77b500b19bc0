// @ts-check
// Runs the tests on another Node than the one that is installed: `npm run test:node -- 22 24 packages/gateway`. Numbers are
// majors, what follows goes to vitest.
import { spawnSync } from "node:child_process"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { giveUp, nodeOf, pinned } from "./nodes.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const given = process.argv.slice(2)
const isMajor = (/** @type {string} */ word) => /^\d+(\.\d+)*$/.test(word)
const first = given.findIndex((word) => !isMajor(word))
const majors = first === -1 ? given : given.slice(0, first)
const rest = first === -1 ? [] : given.slice(first)

for (const major of majors.length === 0 ? Object.keys(pinned) : majors) {
  const node = nodeOf(major)
  const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" })
  console.log(`Node ${stdout.trim()}`)
  const { status } = spawnSync(node, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...rest], {
    cwd: root,
    stdio: "inherit",
    // What a test starts by name is the same Node.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` }
  })
  if (status !== 0) giveUp(`the tests fail on Node ${stdout.trim()}`)
}
