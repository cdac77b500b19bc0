/**
 * Deployments of our own format that name a provider and not where it is: `model: groq/llama-3.3-70b`, or `provider: groq`. What is
 * known of the provider is filled in, with the key that the environment holds. A base URL or a protocol of the file's own
 * means that somebody else is asked, and nothing is touched.
 */
import * as ProviderModel from "@switchyard/litellm/ProviderModel"
import { CatalogueSection } from "./catalogueSettings.js"
import type { Variables } from "./Environment.js"
import type { Finding } from "./Problem.js"

type Tree = Readonly<Record<string, unknown>>

/** Settings with their deployments filled in, and what is worth saying; paths are those of the settings. */
export interface Resolved {
  readonly own: Tree
  readonly findings: ReadonlyArray<Finding>
}

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value)
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** What resolving works with, and what it notes. */
interface Work {
  readonly variables: Variables
  readonly catalogue: CatalogueSection
  readonly findings: Array<Finding>
  /** Why names are nobody's that a star could mean. */
  readonly refused: Record<string, string>
}

/** One deployment, or several where it stands for everything. */
const resolve = (entry: Tree, path: string, work: Work): ReadonlyArray<Tree> => {
  const { catalogue, findings, variables } = work
  const model = text(entry["model"])
  if (model === undefined || entry["baseUrl"] !== undefined || entry["protocol"] !== undefined) return [entry]
  const group = text(entry["group"])
  const isBare = ["provider", "apiKey", "auth", "headers"].every((key) => entry[key] === undefined)
  if (model === "*" && isBare && group?.split("*").length === 2) return everything(entry, group, path, work)
  const said = catalogue.providerOf(entry)
  const found = ProviderModel.meant(
    {
      model,
      provider: text(entry["provider"]),
      apiKey: text(entry["apiKey"]),
      apiVersion: text(entry["apiVersion"]),
      hasAccount: entry["auth"] !== undefined
    },
    variables
  )
  // What the file says of a provider beats what is known; of one that nobody knows it is all.
  if (said !== undefined && (said["baseUrl"] !== undefined || found === undefined || "refused" in found))
    return [{ ...said, ...entry, provider: said["provider"], model: said["model"] }]
  if (found === undefined) return [entry]
  if ("refused" in found) {
    findings.push({ severity: "error", path: `${path}.model`, message: found.refused })
    return [entry]
  }
  if (found.missingKey.length > 0 && entry["headers"] === undefined) {
    const names = found.missingKey.join(", ")
    const message = `there is no apiKey, and the environment has no ${names}: requests go out without a key`
    findings.push({ severity: "note", path: `${path}.model`, message })
  }
  const headers = isTree(entry["headers"])
    ? { headers: { ...(found.fields["headers"] ?? {}), ...entry["headers"] } }
    : {}
  const { model: _, provider: __, ...otherwise } = said ?? {}
  const own = Object.fromEntries(Object.entries(otherwise).filter(([key]) => entry[key] === undefined))
  return [{ ...entry, ...found.fields, ...own, ...headers }]
}

/** `*` for every model: the providers whose keys are in the environment, each by the names that mean it. */
const everything = (entry: Tree, group: string, path: string, work: Work): ReadonlyArray<Tree> => {
  const { findings, refused, variables } = work
  const { refused: others, targets } = ProviderModel.everything(group, variables)
  Object.assign(refused, others)
  if (targets.length === 0) return [entry]
  const names = [...new Set(targets.map(({ provider }) => provider))].join(", ")
  findings.push({
    severity: "note",
    path: `${path}.model`,
    message: `stands for the models of ${names}; a name that means another provider is refused`
  })
  return targets.flatMap((target, index) => {
    const id = index === 0 ? entry["id"] : `${String(entry["id"])}#${index + 1}`
    return resolve({ ...entry, id, ...target }, path, { ...work, findings: [] })
  })
}

/** Fills in what is known; more deployments than there were come behind all others. */
export const resolveModels = (own: Tree, variables: Variables): Resolved => {
  const deployments = own["deployments"]
  if (!Array.isArray(deployments)) return { own, findings: [] }
  const findings: Array<Finding> = []
  const refused: Record<string, string> = {}
  const catalogue = new CatalogueSection(own["catalogue"], variables)
  const more: Array<Tree> = []
  const first = deployments.map((entry: unknown, index) => {
    if (!isTree(entry)) return entry
    const written = text(entry["model"])
    const found = resolve(entry, `deployments[${index}]`, { variables, catalogue, findings, refused })
    const [resolved, ...others] = found.map((one) => catalogue.withModel(one, written))
    more.push(...others)
    return resolved
  })
  const { unserved } = own
  const isNew = Object.keys(refused).length > 0 && (unserved === undefined || isTree(unserved))
  return {
    own: {
      ...own,
      deployments: [...first, ...more],
      ...(isNew ? { unserved: { ...refused, ...(isTree(unserved) ? unserved : {}) } } : {})
    },
    findings
  }
}
