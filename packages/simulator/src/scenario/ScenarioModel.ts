/** A scenario as a file holds it. */
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"
import { Incident, UpstreamModel } from "../upstream/UpstreamModel.js"
import { Source } from "../workload/WorkloadModel.js"

const settings = Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
  message: () => ({ message: "an object", override: true })
})

const variant = Field.options("A variant: an object with `router`, or `rule`.", {
  /** Options of the router in place of the scenario's. */
  router: Field.option(settings, "Options of the router in place of the scenario's."),
  /** The rule of another router, or `oracle`, in place of a strategy. */
  rule: Field.option(Field.text, "The rule of another router, or `oracle`, in place of a strategy.")
})

/** A scenario: who asks, who answers, what goes wrong, and how it is routed. */
export const ScenarioModel = Field.options("A scenario.", {
  /** What it is called. */
  name: Field.required(Field.text, "What it is called."),
  /** What it shows. */
  about: Field.option(Field.text, "What it shows."),
  /** All that is left to chance follows from it. Default 1. */
  seed: Field.option(Field.finite, "All that is left to chance follows from it.", 1),
  /** How long requests come. Default: as long as the trace, else until `requests` have come. */
  duration: Field.option(
    Field.duration,
    "How long requests come. Default: as long as the trace, else until `requests` have come."
  ),
  /** How many requests come at most. */
  requests: Field.option(Field.positiveCount, "How many requests come at most."),
  /** Requests of the first while are in no figure of requests; what deployments did and cost is of the whole run. Default 0. */
  warmUp: Field.option(
    Field.durationOrZero,
    "Requests of the first while are in no figure of requests; what deployments did and cost is of the whole run.",
    0
  ),
  /** What counts as good: goodput is of requests that are answered within it. Default: all that are answered. */
  objective: Field.option(
    Field.options("What counts as good.", {
      /** The longest that a good request takes. */
      latency: Field.option(Field.duration, "The longest that a good request takes."),
      /** The longest until the first token of a good one. */
      firstToken: Field.option(Field.duration, "The longest until the first token of a good one.")
    }),
    "What counts as good: goodput is of requests that are answered within it. Default: all that are answered."
  ),
  /** The options of the router, its deployments among them. */
  router: Field.option(settings, "The options of the router, its deployments among them."),
  /** The upstreams by the ids of their deployments; `*` is for all others. Default none. */
  upstreams: Field.option(
    Schema.Record({ key: Schema.String, value: UpstreamModel }),
    "The upstreams by the ids of their deployments; `*` is for all others.",
    {}
  ),
  /** What befalls them. Default none. */
  incidents: Field.option(Schema.Array(Incident), "What befalls them.", []),
  /** Who asks. Without it: a trace. */
  workload: Field.option(Schema.Array(Source), "Who asks. Without it: a trace."),
  /** A file with the requests of a past time, beside the scenario's. */
  trace: Field.option(Field.text, "A file with the requests of a past time, beside the scenario's."),
  /** The model group of a trace's requests that name none, or one that the router has not. */
  traceModel: Field.option(
    Field.text,
    "The model group of a trace's requests that name none, or one that the router has not."
  ),
  /** Routers that share the work, each with a view of its own. Default 1. */
  replicas: Field.option(Field.positiveCount, "Routers that share the work, each with a view of its own.", 1),
  /** Whether these routers tell each other what they know, as gateways over one Redis do, some seconds late. Default false. */
  shares: Field.option(
    Field.flag,
    "Whether these routers tell each other what they know, as gateways over one Redis do, some seconds late.",
    false
  ),
  /** What may be compared, by name. Default none. */
  variants: Field.option(Schema.Record({ key: Schema.String, value: variant }), "What may be compared, by name.", {})
})
/** A scenario as a file holds it. */
export type ScenarioModel = typeof ScenarioModel.Type
