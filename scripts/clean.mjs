// Removes what the build and the checks write.
import { readdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

for (const name of readdirSync(`${root}/packages`)) {
  rmSync(`${root}/packages/${name}/dist`, { recursive: true, force: true })
}
