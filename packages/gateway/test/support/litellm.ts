import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import type * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { Either } from "effect"

export type Tree = Readonly<Record<string, unknown>>

/** Ordinary models of two groups, so that a tree needs only what its test is about. */
export const models = [
  { model_name: "gpt", litellm_params: { model: "openai/gpt-4o", api_key: "sk-1" } },
  { model_name: "claude", litellm_params: { model: "anthropic/claude-sonnet-4", api_key: "sk-2" } }
]

/** A file with one deployment, whose `litellm_params` and the rest of the entry are given. */
export const oneModel = (params: Tree, entry: Tree = {}): Tree => ({
  model_list: [{ model_name: "gpt", litellm_params: { model: "openai/gpt-4o", api_key: "sk-1", ...params }, ...entry }]
})

/** Everything of a setting at a path like `deployments[0].rpm`; undefined where there is nothing. */
export const at = (settings: unknown, path: string): unknown =>
  path
    .split(/[.[\]]+/)
    .filter((key) => key !== "")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], settings)

/** The findings that need action, as `path: message`. */
export const problems = ({ findings }: LiteLlmConfig.Translation): ReadonlyArray<string> =>
  findings.flatMap(({ message, path, severity }) => (severity === "note" ? [] : [`${path}: ${message}`]))

/** What is wrong with the translated settings; empty when a gateway can run on them. */
export const decodeIssues = ({ settings }: LiteLlmConfig.Translation): ReadonlyArray<string> =>
  Either.match(GatewayConfig.decode(settings), {
    onLeft: ({ issues }) => issues.map(({ expected, path }) => `${path}: ${expected}`),
    onRight: () => []
  })
