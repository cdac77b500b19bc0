import { type Deployment, isSameAccount } from "@switchyard/core/Deployment"
import { type LlmRequest, longestInputTokens, responseFormat, tools, wordsOf } from "@switchyard/core/LlmRequest"
import { isMedia } from "@switchyard/core/Operation"
import * as StateOrigins from "@switchyard/core/StateOrigins"
import { mayBeAsked, mayDo } from "../catalogue/abilities.js"
import { longestPrompt } from "../catalogue/contextWindow.js"
import { servesOperation } from "../catalogue/servedOperations.js"
import type { Group } from "../registry/resolve.js"
import type { Filter } from "./Candidates.js"

const filter = (name: string, passes: (deployment: Deployment) => boolean): Filter => ({
  name,
  passes: (slot) => passes(slot.deployment)
})

/** Capabilities that the request asks for, or whose use its payload shows. */
const neededCapabilities = (request: LlmRequest): ReadonlyArray<string> => {
  const needed = [...(request.demands.capabilities ?? [])]
  if (tools(request).length > 0) needed.push("tools")
  if (responseFormat(request) === "json_schema") needed.push("json_schema")
  if (wordsOf(request).hasImages(request.body)) needed.push("vision")
  return needed
}

const isDefault = ({ tags }: Deployment): boolean => tags.includes("default")

const bears = (required: ReadonlyArray<string>) => {
  return ({ tags }: Deployment): boolean => required.every((tag) => tags.includes(tag))
}

const bearsNone = (excluded: ReadonlyArray<string>) => {
  return ({ tags }: Deployment): boolean => !excluded.some((tag) => tags.includes(tag))
}

/** Of a request without tags: the `default` ones, unless it requires others, or excludes those. */
const untaggedFilter = ({ demands }: LlmRequest, group: Group): Filter | undefined => {
  const { excludedTags = [], requiredTags = [] } = demands
  if (!group.declares.defaultTag || requiredTags.length > 0) return undefined
  const allowed = bearsNone(excludedTags)
  const someLeft =
    excludedTags.length === 0 ||
    group.tiers.some((tier) => tier.some(({ deployment }) => isDefault(deployment) && allowed(deployment)))
  return someLeft ? filter("tags", isDefault) : undefined
}

/**
 * Tags, as users of LiteLLM know them: a request with tags goes to deployments that bear one of them (or all), else to
 * those tagged `default`; one without goes to the `default` ones where there are any, else anywhere. Tags that a request
 * requires or excludes, and nothing more, mean what they say.
 */
const tagFilter = (request: LlmRequest, group: Group): Filter | undefined => {
  const { tags } = request
  if (tags.length === 0) return untaggedFilter(request, group)
  const matches =
    request.demands.tagMatch === "all"
      ? (deployment: Deployment) => tags.every((tag) => deployment.tags.includes(tag))
      : (deployment: Deployment) => tags.some((tag) => deployment.tags.includes(tag))
  const someMatch = group.declares.tags && group.tiers.some((tier) => tier.some((slot) => matches(slot.deployment)))
  return filter("tags", someMatch ? matches : isDefault)
}

const capabilityFilter = (request: LlmRequest): Filter | undefined => {
  const needed = neededCapabilities(request)
  if (needed.length === 0) return undefined
  return filter("capabilities", (candidate) => needed.every((capability) => mayDo(candidate, capability)))
}

/** The filters of one request in their order: pin, region, tags, operation, capabilities, context window, exclusions. Most have none. */
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
    add(filter("requiredTags", bears(requiredTags)))
  }
  if (excludedTags !== undefined && excludedTags.length > 0) {
    add(filter("excludedTags", bearsNone(excludedTags)))
  }
  add(tagFilter(request, group))
  const { operation } = request
  if (group.declares.operations || isMedia(operation)) {
    const isAsked = (candidate: Deployment) => isMedia(operation) || mayBeAsked(candidate, operation)
    add(filter("operations", (candidate) => servesOperation(candidate, operation) && isAsked(candidate)))
  }
  if (group.declares.capabilities) add(capabilityFilter(request))
  if (group.declares.longestPrompt < Number.POSITIVE_INFINITY) {
    const tokens = longestInputTokens(request)
    if (tokens > group.declares.longestPrompt) {
      add(filter("contextWindow", (candidate) => tokens <= longestPrompt(candidate)))
    }
  }
  if (route.excluded.length > 0) add(filter("excluded", ({ id }) => !route.excluded.includes(id)))
  return filters
}

/** The filters of the first pass: deployments that failed in this request wait until no other remains. */
export const withAvoided = (request: LlmRequest, filters: ReadonlyArray<Filter>): ReadonlyArray<Filter> => {
  const { avoided } = request.route
  return avoided.length === 0 ? filters : [...filters, filter("avoided", ({ id }) => !avoided.includes(id))]
}

/** Those of weight 0 are for when nothing else is left. */
export const notDrained: Filter = filter("drained", ({ weight }) => weight !== 0)

/** The filters of those that are asked before all others: the account that issued the newest of the thoughts that the request carries. */
export const ofOrigin = (request: LlmRequest, filters: ReadonlyArray<Filter>): ReadonlyArray<Filter> | undefined => {
  const origin = StateOrigins.newest(request)
  if (origin === undefined) return undefined
  return [...filters, notDrained, filter("origin", (candidate) => isSameAccount(origin, candidate))]
}
