import { type Draft, firstOf } from "../draft.js"
import { below, type Given, isText, isTree } from "../values.js"
import type { Env } from "./endpoint.js"
import type { Params } from "./params.js"

/** What of LiteLLM's many names for watsonx' settings a deployment says. */
export interface WatsonxParams {
  readonly base: Given | undefined
  readonly key: Given | undefined
  /** A token, or a key of Cloud Pak for Data, as the header that shows it. */
  readonly authorization: string | undefined
  readonly project: Given | undefined
  readonly region: Given | undefined
}

/** `wx_credentials`: a map of where it is, and who asks. */
const inCredentials = (params: Params, ...names: ReadonlyArray<string>): Given | undefined => {
  const given = firstOf(params.get("wx_credentials"), params.get("watsonx_credentials"))
  if (given === undefined || !isTree(given.value)) return undefined
  const { path, value } = given
  const name = names.find((name) => isText(value[name]))
  return name === undefined ? undefined : { value: value[name], path: below(path, name) }
}

const textOf = (given: Given | undefined): string | undefined => (isText(given?.value) ? given.value : undefined)

/** Reads them; the environment's token and Zen key count where the deployment names no key. */
export const watsonxParams = (params: Params, env: Env): WatsonxParams => {
  const key = firstOf(inCredentials(params, "apikey", "api_key"), params.get("api_key"), params.get("apikey"))
  const ownToken = firstOf(inCredentials(params, "token", "watsonx_token"), params.get("token"))
  const ownZen = params.get("zen_api_key")
  const token = textOf(ownToken) ?? (key === undefined && ownZen === undefined ? env.WATSONX_TOKEN : undefined)
  const zen = textOf(ownZen) ?? (key === undefined ? env.WATSONX_ZENAPIKEY : undefined)
  return {
    base: firstOf(inCredentials(params, "url"), params.get("api_base"), params.get("base_url"), params.get("url")),
    key,
    authorization: isText(token) ? `Bearer ${token}` : isText(zen) ? `ZenApiKey ${zen}` : undefined,
    // `project_id` and `space_id` are parameters of the model.
    project: params.get("watsonx_project"),
    region: firstOf(params.get("watsonx_region_name"), params.get("watsonx_region"), params.get("region"))
  }
}

const own = ["apikey", "token", "url", "zen_api_key"]

/** Tells what is watsonx' alone where another provider is asked. */
export const tellForeign = (draft: Draft, params: Params, provider: string): void => {
  for (const key of params.keys()) {
    const given = own.includes(key) || /^(?:watsonx|wx)_/.test(key) ? params.get(key) : undefined
    if (given !== undefined) draft.warn(given.path, `Means nothing for ${provider}, and is not sent.`)
  }
}
