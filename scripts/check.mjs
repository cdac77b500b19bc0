// Type-checks the whole workspace in one program, Effect's own diagnostics included, the scripts in another, and the dashboard's
// script, which runs in browsers, in a third.
//
// The compiler is the native one with Effect's diagnostics (a floating Effect, a missing service, ...) built in.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const cwd = fileURLToPath(new URL("..", import.meta.url))

const cli = fileURLToPath(new URL("../node_modules/@effect/tsgo/dist/effect-tsgo.cjs", import.meta.url))
const found = spawnSync(process.execPath, [cli, "get-exe-path"], { cwd, encoding: "utf8" })
if (found.status !== 0) {
  console.error(`There is no compiler with Effect's diagnostics:\n${found.stdout}${found.stderr}`)
  process.exit(1)
}
const tsc = found.stdout.trim()

const projects = ["tsconfig.check.json", "scripts/tsconfig.json", "packages/gateway/assets/dashboard/tsconfig.json"]

for (const project of projects) {
  const { status } = spawnSync(tsc, ["--project", project, ...process.argv.slice(2)], { cwd, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}
