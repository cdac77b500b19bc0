/**
 * What a user installs: its licences, its bill of materials.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

const root = fileURLToPath(new URL("../../..", import.meta.url))

interface Locked {
  readonly name?: string
  readonly version?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly license?: string
}

const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>
}

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-supply-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const run = (script: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, "scripts", script), ...args], {
    encoding: "utf8"
  })
  return { status, text: stdout + stderr }
}

describe("the bill of materials", () => {
  it.scoped("lists every production dependency of the lock file, with its hash, and no tool of development", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const [first, second] = [join(at, "a.json"), join(at, "deep", "b.json")]
      for (const file of [first, second]) assert.strictEqual(run("sbom.mjs", file).status, 0)
      const text = readFileSync(first, "utf8")
      assert.strictEqual(text, readFileSync(second, "utf8"))
      const bom = JSON.parse(text)
      const purls: ReadonlyArray<string> = bom.components.map(({ purl }: { readonly purl: string }) => purl)
      const purlOf = (path: string, { name, version }: Locked) =>
        `pkg:npm/${(name ?? path.replace(/^.*node_modules\//, "")).replace("@", "%40")}@${version}`
      const all = Object.entries(lock.packages).filter(([path, { link }]) => path.includes("node_modules/") && !link)
      const wanted = all.filter(([, { dev }]) => dev !== true)
      assert.isAbove(wanted.length, 50)
      assert.includeMembers([...purls], [...new Set(wanted.map(([path, entry]) => purlOf(path, entry)))])
      assert.includeMembers([...purls], ["pkg:npm/switchyard@0.1.0", "pkg:npm/%40switchyard/core@0.1.0"])
      assert.isEmpty(purls.filter((purl) => /vitest|biome|typescript@/.test(purl)))
      const effect = bom.components.find(({ name }: { readonly name: string }) => name === "effect")
      assert.match(effect.hashes[0].content, /^[0-9a-f]{128}$/)
      for (const { dependsOn } of bom.dependencies) assert.includeMembers([...purls], dependsOn)
    })
  )
})

describe("licences", () => {
  const check = (packages: Readonly<Record<string, Locked>>) =>
    Effect.map(folder, (at) => {
      const file = join(at, "package-lock.json")
      writeFileSync(file, JSON.stringify({ packages }))
      return run("licences.mjs", "--lock", file)
    })

  it("of everything in the lock file are on the list", () => {
    const { status, text } = run("licences.mjs")
    assert.strictEqual(status, 0, text)
  })

  it.scoped("that are not on it fail with the package's name; a choice and a sum are understood", () =>
    Effect.gen(function* () {
      const of = (licences: ReadonlyArray<string>, dev = false) =>
        Object.fromEntries(
          licences.map((license, index) => [`node_modules/@a/b${index}`, { version: "1.2.3", dev, license }])
        )
      const good = ["MIT", "(GPL-3.0 OR MIT)", "MIT AND (Apache-2.0 OR GPL-3.0)"]
      const tools = { "node_modules/tool": { version: "1.0.0", dev: true, license: "MPL-2.0" } }
      assert.strictEqual((yield* check({ ...of(good), ...tools })).status, 0)
      const bad = ["GPL-3.0", "MPL-2.0", "MIT AND GPL-3.0", "SEE LICENSE IN x", "UNLICENSED", ""]
      const { status, text } = yield* check(of(bad))
      assert.strictEqual(status, 1)
      for (const index of bad.keys()) assert.include(text, `@a/b${index}@1.2.3`)
    })
  )
})
