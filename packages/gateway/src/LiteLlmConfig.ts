/**
 * LiteLLM's `config.yaml` in our own words: every key that routing needs becomes a setting of ours, every other one a
 * finding, so that nothing is ignored in silence.
 */
import type { Finding } from "./Problem.js"

/** A LiteLLM file, translated. */
export interface Translation {
  /** The same settings as `GatewayConfig.decode` takes them. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Where settings come from: a path of `settings` to the path in the file. The longest path that fits is the one. */
  readonly origins: ReadonlyMap<string, string>
  readonly findings: ReadonlyArray<Finding>
}

/** The top-level keys that belong to LiteLLM's format; all others are ours. */
export const topLevelKeys: ReadonlyArray<string> = [
  "model_list",
  "litellm_settings",
  "router_settings",
  "general_settings",
  "environment_variables",
  "include",
  "callback_settings",
  "credential_list",
  "assistant_settings",
  "search_tools",
  "files_settings",
  "finetune_settings",
  "default_vertex_config",
  "guardrails",
  "prompts",
  "mcp_servers",
  "vector_store_registry"
]

/** Translates the LiteLLM part of a file, environment references resolved. */
export const translate = (_tree: Readonly<Record<string, unknown>>): Translation => ({
  settings: {},
  origins: new Map(),
  findings: []
})
