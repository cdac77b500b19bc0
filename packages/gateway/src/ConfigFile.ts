/**
 * Reads a configuration file: YAML, includes, references to the environment, LiteLLM's format and our own. Every problem
 * comes at once, each with its line.
 */
import type { Effect } from "effect"
import type { GatewayConfig } from "./GatewayConfig.js"
import type { Problem } from "./Problem.js"

/** A file that was read, and can be used. */
export interface LoadedConfig {
  readonly config: GatewayConfig
  /** Warnings and notes; errors would have failed the reading. */
  readonly problems: ReadonlyArray<Problem>
  /** The file and everything that it includes, as absolute paths: what to watch. */
  readonly files: ReadonlyArray<string>
  /** The settings as the file says them, references to the environment unresolved and secrets masked, for display. */
  readonly display: unknown
}

/** How a file is read. */
export interface ReadOptions {
  /** The environment. Default: the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Whether an unset variable is an `error` (default: the gateway would not work), or a `note` (for a check elsewhere). */
  readonly unsetVariables?: "error" | "note"
}

/** A file that cannot be used; `problems` holds warnings too. */
export type Read = (path: string, options?: ReadOptions) => Effect.Effect<LoadedConfig, ConfigFileError>

/** Placeholder until the module is written. */
export interface ConfigFileError {
  readonly problems: ReadonlyArray<Problem>
}
