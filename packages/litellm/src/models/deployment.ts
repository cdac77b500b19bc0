import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
import { type Draft, firstOf, type Reader } from "../draft.js"
import {
  asWords,
  type Given,
  isAboveZero,
  isExpresslyOff,
  isOn,
  isText,
  isTree,
  isUnset,
  perMillion,
  seconds,
  type Tree,
  toList,
  toNumber,
  toWords
} from "../values.js"
import { vertexLocation } from "./account.js"
import type { DeploymentDraft } from "./deploymentDraft.js"
import { googleParams } from "./google.js"
import { tellOllama } from "./ollama.js"
import { defaultsOf, type Params } from "./params.js"

/** What the parts of a `model_list` entry say. */
export interface Entry {
  readonly entry: Reader
  readonly params: Params
  readonly info: Reader
}

const limits = (made: DeploymentDraft, { entry, info, params }: Entry): void => {
  made.put("rpm", firstOf(params.get("rpm"), entry.get("rpm"), info.get("rpm")), toNumber)
  made.put("tpm", firstOf(params.get("tpm"), entry.get("tpm"), info.get("tpm")), toNumber)
  made.put("weight", params.get("weight"), toNumber)
  made.put("order", firstOf(params.get("order"), info.get("order")), toNumber)
  made.put("maxParallel", params.get("max_parallel_requests"), toNumber)
}

const resilience = (made: DeploymentDraft, { info, params }: Entry): void => {
  const timeout = firstOf(params.get("timeout"), params.get("request_timeout"))
  const silence = params.get("stream_timeout")
  made.put("timeout", timeout, seconds)
  made.put("firstTokenTimeout", silence, seconds)
  made.put("idleTimeout", silence, seconds)
  // What makes no sense is told of once, as the timeout that it stands for.
  if (silence === undefined && isAboveZero(seconds(timeout?.value))) made.put("silenceTimeout", timeout, seconds)
  made.put("maxRetries", params.get("num_retries"), toNumber)
  made.put("cooldown", firstOf(params.get("cooldown_time"), info.get("cooldown_time")), seconds)
  made.put("allowedFails", info.get("allowed_fails"), toNumber)
  made.put("onMalformedEvent", firstOf(params.get("on_malformed_event"), info.get("on_malformed_event")))
  made.put("onMissingFinish", firstOf(params.get("on_missing_finish"), info.get("on_missing_finish")))
}

/** What models are called that turn texts into vectors. */
const embedding = /(^|[-_./:])embed(ding|dings)?([-_.:]|$)/i

const prices = (made: DeploymentDraft, { info, params }: Entry): void => {
  const of = (key: string) => firstOf(params.get(key), info.get(key))
  made.put("inputPrice", of("input_cost_per_token"), perMillion)
  made.put("outputPrice", of("output_cost_per_token"), perMillion)
  made.put("cachedInputPrice", params.get("cache_read_input_token_cost"), perMillion)
  made.put("perSecond", firstOf(of("output_cost_per_second"), of("input_cost_per_second")), toNumber)
  made.put("perCharacter", firstOf(of("input_cost_per_character"), of("output_cost_per_character")), toNumber)
  made.put("perImage", firstOf(of("output_cost_per_image"), of("input_cost_per_image")), toNumber)
  made.put("perSearch", of("input_cost_per_query"), toNumber)
  made.put("batchDiscount", of("input_cost_per_token_batches"), (batch) => {
    const each = toNumber(of("input_cost_per_token")?.value)
    const share = typeof each === "number" && each > 0 ? Number(toNumber(batch)) / each : 1
    return share >= 0 && share <= 1 ? Number((1 - share).toPrecision(6)) : 0
  })
  // What only reads, writes nothing that would cost.
  const mode = info.get("mode")?.value
  const embeds = mode === undefined && embedding.test(asWords(made.fields.model) ?? "")
  if (mode === "embedding" || mode === "rerank" || embeds) {
    const input = of("input_cost_per_token")
    made.put("outputPrice", input === undefined ? undefined : { ...input, value: 0 })
  }
}

/** The model behind a name of one's own. */
const baseModel = (draft: Draft, made: DeploymentDraft, { info, params }: Entry): void => {
  const base = firstOf(params.get("base_model"), info.get("base_model"))
  if (base === undefined || base.value === "") return
  made.put("baseModel", base, toWords)
  const { inputPrice, outputPrice, provider } = made.fields
  if (inputPrice !== undefined && outputPrice !== undefined) return
  const known = ModelCatalogue.priceOf(asWords(base.value) ?? "", {
    baseModel: asWords(base.value) ?? "",
    provider: asWords(provider) ?? ""
  })
  if (known === undefined) {
    draft.note(base.path, "No public price of this model is known; calls count as free until prices are set.")
  }
}

/** LiteLLM's words for what requests show by themselves. */
const capabilityNames: Readonly<Record<string, string>> = {
  function_calling: "tools",
  response_schema: "json_schema"
}

/** What a model is taken to be able to do until the file says that it is not. */
const assumed: ReadonlyArray<string> = ["tools", "json_schema", "vision"]

/** A deployment that declares anything declares all: what it says nothing about must stay allowed. */
const capabilities = (made: DeploymentDraft, tree: Tree, path: string): void => {
  const declared = new Set(assumed)
  let isAny = false
  for (const [key, value] of Object.entries(tree)) {
    if (!key.startsWith("supports_")) continue
    const name = key.slice("supports_".length)
    const capability = capabilityNames[name] ?? name
    if (isOn(value)) declared.add(capability)
    else if (isExpresslyOff(value)) declared.delete(capability)
    else continue
    isAny = true
  }
  if (isAny) made.put("capabilities", { value: [...declared], path })
}

/** YAML makes numbers and switches of what is text in a header. */
const headerOf = (value: unknown): unknown =>
  typeof value === "number" || typeof value === "boolean" ? String(value) : value

const headers = (made: DeploymentDraft, params: Params, organization: Given | undefined, own: Tree): void => {
  const extra = params.get("extra_headers")
  const given = {
    ...own,
    ...(organization === undefined ? {} : { "openai-organization": organization.value }),
    ...(isTree(extra?.value)
      ? Object.fromEntries(
          Object.entries(extra.value).flatMap(([name, value]) => (isUnset(value) ? [] : [[name, headerOf(value)]]))
        )
      : {})
  }
  if (extra !== undefined && !isTree(extra.value)) made.put("headers", extra)
  else if (Object.keys(given).length > 0) {
    made.put("headers", { value: given, path: extra?.path ?? organization?.path ?? params.get("api_key")?.path ?? "" })
  }
}

/** LiteLLM's switch is on where anybody turns it on. */
const dropping = (draft: Draft, made: DeploymentDraft, params: Params): void => {
  const given = params.get("drop_params")
  if (given !== undefined && !isOn(given.value) && !isExpresslyOff(given.value)) {
    draft.warn(given.path, "Neither true nor false, so nothing is dropped: names belong in `additional_drop_params`.")
  }
  if (isOn(given?.value)) made.put("dropParams", given, isOn)
  made.put("additionalDropParams", params.get("additional_drop_params"), toList)
}

/** `false`, or the file of the certificates to trust. */
const certificates = (draft: Draft, made: DeploymentDraft, { params }: Entry): void => {
  const given = params.get("ssl_verify")
  if (given === undefined || isOn(given.value)) return
  if (isExpresslyOff(given.value)) {
    draft.warn(given.path, "The provider's certificate is not verified: better give the path of its CA's certificate.")
    made.put("tls", { ...given, value: { verify: false } })
  } else if (isText(given.value)) made.put("tls", { ...given, value: { ca: given.value } })
  else draft.error(given, "true, false, or the path of a file of CA certificates")
}

/** Fills in everything but what says where the deployment is. `own` are the headers that its provider wants. */
export const fill = (
  draft: Draft,
  made: DeploymentDraft,
  entry: Entry,
  organization: Given | undefined,
  own: Tree,
  info: Given | undefined
): void => {
  const { params } = entry
  limits(made, entry)
  resilience(made, entry)
  prices(made, entry)
  baseModel(draft, made, entry)
  headers(made, params, organization, own)
  certificates(draft, made, entry)
  made.put("tags", params.get("tags"))
  made.put("region", firstOf(params.get("region_name"), params.get("aws_region_name"), vertexLocation(params)))
  made.put("contextWindow", entry.info.get("max_input_tokens"), toNumber)
  if (info !== undefined && isTree(info.value)) capabilities(made, info.value, info.path)
  dropping(draft, made, params)
  if (made.fields.protocol !== "ollama") tellOllama(draft, made.fields.provider, params)
  const defaults = googleParams(draft, made, params, info, defaultsOf(params))
  if (Object.keys(defaults).length === 0) return
  made.fields.defaults = defaults
  for (const key of Object.keys(defaults)) {
    const origin = firstOf(params.get(key), params.get("extra_body"))
    if (origin !== undefined) made.origins.set(`defaults.${key}`, origin.path)
  }
}
