/**
 * Writes into the journal what each attempt cost, failed and abandoned ones included: they were billed too.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Service from "@switchyard/core/Service"
import { type Context, Effect, type Layer } from "effect"
import { cost, type Price, PriceBook } from "./PriceBook.js"

/** The layer, from a price book. Prices are looked up once per deployment configuration. */
export const make = (book: Context.Tag.Service<PriceBook>): Service.AttemptLayer => {
  const known = new WeakMap<Deployment, Price>()
  const priceOf = (deployment: Deployment): Price | undefined => {
    const price = known.get(deployment) ?? book.price(deployment)
    if (price !== undefined) known.set(deployment, price)
    return price
  }
  return Service.mapAttempt((call, attempt) =>
    Service.onSettled(call, (outcome) => {
      const price = outcome.usage === undefined ? undefined : priceOf(attempt.target)
      if (price !== undefined && outcome.usage !== undefined) attempt.cost = cost(outcome.usage, price)
    })
  )
}

/** Prices every attempt of the inner service. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | PriceBook> = Service.wrap(
  DeploymentService,
  Effect.map(PriceBook, make)
)
