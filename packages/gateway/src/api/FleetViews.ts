/** What `/admin/fleet` shows, as schemas. All of it is plain JSON; null means that nobody knows, or that there is none. */
import { Schema } from "effect"

const { Array: List, Boolean, Literal, NullOr, Number, String, Struct } = Schema

const said = <A, I>(schema: Schema.Schema<A, I>, description: string): Schema.Schema<A, I> =>
  schema.annotations({ description })

/** Where a gateway decides. */
const Mode = Literal("shared", "local", "alone").annotations({
  description:
    "`shared`: what all share decides. `local`: it is away, and the gateway has its share of every limit. `alone`: the configuration names nothing that is shared."
})

/** The fields of it. */
const aboutItself = {
  id: said(String, "New with each start."),
  host: String,
  pid: Number,
  version: said(String, "Of Switchyard."),
  config: said(String, "A digest of the configuration in force without secrets, `server.host` and `server.port`."),
  generation: said(Number, "1 for the first configuration, one more with each reload."),
  since: said(Number, "Wall-clock ms of its start."),
  requests: said(Number, "That ended in the last 60 seconds."),
  errors: said(Number, "Those of them that were not answered, whoever was to blame."),
  inFlight: Number,
  mode: Mode
}

/** What a gateway says of itself to the others. */
export const Card = Struct(aboutItself)
/** What a gateway says of itself to the others. */
export interface Card extends Schema.Schema.Type<typeof Card> {}

/** One gateway. */
export const Replica = Struct({
  ...aboutItself,
  isThis: said(Boolean, "The one that was asked."),
  ageMs: said(Number, "How long ago it said so.")
}).annotations({ identifier: "Replica" })
/** One gateway. */
export interface Replica extends Schema.Schema.Type<typeof Replica> {}

/** All gateways that share their state. */
export const FleetView = Struct({
  engine: said(NullOr(String), "What keeps the state that is shared, without its password."),
  mode: Mode,
  error: said(NullOr(String), "Why this gateway decides by itself, or knows of no other now."),
  replicas: said(List(Replica), "Those that said something in the last seconds, the oldest first."),
  sum: Struct({ replicas: Number, requests: Number, errors: Number, inFlight: Number }),
  configs: said(
    List(Struct({ config: String, replicas: List(String) })),
    "Configurations in force and the ids of the gateways that have them, the most frequent first; more than one: they differ."
  )
}).annotations({ identifier: "FleetView" })
/** All gateways that share their state. */
export interface FleetView extends Schema.Schema.Type<typeof FleetView> {}
