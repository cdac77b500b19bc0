// Type-checks the whole workspace in one program, Effect's own diagnostics included, and the scripts in another.
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

for (const project of ["tsconfig.check.json", "scripts/tsconfig.json"]) {
  const { status } = run("typescript/bin/tsc", ["--project", project, ...process.argv.slice(2)], "inherit")
  if (status !== 0) process.exit(status ?? 1)
}
