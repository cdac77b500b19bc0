import { closest } from "@switchyard/core/Closest"
import type { Draft } from "../draft.js"
import { find, suggestion } from "../keys/keys.js"
import { looksMisplaced, meantBy } from "../keys/misplaced.js"
import { isSlip } from "../keys/slip.js"
import { below, type Given, isTree, isUnset, type Tree } from "../values.js"
import { isOwnParameter, isPrice } from "./OwnParameters.js"

/** Parameters of models that are sure to be meant. */
const modelParameters: ReadonlySet<string> = new Set([
  "audio",
  "chat_template_kwargs",
  "dimensions",
  "enable_thinking",
  "encoding_format",
  "frequency_penalty",
  "function_call",
  "functions",
  "logit_bias",
  "logprobs",
  "max_completion_tokens",
  "max_tokens",
  "min_p",
  "min_tokens",
  "modalities",
  "models",
  "n",
  "parallel_tool_calls",
  "prediction",
  "presence_penalty",
  "project_id",
  "prompt_cache_key",
  "reasoning_effort",
  "reasoning_format",
  "repetition_penalty",
  "response_format",
  "safety_identifier",
  "seed",
  "service_tier",
  "space_id",
  "stop",
  "store",
  "temperature",
  "thinking",
  "tool_choice",
  "tools",
  "top_k",
  "top_logprobs",
  "top_p",
  "user",
  "verbosity",
  "web_search_options"
])

/** Settings of LiteLLM itself or of a provider's own dialect, secrets among them: none of a model's business. */
const notSent =
  /^(aws_|azure_|vertex_|gcs_|s3_|oci_|watsonx_|sagemaker_|snowflake_|litellm_|langfuse_|langsmith_|lunary_|ssl_)|secret|password|credential|api_key|_token$/

/** What `litellm_params` says, with what it falls back on: named credentials, then the defaults of all deployments. */
export class Params {
  constructor(private readonly layers: ReadonlyArray<Given & { readonly value: Tree }>) {}

  get(key: string): Given | undefined {
    for (const { path, value } of this.layers) {
      const found = Object.hasOwn(value, key) ? value[key] : undefined
      if (!isUnset(found)) return { value: found, path: below(path, key) }
    }
    return undefined
  }

  /** Where a key stands, also without a value. */
  places(key: string): ReadonlyArray<string> {
    return this.layers.flatMap(({ path, value }) => (Object.hasOwn(value, key) ? [below(path, key)] : []))
  }

  keys(): ReadonlySet<string> {
    return new Set(this.layers.flatMap(({ value }) => Object.keys(value)))
  }
}

/** A parameter of the model: a key that is none of ours, or one of ours that only stands for all of them. */
const isParameter = (key: string): boolean =>
  modelParameters.has(key) || (find("litellm_params", key) === undefined && !isOwnParameter(key) && !notSent.test(key))

/** Whether a key can only have been meant for `litellm_params`. */
export const isParamsKey = (key: string): boolean =>
  modelParameters.has(key) || isOwnParameter(key) || find("litellm_params", key) !== undefined

const misspelt = (key: string): string | undefined => {
  if (modelParameters.has(key) || isOwnParameter(key)) return undefined
  const near = [suggestion("litellm_params", key), closest(key, modelParameters)].find(
    (name) => name !== undefined && isSlip(key, name)
  )
  return near !== undefined && find("model_info", key) !== undefined ? `model_info.${key}` : near
}

/** Warns about what of a map of `litellm_params` is not honoured. */
export const checkParams = (draft: Draft, { path, value }: Given & { readonly value: Tree }): void => {
  for (const [key, inner] of Object.entries(value)) {
    const given = { value: inner, path: below(path, key) }
    if (!draft.says(given) || draft.checkKnown("litellm_params", key, given)) continue
    const meant = misspelt(key)
    if (meant !== undefined) draft.warn(given.path, "No such key: neither read nor sent.", meant)
    else if (isPrice(key)) draft.warn(given.path, "Not counted: cost is made of input, cached input and output tokens.")
    else if (isOwnParameter(key))
      draft.warn(given.path, "Not done here. LiteLLM keeps it to itself, and it is not sent.")
    else if (!isParameter(key)) {
      draft.warn(given.path, "Means nothing in OpenAI's dialect, and is not sent.")
    } else if (!modelParameters.has(key) && looksMisplaced(key)) {
      draft.note(
        given.path,
        "Sent to the provider as a parameter of the model, as LiteLLM does; it sets nothing here.",
        meantBy(key)
      )
    }
  }
}

/** The parameters that a deployment adds to requests that do not set them. */
export const defaultsOf = (params: Params): Record<string, unknown> => {
  const found: Record<string, unknown> = {}
  for (const key of params.keys()) {
    const given = isParameter(key) && misspelt(key) === undefined ? params.get(key) : undefined
    if (given !== undefined) found[key] = given.value
  }
  const body = params.get("extra_body")?.value
  return isTree(body) ? { ...body, ...found } : found
}
