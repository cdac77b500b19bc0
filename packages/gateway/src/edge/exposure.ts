import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type { KeyBook } from "@switchyard/ledger/KeyBook"
import { type Context, Effect } from "effect"
import type { GatewayConfig } from "../config/GatewayConfig.js"
import * as KeyRing from "../keys/KeyRing.js"
import * as OpenAccess from "./OpenAccess.js"

/** Without a key anybody who reaches the port may spend money, so nobody but this machine may reach it. */
export const checkExposure = (
  config: GatewayConfig,
  host: string,
  book: Context.Tag.Service<KeyBook> | undefined
): Effect.Effect<void, ConfigError> =>
  KeyRing.isLocked(config) || book?.isUsed() === true || OpenAccess.isLoopback(host)
    ? Effect.void
    : Effect.fail(
        new ConfigError({
          issues: [issue("server.host", host, "a loopback address, because no key is configured (masterKey or keys)")]
        })
      )
