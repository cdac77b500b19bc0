// Writes the JSON Schema of the gateway's configuration, with the descriptions and defaults that its settings are annotated with.
// --check fails when the file is not what the sources say.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const target = join(root, "packages/gateway/schema/switchyard.schema.json")
const flag = "--conditions=@switchyard/source"

if (!process.execArgv.includes(flag)) {
  const args = [flag, "--import", "tsx", fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  process.exit(spawnSync(process.execPath, args, { stdio: "inherit", cwd: root }).status ?? 1)
}

const { make } = await import(pathToFileURL(join(root, "packages/gateway/src/config/ConfigSchema.ts")).href)
const schema = make()
const biome = join(root, "node_modules/@biomejs/biome/bin/biome")
const formatted = spawnSync(process.execPath, [biome, "format", `--stdin-file-path=${target}`], {
  input: JSON.stringify(schema, null, 2),
  encoding: "utf8",
  cwd: root
})
if (formatted.status !== 0) throw new Error(formatted.stderr)
const text = formatted.stdout

if (process.argv.includes("--check")) {
  if (!existsSync(target) || readFileSync(target, "utf8") !== text) {
    console.error("packages/gateway/schema/switchyard.schema.json is stale: run node scripts/config-schema.mjs")
    process.exit(1)
  }
} else {
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text)
}
