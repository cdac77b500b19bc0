/**
 * Writes what the ledger keeps of each request, in the tick in which the request ends.
 */
import { Scrubber } from "@switchyard/core/Secret"
import { nowMs } from "@switchyard/core/Time"
import type { Ledger } from "@switchyard/ledger/Ledger"
import type { Clock, Context } from "effect"
import type { GatewayConfig } from "../config/GatewayConfig.js"
import type { Ended } from "../edge/calls/ended.js"
import { secretsOf } from "../log/masking.js"
import { KeptNames } from "./keptNames.js"
import { recordOf } from "./usageRecord.js"

/** Appends records. */
export class Recorder {
  private secrets: ReadonlyArray<string>
  private names: KeptNames

  constructor(
    private readonly ledger: Pick<Context.Tag.Service<Ledger>, "append">,
    private readonly clock: Clock.Clock,
    config: GatewayConfig
  ) {
    this.secrets = secretsOf(config)
    this.names = new KeptNames(new Scrubber(this.secrets))
  }

  /** Another configuration has other secrets; requests of the one before still end. */
  configure(config: GatewayConfig): void {
    const before = this.secrets
    this.secrets = secretsOf(config)
    this.names = new KeptNames(new Scrubber([...before, ...this.secrets]))
  }

  readonly ended = (ended: Ended): void => {
    const at = { monotonic: nowMs(this.clock), wall: this.clock.unsafeCurrentTimeMillis() }
    const record = recordOf(ended, at, this.names)
    if (record !== undefined) this.ledger.append(record)
  }
}
