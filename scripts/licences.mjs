// Every dependency has a licence that is on the list (scripts/licences.json): `production` for what a user installs, with
// `development` besides for what only builds and tests. Reads the lock file and what is installed; asks no registry.
//   node scripts/licences.mjs [--lock FILE]
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const at = process.argv.indexOf("--lock")
const lockFile = at === -1 ? join(root, "package-lock.json") : resolve(process.argv[at + 1] ?? "")
const json = (/** @type {import("fs").PathOrFileDescriptor} */ path) => JSON.parse(readFileSync(path, "utf8"))
const list = json(join(root, "scripts/licences.json"))

/** The licence as the package itself says it; the lock's copy stands in for a platform's package that is not installed. */
const licenceOf = (/** @type {string} */ path, /** @type {{ license: any; }} */ locked) => {
  const manifest = join(dirname(lockFile), path, "package.json")
  const { license, licenses } = existsSync(manifest) ? json(manifest) : {}
  const told = license ?? licenses?.map((/** @type {{ type: any; }} */ one) => one.type).join(" OR ") ?? locked.license
  return typeof told === "object" ? told.type : told
}

/** Whether an SPDX expression is fulfilled by licences of the list: one of those joined by OR, all of those joined by AND. */
const isFulfilled = (/** @type {string} */ expression, /** @type {Set<any>} */ allowed) => {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? []
  let place = 0
  const one = () => {
    if (tokens[place] !== "(") return allowed.has(tokens[place++])
    place++
    const inner = any()
    place++
    return inner
  }
  const all = () => {
    let fulfilled = one()
    while (tokens[place] === "AND") {
      place++
      fulfilled = one() && fulfilled
    }
    return fulfilled
  }
  const any = () => {
    let fulfilled = all()
    while (tokens[place] === "OR") {
      place++
      fulfilled = all() || fulfilled
    }
    return fulfilled
  }
  return any() && place >= tokens.length
}

const production = new Set(list.production)
const development = new Set([...list.production, ...list.development])
const problems = []
const counts = { production: 0, development: 0 }

for (const [path, locked] of Object.entries(json(lockFile).packages)) {
  if (!path.includes("node_modules/") || locked.link === true) continue
  const isDev = locked.dev === true || locked.devOptional === true
  counts[isDev ? "development" : "production"]++
  const name = `${path.replace(/^.*node_modules\//, "")}@${locked.version}`
  const licence = list.exceptions[name] ?? licenceOf(path, locked)
  if (typeof licence !== "string" || licence.trim() === "") problems.push(`${name}: says no licence`)
  else if (!isFulfilled(licence, isDev ? development : production)) {
    problems.push(`${name}: ${licence} is not on the list for ${isDev ? "development" : "production"}`)
  }
}

if (problems.length > 0) {
  console.error(problems.join("\n"))
  console.error(`${problems.length} licence(s) to look at: scripts/licences.json is the list`)
  process.exit(1)
}
console.log(
  `licences: ${counts.production} packages in production and ${counts.development} beside them, all on the list`
)
