// Writes the bill of materials of what a user installs, as CycloneDX 1.5: `node scripts/sbom.mjs [FILE]`, by default
// dist/sbom.cdx.json. Made of the lock file, without time or serial number: the same lock file gives the same bytes.
// (`npm sbom --omit dev` leaves out what the workspace's root also has for development, Effect itself among it.)
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const file = resolve(process.argv[2] ?? join(root, "dist/sbom.cdx.json"))
const json = (/** @type {string} */ path) => JSON.parse(readFileSync(join(root, path), "utf8"))
const { packages } = json("package-lock.json")
const { name, version } = json("package.json")

const purlOf = (/** @type {string} */ packageName, /** @type {string | number | boolean} */ packageVersion) =>
  `pkg:npm/${packageName.replace(/^@/, "%40")}@${encodeURIComponent(packageVersion)}`

const nameOf = (/** @type {string} */ path, { name: own }) => own ?? path.replace(/^.*node_modules\//, "")

/** What is published of the workspace, by its folder. */
const published = readdirSync(join(root, "packages"))
  .map((folder) => `packages/${folder}`)
  .filter((path) => existsSync(join(root, path, "package.json")) && json(`${path}/package.json`).private !== true)

/** Where Node finds a package for the one at `path`. */
const find = (/** @type {string} */ path, /** @type {string} */ wanted) => {
  for (let folder = path; ; folder = folder.replace(/\/?(?:node_modules\/(?:@[^/]+\/)?[^/]+|packages\/[^/]+)$/, "")) {
    const place = folder === "" ? `node_modules/${wanted}` : `${folder}/node_modules/${wanted}`
    const found = packages[place]
    if (found !== undefined) return found.link === true ? found.resolved : place
    if (folder === "") return undefined
  }
}

/** What is part of the command's one file (bundle.mjs), though only tests here install it: the client of PostgreSQL. */
const inCommand = new Set(["node_modules/@effect/sql-pg"])
for (const path of inCommand) {
  const { dependencies, peerDependencies } = packages[path]
  for (const wanted of Object.keys({ ...dependencies, ...peerDependencies })) {
    const found = find(path, wanted)
    if (found !== undefined) inCommand.add(found)
  }
}

/** Everything that a user may install: the published packages, and what the lock file does not call a tool of development. */
const entries = new Map(
  Object.entries(packages).filter(([path, { dev, devOptional, link }]) =>
    path.includes("node_modules/")
      ? link !== true && ((dev !== true && devOptional !== true) || inCommand.has(path))
      : published.includes(path)
  )
)

const refs = new Map([...entries].map(([path, entry]) => [path, purlOf(nameOf(path, entry), entry.version)]))

const licencesOf = (/** @type {string | undefined} */ licence) =>
  licence === undefined
    ? {}
    : { licenses: [/[\s()]/.test(licence) ? { expression: licence } : { license: { id: licence } }] }

const componentOf = ([path, entry]) => {
  const full = nameOf(path, entry)
  const [, group, own] = /^(?:(@[^/]+)\/)?(.+)$/.exec(full) ?? []
  const { integrity, license, optional, resolved } = entry
  const [, algorithm, hash] = /^(sha\d+)-(\S+)$/.exec(integrity ?? "") ?? []
  return {
    type: "library",
    "bom-ref": refs.get(path),
    ...(group === undefined ? {} : { group }),
    name: own,
    version: entry.version,
    scope: optional === true ? "optional" : "required",
    ...(hash === undefined
      ? {}
      : { hashes: [{ alg: algorithm.replace("sha", "SHA-"), content: Buffer.from(hash, "base64").toString("hex") }] }),
    ...licencesOf(license),
    purl: refs.get(path),
    ...(resolved === undefined ? {} : { externalReferences: [{ type: "distribution", url: resolved }] })
  }
}

const dependencyOf = ([path, entry]) => {
  const wanted = { ...entry.dependencies, ...entry.optionalDependencies, ...entry.peerDependencies }
  const found = Object.keys(wanted).flatMap((one) => refs.get(find(path, one)) ?? [])
  return { ref: refs.get(path), dependsOn: [...new Set(found)].sort() }
}

const top = purlOf(name, version)
const refOf = (/** @type {string} */ path) => refs.get(path) ?? ""
const sorted = [...entries].sort(([a], [b]) => (refOf(a) < refOf(b) ? -1 : refOf(a) > refOf(b) ? 1 : a < b ? -1 : 1))
// The same version may stand at several places.
const unique = sorted.filter(([path], index) => index === 0 || refs.get(path) !== refs.get(sorted[index - 1][0]))
const bom = {
  $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: { component: { type: "application", "bom-ref": top, name, version, purl: top } },
  components: unique.map(componentOf),
  dependencies: [{ ref: top, dependsOn: published.map((path) => refs.get(path)).sort() }, ...unique.map(dependencyOf)]
}

mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`)
console.log(`sbom: ${bom.components.length} components in ${file}`)
