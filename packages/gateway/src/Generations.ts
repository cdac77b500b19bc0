/**
 * Configurations in force, one after the other: each is a tower with its keys, and a reload makes the next. A request stays
 * with the generation that it came to; a generation that was replaced ends when its last request has ended.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import type * as Router from "@switchyard/router/Router"
import { Context, type Effect } from "effect"
import type { LoadedConfig } from "./ConfigFile.js"
import type { GatewayConfig } from "./GatewayConfig.js"
import type * as KeyRing from "./KeyRing.js"

/** What a generation is made of: a configuration that was read from a file, or one made in code. */
export interface Source extends Partial<Omit<LoadedConfig, "config">> {
  readonly config: GatewayConfig
}

/** One configuration in force, or not any more. */
export interface Generation {
  /** 1 for the first. */
  readonly number: number
  readonly source: Source
  readonly keys: KeyRing.KeyRing
  readonly tower: Router.Tower
  /** Wall-clock ms when it came into force. */
  readonly installedAt: number
}

/** A request's hold on its generation; `leave` it exactly once. */
export interface Lease {
  readonly generation: Generation
  readonly leave: () => void
}

/** Gives the generation in force, and replaces it. */
export class Generations extends Context.Tag("@switchyard/gateway/Generations")<
  Generations,
  {
    readonly current: () => Generation
    /** Holds the generation in force for one request. */
    readonly enter: () => Lease
    /** Puts a configuration in force; a bad one changes nothing. Replacements come one after the other. */
    readonly install: (source: Source) => Effect.Effect<Generation, ConfigError>
    /** Why the last replacement was refused; undefined when it was not. For `/admin/config`. */
    readonly lastRefusal: () => string | undefined
  }
>() {}
