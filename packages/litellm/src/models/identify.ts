import { maskUrl } from "@switchyard/core/Secret"
import type { Draft } from "../draft.js"
import { asWords, isText } from "../values.js"
import type { DeploymentDraft } from "./deploymentDraft.js"

interface Made extends DeploymentDraft {
  readonly group: string
  readonly path: string
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : maskUrl(url))

const differing = (members: ReadonlyArray<Made>, field: (made: Made) => string): boolean =>
  new Set(members.map(field)).size > 1

const versionOf = ({ fields }: Made): string => /api-version=([^&]*)/.exec(asWords(fields.baseUrl) ?? "")?.[1] ?? ""
const regionOf = ({ fields }: Made): string => asWords(fields.region) ?? ""

/**
 * Ids for deployments without one: group, provider, model and host; version and region where they tell deployments apart; a
 * number where nothing does. Limits, weights and keys take no part, so changing them keeps a deployment's state.
 */
export const identify = (draft: Draft, deployments: ReadonlyArray<Made>): void => {
  const given = deployments.flatMap(({ fields }) => (isText(fields.id) ? [fields.id] : []))
  const taken = new Set<string>()
  const free = (id: string): string => {
    let name = id
    for (let number = 2; taken.has(name) || (name !== id && given.includes(name)); number++) name = `${id}#${number}`
    taken.add(name)
    return name
  }
  for (const { fields, origins, path } of deployments) {
    if (!isText(fields.id)) continue
    const id = free(fields.id)
    if (id !== fields.id) draft.warn(origins.get("id") ?? path, `Another deployment has this id, so this one is ${id}.`)
    fields.id = id
  }
  const alike = new Map<string, Array<Made>>()
  for (const made of deployments) {
    if (made.fields.id !== undefined) continue
    const { baseUrl, location, model, project, provider } = made.fields
    const place = isText(baseUrl) ? hostOf(baseUrl) : [project, location].filter(isText).join("/")
    const name = `${made.group}:${asWords(provider) ?? ""}/${asWords(model) ?? ""}${place === "" ? "" : `@${place}`}`
    alike.set(name, [...(alike.get(name) ?? []), made])
  }
  for (const [name, members] of alike) {
    const hasVersions = differing(members, versionOf)
    const hasRegions = differing(members, regionOf)
    for (const made of members) {
      const region = hasRegions && regionOf(made) !== "" ? `+${regionOf(made)}` : ""
      const version = hasVersions && versionOf(made) !== "" ? `+${versionOf(made)}` : ""
      made.fields.id = free(name + region + version)
    }
  }
}
