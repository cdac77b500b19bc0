// What the catalogue is made of: archives of package registries at the versions below, checked against a digest and unpacked
// in a temporary folder. None of them is a dependency, and nothing of them is run but two modules that hold data.
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"

/** Each with its licence and its notice, which the data bears. */
export const sources = {
  prices: {
    registry: "npm",
    name: "@pydantic/genai-prices",
    version: "0.1.8",
    licence: "MIT",
    notice: "Copyright (c) Pydantic Services Inc. 2025 to present",
    gives: "prices, windows, names that mean the same model",
    sha256: "8c9ba41e46719abc54a0ae4756ba5f2b5a768b8117fb29f40c5ca7ed3146eb5b"
  },
  bounds: {
    registry: "npm",
    name: "@mariozechner/pi-ai",
    version: "0.73.1",
    licence: "MIT",
    notice: "Copyright (c) 2025 Mario Zechner",
    gives: "windows and bounds of outputs",
    sha256: "511a16f004f6431d79ea4c153fa0ea5d1b56e852c2b52f0fb5dbcb9a53aab7bc"
  },
  mastra: {
    registry: "npm",
    name: "@mastra/core",
    version: "1.71.0",
    licence: "Apache-2.0",
    notice: "Copyright (c) 2025 Kepler Software, Inc.; its list of providers alone, made of models.dev's",
    gives: "providers with their addresses, names of models",
    sha256: "431e26991ad9388c03cf4c1201cf23cf088d93eeead4869ac584db8eabfeef55"
  },
  litellm: {
    registry: "pip",
    name: "litellm",
    version: "1.108.14",
    licence: "MIT",
    notice: "Copyright (c) 2023 Berri AI",
    gives: "providers, models, what these are for and can do, prices by tokens and by the piece",
    sha256: "892ec37440b0819928eb6fd81e0aa32644ecb9ff5f2df78455d5dda1bfb638cf"
  },
  literLlm: {
    registry: "cargo",
    name: "liter-llm",
    version: "2.4.4",
    licence: "MIT",
    notice:
      "the authors of liter-llm; its list of models is models.dev's of 2026-10-31, MIT, Copyright (c) 2025 models.dev",
    gives: "providers with their addresses, models of models.dev of 2026-10-31",
    sha256: "3260f8b46d42463bbf7807ae4d85d7780079e199e983be1f895a32ee0aa9048b"
  }
}

/** @type {string | undefined} */
let folder
const temporary = () => {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "catalogue-"))
    process.on("exit", () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  return mkdtempSync(join(folder, "source-"))
}

const run = (/** @type {string} */ command, /** @type {string[]} */ ...args) =>
  execFileSync(command, args, { stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1e8 }).toString()

const only = (/** @type {string} */ directory, /** @type {RegExp} */ pattern) =>
  join(directory, String(readdirSync(directory).find((name) => pattern.test(name))))

/** The archive of each registry by its ordinary client. */
const fetched = {
  npm: ({ name, version }, target) => {
    run("npm", "pack", `${name}@${version}`, "--pack-destination", target)
    return only(target, /\.tgz$/)
  },
  pip: ({ name, version }, target) => {
    const wheel = ["--only-binary", ":all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.12"]
    run("python3", "-m", "pip", "download", "--no-deps", ...wheel, "--dest", target, `${name}==${version}`)
    return only(target, /\.whl$/)
  },
  cargo: ({ name, version }) => {
    run("cargo", "info", `${name}@${version}`)
    const cache = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry", "cache")
    return only(only(cache, /^index\.crates\.io/), new RegExp(`^${name}-${version.replaceAll(".", "\\.")}\\.crate$`))
  }
}

/** The folder of a source, unpacked. */
export const unpacked = (source) => {
  const target = temporary()
  const archive = fetched[source.registry](source, target)
  const found = createHash("sha256").update(readFileSync(archive)).digest("hex")
  if (found !== source.sha256) throw new Error(`${source.name}@${source.version} is ${found}, not ${source.sha256}`)
  if (source.registry === "pip") run("python3", "-m", "zipfile", "-e", archive, target)
  else run("tar", "xzf", archive, "-C", target)
  if (source.registry === "npm") return join(target, "package")
  return source.registry === "cargo" ? join(target, `${source.name}-${source.version}`) : target
}

export const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, "utf8"))
