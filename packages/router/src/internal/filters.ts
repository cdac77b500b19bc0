import type { Deployment } from "@switchyard/core/Deployment"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { estimateInputTokens, type LlmRequest, responseFormat, tools } from "@switchyard/core/LlmRequest"
import type { Filter } from "../Candidates.js"
import type { Group } from "./resolve.js"

const filter = (name: string, passes: (deployment: Deployment) => boolean): Filter => ({
  name,
  passes: (slot) => passes(slot.deployment)
})

const hasImages = (request: LlmRequest): boolean =>
  arrayOf(request.body.messages).some(
    (message) =>
      isJsonObject(message) && arrayOf(message.content).some((part) => isJsonObject(part) && part.type === "image_url")
  )

/** Capabilities that the request asks for, or whose use its payload shows. */
const neededCapabilities = (request: LlmRequest): ReadonlyArray<string> => {
  const needed = [...(request.demands.capabilities ?? [])]
  if (tools(request).length > 0) needed.push("tools")
  if (responseFormat(request) === "json_schema") needed.push("json_schema")
  if (hasImages(request)) needed.push("vision")
  return needed
}

/**
 * Tags, as users of LiteLLM know them: a request with tags goes to deployments that bear one of them (or all), else to
 * those tagged `default`; one without goes to the `default` ones where there are any, else anywhere.
 */
const tagFilter = (request: LlmRequest, group: Group): Filter | undefined => {
  const { tags } = request
  if (tags.length === 0) {
    return group.declares.defaultTag ? filter("tags", (deployment) => deployment.tags.includes("default")) : undefined
  }
  const matches =
    request.demands.tagMatch === "all"
      ? (deployment: Deployment) => tags.every((tag) => deployment.tags.includes(tag))
      : (deployment: Deployment) => tags.some((tag) => deployment.tags.includes(tag))
  const someMatch = group.declares.tags && group.tiers.some((tier) => tier.some((slot) => matches(slot.deployment)))
  return filter("tags", someMatch ? matches : (deployment) => deployment.tags.includes("default"))
}

const capabilityFilter = (request: LlmRequest): Filter | undefined => {
  const needed = neededCapabilities(request)
  if (needed.length === 0) return undefined
  return filter(
    "capabilities",
    ({ capabilities }) => capabilities === undefined || needed.every((capability) => capabilities.has(capability))
  )
}

/** The filters of one request in their order: pin, region, tags, capabilities, context window, exclusions. Most have none. */
export const requestFilters = (request: LlmRequest, group: Group): ReadonlyArray<Filter> => {
  const { demands, route } = request
  const filters: Array<Filter> = []
  const add = (made: Filter | undefined) => {
    if (made !== undefined) filters.push(made)
  }
  const { deployment, excludedTags, region, requiredTags } = demands
  if (deployment !== undefined) add(filter("pinned", ({ id }) => id === deployment))
  if (region !== undefined) add(filter("region", (candidate) => candidate.region === region))
  if (requiredTags !== undefined && requiredTags.length > 0) {
    add(filter("requiredTags", ({ tags }) => requiredTags.every((tag) => tags.includes(tag))))
  }
  if (excludedTags !== undefined && excludedTags.length > 0) {
    add(filter("excludedTags", ({ tags }) => !excludedTags.some((tag) => tags.includes(tag))))
  }
  add(tagFilter(request, group))
  if (group.declares.capabilities) add(capabilityFilter(request))
  if (group.declares.contextWindow) {
    add(
      filter(
        "contextWindow",
        ({ contextWindow }) => contextWindow === undefined || estimateInputTokens(request) <= contextWindow
      )
    )
  }
  if (route.excluded.length > 0) add(filter("excluded", ({ id }) => !route.excluded.includes(id)))
  return filters
}

/** The filters of the first pass: deployments that failed in this request wait until no other remains. */
export const withAvoided = (request: LlmRequest, filters: ReadonlyArray<Filter>): ReadonlyArray<Filter> => {
  const { avoided } = request.route
  return avoided.length === 0 ? filters : [...filters, filter("avoided", ({ id }) => !avoided.includes(id))]
}
