import { closest } from "@switchyard/core/Closest"
import * as Field from "@switchyard/core/Field"
import * as LatencyBased from "@switchyard/router/RoutingStrategy/LatencyBased"
import { type Draft, firstOf, Reader } from "../draft.js"
import type { Globals } from "../globals.js"
import type { Made } from "../models/modelList.js"
import {
  asWords,
  attempts,
  below,
  type Given,
  isAboveZero,
  isExpresslyOff,
  isOn,
  isTree,
  isUnset,
  scaled,
  seconds,
  toList,
  toNumber
} from "../values.js"
import { readBudgets } from "./budgets.js"
import { allowedFailsPolicy, retryPolicy } from "./errorClasses.js"

const isLatencyBased = (name: unknown): boolean =>
  typeof name === "string" &&
  name
    .toLowerCase()
    .replace(/[-_\s]/g, "")
    .startsWith("latencybased")

/** The weight of a new sample in an average that reaches back over `size` samples. */
const weightOf = (size: unknown): unknown => {
  const count = toNumber(size)
  return typeof count === "number" && count > 0 ? Number((2 / (count + 1)).toPrecision(6)) : count
}

/** After five half-lives without a sample an average is forgotten. */
const halfLivesToForget = 5

const strategyArgs = (draft: Draft, given: Given, strategy: unknown): unknown => {
  const args = new Reader(draft.section("routing_strategy_args", given), given.path)
  const found = (["ttl", "lowest_latency_buffer", "max_latency_list_size"] as const).map((key) => args.get(key))
  if (!isLatencyBased(strategy)) {
    for (const one of found) {
      if (one !== undefined) draft.note(one.path, "Only latency-based-routing has a use for it.")
    }
    return strategy
  }
  const [ttl, buffer, size] = found
  if (ttl !== undefined) draft.set(["latency", "halfLife"], scaled(ttl.value, 1000 / halfLivesToForget), ttl.path)
  if (size !== undefined) draft.set(["latency", "alpha"], weightOf(size.value), size.path)
  if (buffer === undefined) return strategy
  const options = { buffer: toNumber(buffer.value) }
  for (const { expected } of Field.issuesOf(LatencyBased.Options, options, "")) draft.error(buffer, expected)
  return typeof options.buffer === "number" ? LatencyBased.layerWith({ buffer: options.buffer }) : strategy
}

const strategy = (draft: Draft, { router }: Globals, isOurs: boolean): void => {
  const given = router.get("routing_strategy")
  const args = router.get("routing_strategy_args")
  const name = given?.value === "provider-budget-routing" ? "simple-shuffle" : (given?.value ?? "simple-shuffle")
  const chosen = args === undefined ? name : strategyArgs(draft, args, name)
  if (given === undefined && isOurs) return
  const path = given?.path ?? below(router.path, "routing_strategy")
  if (given === undefined)
    draft.note(
      path,
      "Not set, so simple-shuffle, as in LiteLLM; `strategy: peak-ewma` does better when providers slow down."
    )
  draft.set(["strategy"], chosen, path)
}

const retries = (draft: Draft, globals: Globals, general: Reader): void => {
  const count = globals.get("num_retries")
  if (count !== undefined) draft.set(["retry", "attempts"], attempts(count.value), count.path)
  const policy = globals.router.get("retry_policy")
  if (policy !== undefined) retryPolicy(draft, policy, ["retry", "retryPolicy"])
  const groups = globals.router.get("model_group_retry_policy")
  if (groups !== undefined && !isTree(groups.value)) draft.error(groups, "a map of groups to policies")
  else if (groups !== undefined && isTree(groups.value)) {
    for (const [group, value] of Object.entries(groups.value)) {
      retryPolicy(draft, { value, path: below(groups.path, group) }, ["retry", "groups", group, "retryPolicy"])
    }
  }
  const local = general.get("disable_retry_on_max_parallel_request_limit_error")
  if (local !== undefined && isOn(local.value)) draft.set(["retry", "retryPolicy", "Rejected"], 0, local.path)
  const hops = globals.get("max_fallbacks")
  if (hops !== undefined) draft.set(["fallback", "maxFallbacks"], toNumber(hops.value), hops.path)
}

const longestDoubling = 20_000

const cooldowns = (draft: Draft, globals: Globals): void => {
  const { router } = globals
  const disabled = router.get("disable_cooldowns")
  if (disabled !== undefined && isOn(disabled.value)) return draft.set(["cooldown"], false, disabled.path)
  const time = router.get("cooldown_time")
  if (time !== undefined) {
    const duration = seconds(time.value)
    draft.set(["cooldown", "duration"], duration, time.path)
    if (typeof duration === "number" && duration > 0 && duration < longestDoubling) {
      draft.note(time.path, "The first cooldown; it doubles, up to 20 s, while the deployment does not recover.")
    }
  }
  const fails = globals.get("allowed_fails")
  if (fails !== undefined) {
    draft.set(["cooldown", "windowFailures"], attempts(fails.value), fails.path)
    draft.set(["cooldown", "minimumCalls"], 1, fails.path)
    draft.set(["cooldown", "failures"], false, fails.path)
    draft.set(["cooldown", "failureRate"], false, fails.path)
  }
  const policy = router.get("allowed_fails_policy")
  if (policy !== undefined) allowedFailsPolicy(draft, policy)
}

const standardDeadline = 600_000

/** Nobody sets a bound of 15 minutes to be cut off after 10. */
const deadline = (draft: Draft, bounds: ReadonlyArray<readonly [time: unknown, origin: string]>): void => {
  let longest = standardDeadline
  for (const [time, origin] of bounds) {
    if (typeof time !== "number" || time <= longest) continue
    longest = time
    draft.set(["deadline", "deadline"], time, origin)
  }
}

const timeouts = (draft: Draft, globals: Globals, deployments: ReadonlyArray<Made>): void => {
  const total = globals.get("timeout", "request_timeout")
  const stream = globals.router.get("stream_timeout")
  const totalMs = seconds(total?.value)
  const streamMs = seconds(stream?.value)
  if (total !== undefined) {
    draft.set(["timeouts", "total"], totalMs, total.path)
    // A stream lives as long as words come.
    if (isAboveZero(totalMs)) draft.set(["timeouts", "silence"], totalMs, total.path)
  }
  if (stream !== undefined) {
    draft.set(["timeouts", "firstToken"], streamMs, stream.path)
    draft.set(["timeouts", "firstTokenPerThousand"], 0, stream.path)
    draft.set(["timeouts", "firstTokenReasoning"], streamMs, stream.path)
    draft.set(["timeouts", "idle"], streamMs, stream.path)
    // For streams LiteLLM asks for any `stream_timeout` before it looks at any `timeout`.
    for (const { fields } of deployments) delete fields.silenceTimeout
  }
  const own = deployments.flatMap(({ fields, origins }) =>
    ["timeout", "idleTimeout"].map((key) => [fields[key], origins.get(key) ?? ""] as const)
  )
  deadline(draft, [[totalMs, total?.path ?? ""], [streamMs, stream?.path ?? ""], ...own])
}

const tags = (draft: Draft, { router }: Globals, deployments: ReadonlyArray<Made>): void => {
  const filtering = router.get("enable_tag_filtering")
  const path = filtering?.path ?? below(router.path, "enable_tag_filtering")
  if (filtering !== undefined && isOn(filtering.value)) {
    draft.set(["requests", "tags"], "route", path)
    const any = router.get("tag_filtering_match_any")
    if (any !== undefined) draft.set(["requests", "tagMatch"], isExpresslyOff(any.value) ? "all" : "any", any.path)
    return
  }
  draft.set(["requests", "tags"], "ignore", path)
  for (const { fields, origins } of deployments) {
    if (!Array.isArray(fields.tags)) continue
    draft.noteOnce(
      origins.get("tags") ?? path,
      "Tags choose no deployment until `router_settings.enable_tag_filtering` is true."
    )
    fields.tags = fields.tags.filter((tag) => tag !== "default")
  }
}

const queue = (draft: Draft, { router }: Globals): void => {
  const priority = router.get("default_priority")
  const given = firstOf(priority, router.get("polling_interval"))
  if (given === undefined) return
  draft.set(["queue"], {}, given.path)
  if (priority !== undefined) draft.set(["requests", "priority"], toNumber(priority.value), priority.path)
}

/** Checks that are made whatever the file says. */
const alwaysChecked = [
  "router_budget_limiting",
  "enforce_model_rate_limits",
  "responses_api_deployment_check",
  "encrypted_content_affinity"
]

const otherChecks: Readonly<Record<string, string>> = {
  prompt_caching: "Not done; the strategy `sticky` sends equal prompts to one deployment.",
  deployment_affinity: "Not done; the strategy `sticky` keeps a session on one deployment.",
  session_affinity: "Not done; the strategy `sticky` keeps a session on one deployment.",
  forward_client_headers_by_model_group:
    "Headers are forwarded for all groups or none: `forward_client_headers_to_llm_api`."
}

const preCallChecks = (draft: Draft, { router }: Globals): void => {
  const given = router.get("optional_pre_call_checks")
  if (given === undefined) return
  toList(given.value).forEach((value, index) => {
    const name = asWords(value) ?? ""
    if (alwaysChecked.includes(name)) return
    const known = Object.hasOwn(otherChecks, name) ? otherChecks[name] : undefined
    const meant = known === undefined ? closest(name, [...alwaysChecked, ...Object.keys(otherChecks)]) : undefined
    draft.warn(below(given.path, index), known ?? "No such check.", meant)
  })
}

const parallel = ({ router }: Globals, general: Reader, deployments: ReadonlyArray<Made>): void => {
  const given = firstOf(router.get("default_max_parallel_requests"), general.get("max_parallel_requests"))
  for (const made of deployments) made.put("maxParallel", given, toNumber)
}

/** A URL says all; without one a host does, and whatever else is there belongs to it. */
const redis = (draft: Draft, { router }: Globals): void => {
  const url = router.get("redis_url")
  const host = router.get("redis_host")
  const password = router.get("redis_password")
  const port = router.get("redis_port")
  const database = router.get("redis_db")
  if (url !== undefined) {
    draft.set(["redis", "url"], url.value, url.path)
    return
  }
  if (host === undefined || isUnset(host.value)) return
  draft.set(["redis", "host"], host.value, host.path)
  if (port !== undefined) draft.set(["redis", "port"], toNumber(port.value), port.path)
  if (database !== undefined) draft.set(["redis", "database"], toNumber(database.value), database.path)
  if (password !== undefined && password.value !== "") draft.set(["redis", "password"], password.value, password.path)
}

/**
 * Translates `router_settings`, and what of the other sections means the same. `isOurs`: the file names a strategy of its
 * own.
 */
export const readRouterSettings = (
  draft: Draft,
  globals: Globals,
  general: Reader,
  deployments: ReadonlyArray<Made>,
  isOurs: boolean
): void => {
  if (deployments.length > 0) {
    strategy(draft, globals, isOurs)
    tags(draft, globals, deployments)
  }
  retries(draft, globals, general)
  cooldowns(draft, globals)
  timeouts(draft, globals, deployments)
  queue(draft, globals)
  preCallChecks(draft, globals)
  readBudgets(draft, globals, deployments)
  parallel(globals, general, deployments)
  redis(draft, globals)
}
