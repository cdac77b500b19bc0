/**
 * The token by which somebody else says who asks: given itself, by its file, or by the place where a platform keeps it. Read anew
 * for every sign-in, since platforms change it.
 */
import type * as NodeFs from "node:fs/promises"
import * as Builtin from "@switchyard/core/Builtin"
import type { Env } from "../protocols/protocol.js"
import { ask } from "./asked.js"

const files = Builtin.find<typeof NodeFs>("node:fs/promises")

const fileText = async (path: string): Promise<string> => {
  if (files === undefined) throw new Error("files are read on Node alone")
  try {
    return await files.readFile(path, "utf8")
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    throw new Error(`the file of the web identity token cannot be read (${String(code ?? "unknown")}): ${path}`)
  }
}

const variable = (env: Env, name: string): string => {
  const value = env[name]
  if (value === undefined || value === "") throw new Error(`the environment has no ${name}, which holds the token`)
  return value
}

/** Google's metadata server knows who the machine is. */
const google = async (audience: string): Promise<string> => {
  const url = `http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience=${encodeURIComponent(audience)}`
  const { status, text } = await ask("Google's metadata server", url, { headers: { "metadata-flavor": "Google" } })
  if (status !== 200) throw new Error(`Google's metadata server gave no token (${status})`)
  return text
}

/** GitHub gives a job a token for an audience. */
const github = async (audience: string, env: Env): Promise<string> => {
  const url = new URL(variable(env, "ACTIONS_ID_TOKEN_REQUEST_URL"))
  url.searchParams.set("audience", audience)
  const authorization = `Bearer ${variable(env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")}`
  const { status, text } = await ask("GitHub Actions", url.href, {
    headers: { authorization, accept: "application/json; api-version=2.0" }
  })
  if (status !== 200) throw new Error(`GitHub Actions gave no token (${status})`)
  return String((JSON.parse(text) as { readonly value?: unknown }).value ?? "")
}

/** LiteLLM's names of places: `oidc/PLACE/DETAIL`. */
const fromPlace = (place: string, detail: string, env: Env): Promise<string> | string => {
  switch (place) {
    case "file":
      return fileText(detail)
    case "env":
      return variable(env, detail)
    case "env_path":
      return fileText(variable(env, detail))
    case "azure":
      return fileText(variable(env, "AZURE_FEDERATED_TOKEN_FILE"))
    case "circleci":
      return variable(env, "CIRCLE_OIDC_TOKEN")
    case "circleci_v2":
      return variable(env, "CIRCLE_OIDC_TOKEN_V2")
    case "google":
      return google(detail)
    case "github":
      return github(detail, env)
    default:
      throw new Error(`nobody here knows the place oidc/${place} of a web identity token`)
  }
}

/** A token is no path: three parts, split by dots. */
const isToken = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)

/** The token that `given` stands for. */
export const webIdentityOf = async (given: string, env: Env): Promise<string> => {
  const [, place, detail] = /^oidc\/(\w+)(?:\/(.*))?$/.exec(given) ?? []
  const found =
    place !== undefined ? await fromPlace(place, detail ?? "", env) : isToken(given) ? given : await fileText(given)
  const token = found.trim()
  if (token === "") throw new Error("the web identity token is empty")
  return token
}
