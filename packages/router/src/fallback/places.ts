import type { FallbackTarget } from "@switchyard/core/LlmRequest"
import type { Context } from "effect"
import * as contextWindow from "../catalogue/contextWindow.js"
import type { DeploymentRegistry } from "../registry/DeploymentRegistry.js"

/** The part of the registry that a walk over names needs. */
export type Names = Pick<Context.Tag.Service<DeploymentRegistry>, "resolve" | "version">

/** The place behind a name: aliases of one group are one place, a deployment id is a place of its own. */
const placeOf = (names: Names, model: string): unknown => {
  const resolved = names.resolve(model)
  return resolved === undefined || resolved.captures.length > 0 ? model : resolved.group
}

/** Where a request has been, by name and by place. */
export class Places {
  private readonly seen = new Set<unknown>()

  constructor(private readonly names: Names) {}

  add(model: string): void {
    this.seen.add(model)
    this.seen.add(placeOf(this.names, model))
  }

  has(model: string): boolean {
    return this.seen.has(model) || this.seen.has(placeOf(this.names, model))
  }

  /** How many different places among the targets are new. */
  countNew(targets: ReadonlyArray<FallbackTarget>): number {
    const places = new Set<unknown>()
    for (const { model } of targets) if (!this.has(model)) places.add(placeOf(this.names, model))
    return places.size
  }
}

/** The largest context window behind a name, in tokens; undefined when the name or one of its windows is unknown. */
export const windowOf = (names: Names, model: string): number | undefined => {
  const resolved = names.resolve(model)
  if (resolved === undefined) return undefined
  let largest = 0
  for (const tier of resolved.group.tiers) {
    for (const { deployment } of tier) {
      const window = contextWindow.windowOf(deployment)
      if (window === undefined) return undefined
      largest = Math.max(largest, window)
    }
  }
  return largest
}
