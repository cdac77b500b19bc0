/**
 * Windows of money that a restart, a crash and other gateways on the same store know of: the router's `SpendWindows` over a
 * ledger. What is settled is written to the journal in the same tick; calls spend from leases. What a crash leaves of a lease counts
 * as spent until it expires.
 */
import { make } from "@switchyard/router/LeasedSpendWindows"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { type Context, Effect, Layer } from "effect"
import { Ledger } from "../ledger/Ledger.js"

export { make } from "@switchyard/router/LeasedSpendWindows"

/** Windows over a ledger, whose thread stores what the journal holds before it leases or gives back. */
export const of = (ledger: Context.Tag.Service<Ledger>): ReturnType<typeof make> => {
  const { spend, store } = ledger
  return make({ settled: Effect.void, spend, lease: store.lease, release: store.release, windows: store.windows })
}

/** Windows over a ledger. */
export const layer: Layer.Layer<SpendWindows, never, Ledger> = Layer.scoped(SpendWindows, Effect.flatMap(Ledger, of))
