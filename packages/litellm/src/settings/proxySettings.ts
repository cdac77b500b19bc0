import { showValue } from "@switchyard/core/ConfigError"
import { type Draft, firstOf, Reader } from "../draft.js"
import type { Globals } from "../globals.js"
import type { Made } from "../models/modelList.js"
import { below, isOn, isUnset, period, seconds, toList, toNumber } from "../values.js"

const callbackKeys = ["callbacks", "success_callback", "failure_callback", "service_callbacks", "service_callback"]

/** What is there without being asked for. */
const builtIn: ReadonlySet<unknown> = new Set(["prometheus", "prometheus_system"])

const callbacks = (draft: Draft, { settings }: Globals): void => {
  for (const key of callbackKeys) {
    const given = settings.get(key)
    toList(given?.value).forEach((value, index) => {
      if (given === undefined || builtIn.has(value) || isUnset(value)) return
      const path = Array.isArray(given.value) ? below(given.path, index) : given.path
      draft.warn(
        path,
        `Nothing is sent to ${showValue("", value)}; there are /metrics, traces and the answers' headers.`
      )
    })
  }
}

const cache = (draft: Draft, { router, settings }: Globals): void => {
  const on = [settings.get("cache"), router.get("cache_responses")].find((given) => isOn(given?.value))
  const given = settings.get("cache_params")
  const params = new Reader(given === undefined ? undefined : draft.section("cache_params", given), given?.path ?? "")
  if (on === undefined) {
    if (given !== undefined) draft.note(given.path, "The cache is off: `litellm_settings.cache` is not true.")
    return
  }
  draft.set(["cache"], {}, on.path)
  draft.note(on.path, "Answers are kept in this process's memory, for each caller apart unless `cache.shared` is true.")
  const type = params.get("type")
  if (type !== undefined && type.value !== "local") draft.warn(type.path, "Answers are kept in this process's memory.")
  const ttl = firstOf(params.get("ttl"), params.get("default_in_memory_ttl"))
  if (ttl !== undefined) draft.set(["cache", "ttl"], seconds(ttl.value), ttl.path)
  const mode = params.get("mode")
  if (mode === undefined || mode.value === "default_on") return
  if (mode.value === "default_off") draft.set(["requests", "cacheOptIn"], true, mode.path)
  else draft.error(mode, "default_on or default_off")
}

const standardInterval = 300_000

const probes = (draft: Draft, { router }: Globals, general: Reader, deployments: ReadonlyArray<Made>): void => {
  const on = general.get("background_health_checks")
  const interval = general.get("health_check_interval")
  const concurrency = general.get("health_check_concurrency")
  if (on === undefined || !isOn(on.value)) {
    for (const given of [interval, concurrency]) {
      if (given !== undefined) draft.note(given.path, "Nothing is probed: `background_health_checks` is not true.")
    }
    return
  }
  draft.set(
    ["healthProbes", "interval"],
    interval === undefined ? standardInterval : seconds(interval.value),
    (interval ?? on).path
  )
  if (concurrency !== undefined) {
    draft.set(["healthProbes", "concurrency"], toNumber(concurrency.value), concurrency.path)
  }
  if (deployments.some(({ isProbed }) => !isProbed)) {
    const ids = deployments.flatMap(({ fields, isProbed }) => (isProbed ? [fields.id] : []))
    draft.set(["healthProbes", "deployments"], ids, on.path)
  }
  const routing = firstOf(router.get("enable_health_check_routing"), general.get("enable_health_check_routing"))
  if (!isOn(routing?.value)) {
    draft.note(
      routing?.path ?? on.path,
      "Probes do not only report: a deployment that fails three in a row gets no calls until two succeed."
    )
  }
}

const megabytes = (value: unknown): unknown => {
  const number = toNumber(value)
  return typeof number === "number" && number > 0 ? Math.round(number * 1024 * 1024) : number
}

/** One bound for all requests, and one for files: of a form the smaller one holds. */
const sizes = (draft: Draft, general: Reader): void => {
  const all = general.get("max_request_size_mb")
  const file = general.get("max_file_size_mb")
  if (all !== undefined) draft.set(["server", "maxBodyBytes"], megabytes(all.value), all.path)
  const [smallest] = [all, file]
    .flatMap((given) => (given === undefined ? [] : [given]))
    .sort((a, b) => Number(toNumber(a.value)) - Number(toNumber(b.value)))
  if (smallest !== undefined) draft.set(["server", "maxUpload"], megabytes(smallest.value), smallest.path)
}

const plain: ReadonlyArray<
  readonly [key: string, ours: readonly [string, ...ReadonlyArray<string>], convert: (value: unknown) => unknown]
> = [
  ["master_key", ["masterKey"], (value) => value],
  ["database_url", ["ledger", "url"], (value) => (value === "" ? undefined : value)],
  ["maximum_spend_logs_retention_period", ["ledger", "keep"], period],
  ["completion_model", ["requests", "model"], (value) => value],
  ["global_max_parallel_requests", ["server", "maxConcurrent"], toNumber],
  ["always_include_stream_usage", ["requests", "streamUsage"], isOn],
  ["forward_client_headers_to_llm_api", ["requests", "forwardHeaders"], isOn]
]

/** Translates what concerns the proxy: cache, callbacks, probes and `general_settings`. */
export const readProxySettings = (
  draft: Draft,
  globals: Globals,
  general: Reader,
  deployments: ReadonlyArray<Made>
): void => {
  callbacks(draft, globals)
  const drop = globals.settings.get("drop_params")
  if (isOn(drop?.value)) draft.set(["requests", "dropParams"], true, drop?.path ?? "")
  const headers = globals.settings.get("return_response_headers")
  if (isOn(headers?.value)) draft.set(["answers", "providerHeaders"], true, headers?.path ?? "")
  cache(draft, globals)
  probes(draft, globals, general, deployments)
  sizes(draft, general)
  for (const [key, ours, convert] of plain) {
    const given = general.get(key)
    if (key === "master_key" && given !== undefined && typeof given.value !== "string") {
      draft.error(given, "a text: put it in quotes")
    } else if (given !== undefined) draft.set(ours, convert(given.value), given.path)
  }
}
