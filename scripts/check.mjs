// Type-checks the whole workspace in one program, Effect's own diagnostics included, the scripts in another, and the dashboard's
// script, which runs in browsers, in a third.
//
// The Effect language service adds its diagnostics (a floating Effect, a missing service, ...) to `tsc` by patching the
// installed compiler. The patch is idempotent and skipped when it is already there.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const run = (script, args, stdio) =>
  spawnSync(process.execPath, [fileURLToPath(new URL(`../node_modules/${script}`, import.meta.url)), ...args], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    encoding: "utf8",
    stdio
  })

const patch = run("@effect/language-service/cli.js", ["patch", "--module", "tsc"], "pipe")
if (patch.status !== 0) {
  console.error(`The Effect language service could not patch tsc:\n${patch.stdout}${patch.stderr}`)
  process.exit(1)
}

const projects = ["tsconfig.check.json", "scripts/tsconfig.json", "packages/gateway/assets/dashboard/tsconfig.json"]

for (const project of projects) {
  const { status } = run("typescript/bin/tsc", ["--project", project, ...process.argv.slice(2)], "inherit")
  if (status !== 0) process.exit(status ?? 1)
}
