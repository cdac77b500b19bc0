/**
 * Snowflake Cortex: Claude in Anthropic's words, since it tells in OpenAI's of no end of its streams, and all others in OpenAI's.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import {
  type Address,
  type Ask,
  badBase,
  baseOf,
  bearer,
  type Env,
  isClaude,
  type Protocol,
  type TargetProblem,
  variable
} from "./protocol.js"

const messages: ReadonlyArray<DialectName> = ["messages"]
const chat: ReadonlyArray<DialectName> = ["chat"]

const partOf = ({ dialect, operation }: Ask): string | undefined => {
  if (operation === "embeddings") return "/inference:embed"
  if (operation !== "chat" && operation !== "completion") return undefined
  return dialect === "messages" ? "/v1/messages" : "/v1/chat/completions"
}

/** What users write of it: the account's host, its API, or a path of Cortex, also of the older one. */
const rootOf = (path: string): string => path.replace(/\/cortex(?:\/.*)?$/, "").replace(/\/api(?:\/v\d+)?$/, "")

const address = (_: Deployment, baseUrl: string | undefined, env: Env): Address | TargetProblem => {
  const account = variable(env, "SNOWFLAKE_ACCOUNT_ID")
  if (baseUrl === undefined && account === undefined) {
    return { problem: "Snowflake needs the account's base URL, or SNOWFLAKE_ACCOUNT_ID in the environment" }
  }
  const base = baseOf(baseUrl ?? `https://${account}.snowflakecomputing.com`)
  if (base === undefined) return badBase
  const root = `${rootOf(base.path)}/api/v2/cortex`
  return {
    origin: base.origin,
    path: (ask) => {
      const part = partOf(ask)
      return part === undefined ? undefined : `${root}${part}${base.search}`
    }
  }
}

/** LiteLLM's mark of a programmatic access token. Of all others Snowflake finds out itself what they are. */
const accessToken = /^pat\//

const version = { "anthropic-version": "2023-06-01" }

/** Snowflake Cortex. */
export const snowflake: Protocol = {
  name: "snowflake",
  dialects: (deployment, model) => (isClaude(deployment, model) ? messages : chat),
  address,
  key: (key) =>
    accessToken.test(key)
      ? {
          ...bearer(key.replace(accessToken, "")),
          "x-snowflake-authorization-token-type": "PROGRAMMATIC_ACCESS_TOKEN"
        }
      : bearer(key),
  headers: (deployment) => (isClaude(deployment, deployment.model) ? version : {}),
  hasOwnEmbeddings: true,
  fit: (body, { dialect }) => {
    if (dialect !== "chat" || body.max_tokens === undefined) return
    body.max_completion_tokens ??= body.max_tokens
    delete body.max_tokens
  }
}
