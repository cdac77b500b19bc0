import type { Exposition } from "@switchyard/router/MetricsSink"
import { Effect, type Scope } from "effect"
import { metricsQuestion, type Siblings } from "./Siblings.js"

type Exposed = (accept: string | undefined) => Effect.Effect<Exposition | undefined>

/** The metrics of all gateways behind a port, from what this one exposes; the others hear of it, also as it ends. */
export const exposedWith = (siblings: Siblings, own: Exposed): Effect.Effect<Exposed, never, Scope.Scope> => {
  const text = (accept: unknown): Effect.Effect<string> =>
    Effect.map(own(typeof accept === "string" ? accept : undefined), (exposed) => exposed?.text ?? "")
  siblings.answer(metricsQuestion, ([accept]) => text(accept))
  const all: Exposed = (accept) =>
    Effect.flatMap(own(accept), (exposed) =>
      exposed === undefined
        ? Effect.succeed(undefined)
        : Effect.map(siblings.metrics(exposed.text, accept), (text) => ({ ...exposed, text }))
    )
  return Effect.as(
    Effect.addFinalizer(() => Effect.flatMap(text(undefined), siblings.counted)),
    all
  )
}
