/**
 * A running gateway: configuration, tower, keys and server, put together.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Effect } from "effect"
import type { Source } from "./Generations.js"

/** A gateway that listens. */
export interface Gateway {
  /** For example `http://127.0.0.1:4000`. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** No key is configured: only loopback is served. */
  readonly isOpen: boolean
  /** Puts another configuration in force without dropping a call; a bad one changes nothing. `server` stays as it was. */
  readonly reload: (source: Source) => Effect.Effect<void, ConfigError>
}

/** What beats the configuration, from a command line. */
export interface Overrides {
  readonly host?: string
  readonly port?: number
}
