import type { Probing } from "../fleet/BreakerEngine.js"

/** A call on trial that this process makes. */
export interface Trial extends Probing {
  /** Whether the engine holds its permit; `lost`: it did, and gave it to others. */
  place: "here" | "shared" | "lost"
}
