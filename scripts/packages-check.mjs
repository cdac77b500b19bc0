// What would be published is fit for it: the fields that npm shows, the licence in every tarball, all files that `exports` and
// `bin` name and nothing that only the build needs, a README whose install line and links work on npm, whatever publint and
// attw know of, and what becomes of them outside this workspace (outside.mjs). Needs a build.
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { outside } from "./outside.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const text = (/** @type {string} */ path) =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : ""
const json = (/** @type {string} */ path) => JSON.parse(text(path))
const top = json("package.json")

const folders = readdirSync(join(root, "packages"))
  .map((name) => `packages/${name}`)
  .filter((folder) => existsSync(join(root, folder, "package.json")) && json(`${folder}/package.json`).private !== true)

const npm = process.platform === "win32" ? "npm.cmd" : "npm"
const destination = mkdtempSync(join(tmpdir(), "switchyard-packed-"))
process.on("exit", () => rmSync(destination, { recursive: true, force: true }))
const packed = spawnSync(
  npm,
  ["pack", "--pack-destination", destination, "--json", "--ignore-scripts", ...folders.map((one) => `./${one}`)],
  {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  }
)
if (packed.status !== 0) {
  console.error(packed.stderr)
  process.exit(1)
}
const said = JSON.parse(packed.stdout)
// npm 12 gives an object by name, npm 10 and 11 a list.
const tarballs = new Map((Array.isArray(said) ? said : Object.values(said)).map((one) => [one.name, one]))

const problems = []
const fields = ["description", "license", "author", "homepage", "bugs", "repository", "keywords", "engines"]

/** Every file that a map of exports leads to; the sources' own condition is for this workspace. */
const targetsOf = (/** @type {{ [s: string]: any; } | ArrayLike<any> | null | undefined} */ exports) =>
  typeof exports === "string"
    ? [exports]
    : exports === null || exports === undefined
      ? []
      : Object.values(exports).flatMap(targetsOf)

/** Neither the build's own notes, nor tests, nor what an editor or a test leaves behind. */
const unwanted =
  /\.tsbuildinfo$|(^|\/)(test|bench|node_modules|coverage)\/|\.test\.|\.tgz$|\.log$|(^|\/)\.(?!well-known)/

const own = new Set(folders.map((folder) => json(`${folder}/package.json`).name))
if (!new RegExp(`^## (Unreleased|${top.version.replaceAll(".", "\\.")})\\b`, "m").test(text("CHANGELOG.md"))) {
  problems.push(`CHANGELOG.md has neither "Unreleased" nor ${top.version}`)
}

const maxBytes = 3 * 1024 * 1024

for (const folder of folders) {
  const manifest = json(`${folder}/package.json`)
  const { name } = manifest
  const report = (/** @type {string} */ what) => problems.push(`${name}: ${what}`)
  for (const field of fields) {
    const value = manifest[field]
    if (value === undefined || value.length === 0) report(`package.json has no ${field}`)
  }
  for (const field of ["license", "author", "homepage", "bugs"]) {
    if (JSON.stringify(manifest[field]) !== JSON.stringify(top[field])) report(`${field} differs from the workspace's`)
  }
  // All are published together, and fit each other only so.
  if (manifest.version !== top.version) report(`version is ${manifest.version}, and the workspace's ${top.version}`)
  for (const [other, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    if (own.has(other) && range.replace(/^\^/, "") !== top.version)
      report(`it asks for ${other}@${range}, and there will be ${top.version}`)
  }
  const { directory, ...repository } = manifest.repository ?? {}
  if (directory !== folder) report(`repository.directory is not ${folder}: relative links of its README lead nowhere`)
  if (JSON.stringify(repository) !== JSON.stringify(top.repository)) report("repository differs from the workspace's")
  if (text(`${folder}/LICENSE`) !== text("LICENSE")) report("LICENSE is not the workspace's")

  const tarball = tarballs.get(name)
  const files = new Set((tarball?.files ?? []).map(({ path }) => path))
  const has = (/** @type {string} */ path) => files.has(path.replace(/^\.\//, ""))
  for (const needed of ["LICENSE", "README.md", "package.json"])
    if (!has(needed)) report(`its tarball has no ${needed}`)
  const targets = [...targetsOf(manifest.exports), ...Object.values(manifest.bin ?? {})]
  for (const target of targets) {
    const [before, after] = target.replace(/^\.\//, "").split("*")
    const isThere =
      after === undefined ? has(target) : [...files].some((one) => one.startsWith(before) && one.endsWith(after))
    if (!isThere) report(`its tarball has no ${target} (npm run build makes dist)`)
  }
  for (const file of files) if (unwanted.test(file)) report(`its tarball has ${file}`)
  if ((tarball?.size ?? 0) > maxBytes) report(`its tarball is ${tarball.size} bytes, more than ${maxBytes}`)

  if (manifest.bin !== undefined && has("dist/command/main.cjs") !== has("dist/command/LICENSES.txt")) {
    report("its tarball has no licences of what it is made of")
  }
  const { messages } = await publint({ pkgDir: join(root, folder), pack: "npm", strict: true })
  for (const message of messages) report(`publint: ${formatMessage(message, manifest, { color: false })}`)

  // A command is not imported.
  if (tarball !== undefined && manifest.exports?.["."] !== undefined) {
    const analysis = await checkPackage(createPackageFromTarballData(readFileSync(join(destination, tarball.filename))))
    // What is only an ES module is not asked for by other means.
    const wrong = (analysis.types === false ? [{ kind: "no types" }] : analysis.problems).filter(
      ({ resolutionKind }) => resolutionKind !== "node10" && resolutionKind !== "node16-cjs"
    )
    for (const { entrypoint, kind, ...more } of wrong) report(`attw: ${kind} ${entrypoint ?? JSON.stringify(more)}`)
  }

  const readme = text(`${folder}/README.md`)
  const install = /^(?:npm i(?:nstall)?|npx) .*$/m.exec(readme)?.[0] ?? ""
  if (!new RegExp(`(^| )${name}(@\\S+)?( |$)`, "m").test(install)) report("README.md has no line that installs it")
  for (const [peer, range] of Object.entries(manifest.peerDependencies ?? {})) {
    if (manifest.peerDependenciesMeta?.[peer]?.optional === true) continue
    // Packages of this workspace are published together.
    if (peer.startsWith("@switchyard/")) {
      if (!new RegExp(`(^| )${peer}( |$)`).test(install)) report(`README.md installs it without ${peer}`)
      continue
    }
    // The newest of a peer need not be one that fits.
    const [, wanted] = new RegExp(`(?:^| )${peer}@(\\S+)`).exec(install) ?? []
    if (wanted === undefined) report(`README.md installs it without ${peer}`)
    else if (!range.replace(/^[\^~]/, "").startsWith(`${wanted}.`))
      report(`README.md installs ${peer}@${wanted}, and ${range} is needed`)
  }
}

problems.push(
  ...(await outside(
    folders.map((folder) => {
      const { name } = json(`${folder}/package.json`)
      return { name, folder, file: join(destination, tarballs.get(name).filename) }
    })
  ))
)

if (problems.length > 0) {
  console.error(problems.join("\n"))
  process.exit(1)
}
console.log(`packages: ${folders.length} fit to be published`)
