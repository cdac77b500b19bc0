/**
 * Writes into the journal what each attempt cost, failed and abandoned ones included: they were billed too.
 */
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Service from "@switchyard/core/Service"
import { type Context, Effect, type Layer } from "effect"
import { cost, PriceBook } from "./PriceBook.js"

/** The layer, from a price book, which is asked for the model that the attempt named: a wildcard stands for many. */
export const make = (book: Context.Tag.Service<PriceBook>): Service.AttemptLayer =>
  Service.mapAttempt((call, attempt) =>
    Service.onSettled(call, (outcome) => {
      const price = outcome.usage === undefined ? undefined : book.price(attempt.target, attempt.model)
      if (price !== undefined && outcome.usage !== undefined) attempt.cost = cost(outcome.usage, price)
    })
  )

/** Prices every attempt of the inner service. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | PriceBook> = Service.wrap(
  DeploymentService,
  Effect.map(PriceBook, make)
)
