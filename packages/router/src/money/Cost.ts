/**
 * Adds to its outcome what each attempt cost, failed and abandoned ones included: they were billed too. The journal's entries
 * have it from there.
 */
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Service from "@switchyard/core/Service"
import { type Context, Effect, type Layer } from "effect"
import * as Concern from "../stack/Concern.js"
import { cost, PriceBook, Prices } from "./PriceBook.js"

/** The layer, from a price book, which is asked for the model that the attempt named: a wildcard stands for many. */
export const make = (book: Context.Tag.Service<PriceBook>): Service.AttemptLayer =>
  Service.bracketAttempt<void>({
    begin: () => {},
    learn: (_, { usage }, attempt) => {
      const price = usage === undefined ? undefined : book.price(attempt.target, attempt.model)
      return price === undefined || usage === undefined ? undefined : { cost: cost(usage, price) }
    }
  })

/** Prices every attempt of the inner service. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | PriceBook> = Service.wrap(
  DeploymentService,
  Effect.map(PriceBook, make)
)

/** The layer as a concern of a stack. */
export class Cost extends Concern.attempt({
  name: "cost",
  about: "What each attempt cost",
  state: [Prices],
  make: () => Effect.map(PriceBook, make)
}) {}
