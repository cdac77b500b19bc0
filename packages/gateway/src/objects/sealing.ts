import { Redacted } from "effect"
import type { Server as Settings } from "../config/GatewayConfig.js"
import * as SealedIds from "./SealedIds.js"

/** The sealer of ids; `onRandom` hears of the first one that is sealed with a secret of this process alone. */
export const sealing = (secret: Settings["idSecret"], onRandom: () => void): SealedIds.Sealer => {
  if (secret !== undefined) return SealedIds.make((typeof secret === "string" ? secret : Redacted.value(secret)).trim())
  const sealer = SealedIds.make(undefined)
  let isTold = false
  return {
    open: sealer.open,
    seal: (kept, owner) => {
      if (!isTold) onRandom()
      isTold = true
      return sealer.seal(kept, owner)
    }
  }
}
