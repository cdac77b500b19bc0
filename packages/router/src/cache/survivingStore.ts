import * as Defect from "@switchyard/core/Defect"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { Cause, type Context, Effect } from "effect"
import type { CacheEntry, CacheStore } from "./CacheStore.js"

/**
 * A store of somebody's, which a cache asks about requests. One that dies, in its effects or where it is called, knows nothing
 * and keeps nothing: what it died of is logged, and no answer is lost for it.
 */
export class SurvivingStore {
  constructor(private readonly store: Context.Tag.Service<CacheStore>) {}

  get(request: LlmRequest, key: string): Effect.Effect<CacheEntry | undefined> {
    return Effect.catchAllCause(
      Effect.suspend(() => this.store.get(key)),
      (cause) => Effect.as(this.died(request, cause), undefined)
    )
  }

  set(request: LlmRequest, key: string, entry: CacheEntry, ttl: number): Effect.Effect<void> {
    return Effect.catchAllCause(
      Effect.suspend(() => this.store.set(key, entry, ttl)),
      (cause) => this.died(request, cause)
    )
  }

  private died(request: LlmRequest, cause: Cause.Cause<never>): Effect.Effect<void> {
    return Cause.isInterrupted(cause)
      ? Effect.failCause(cause)
      : Defect.told("the store of the cache died", request, cause)
  }
}
