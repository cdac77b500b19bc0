/**
 * The ledger that a configuration asks for, opened: or why all goes on in memory.
 */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Ledger, layer as ledgerLayer } from "@switchyard/ledger/Ledger"
import { LedgerError } from "@switchyard/ledger/LedgerError"
import { Context, Effect, ExecutionStrategy, Exit, Layer, Redacted, Scope } from "effect"
import type { GatewayConfig } from "../config/GatewayConfig.js"
import { type LedgerPlace, placeOf, problemsOf, type Surroundings } from "../config/ledger/LedgerPlace.js"
import { ledgerDefaults } from "../config/ledger/ledgerSettings.js"
import type { Problem } from "../config/Problem.js"

/** What came of it. */
export interface Opened {
  readonly place: LedgerPlace
  /** Undefined where nothing is kept. */
  readonly ledger: Context.Tag.Service<Ledger> | undefined
  /** What operators have to know of it. */
  readonly problems: ReadonlyArray<Problem>
}

/** Why the ledger that nobody asked for by name can be done without: what is in it already must not be forgotten in silence. */
const isHomeless = ({ reason }: LedgerError): boolean =>
  reason === "place" || reason === "readOnly" || reason === "missing"

const warning = (path: string, message: string): Problem => ({
  severity: "warning",
  path,
  message,
  file: undefined,
  line: undefined,
  column: undefined
})

/** A spool in the system's folder for what is temporary is better than none. */
const spoolFolder = (data: string | undefined, unwritable: string | undefined): Effect.Effect<string, LedgerError> =>
  data !== undefined && unwritable === undefined
    ? Effect.succeed(data)
    : Effect.try({
        try: () => mkdtempSync(join(tmpdir(), "switchyard-spool-")),
        catch: () =>
          new LedgerError({
            reason: "place",
            description: `no folder can be written in which usage could wait for the database: ${unwritable ?? "none is known"}`
          })
      })

const open = (
  place: Extract<LedgerPlace, { readonly _tag: "Sqlite" | "Postgres" }>,
  config: GatewayConfig
): Effect.Effect<Context.Tag.Service<Ledger>, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const { keep = ledgerDefaults.keep, spool = ledgerDefaults.spool } = config.ledger || {}
    const data =
      place._tag === "Sqlite" ? (place.data ?? dirname(place.path)) : yield* spoolFolder(place.data, place.unwritable)
    const store =
      place._tag === "Sqlite"
        ? ({ engine: "sqlite", path: place.path } as const)
        : ({ engine: "postgres", url: Redacted.value(place.url) } as const)
    // One that can't be opened is over at once: its thread must not try again behind a gateway that does without.
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const built = yield* Layer.buildWithScope(ledgerLayer({ store, data, spool, keep }), scope).pipe(
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
    return Context.get(built, Ledger)
  })

/** Whether a configuration is held to what it says of its ledger: one by name fails where it can't be had. */
const mayDoWithout = (place: LedgerPlace, error: LedgerError): boolean =>
  place._tag === "Sqlite" ? place.isImplied && isHomeless(error) : error.reason === "rights"

/**
 * Opens the ledger of a configuration, until the scope closes. One that nobody asked for by name, and that has no place, is done
 * without, and so is a database in which this user may make nothing: with a warning. Any other that can't be opened is an error,
 * since nobody would know who may come in, and what is left of a budget.
 */
export const make = (
  config: GatewayConfig,
  surroundings: Surroundings
): Effect.Effect<Opened, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const place = placeOf(config, surroundings)
    const problems = problemsOf(place, config)
    if (place._tag === "None") return { place, ledger: undefined, problems }
    const hasNoPlace = place._tag !== "Postgres" && place.unwritable !== undefined
    if (place._tag === "Homeless" || hasNoPlace) {
      if (place.isImplied) return { place, ledger: undefined, problems }
      const where = place._tag === "Sqlite" ? `${place.path}: ` : ""
      return yield* new LedgerError({
        reason: "place",
        description: `the ledger can't be kept: ${where}${place.unwritable}`
      })
    }
    const opened = yield* Effect.either(open(place, config))
    if (opened._tag === "Right") return { place, ledger: opened.right, problems }
    const error = opened.left
    if (!mayDoWithout(place, error)) return yield* error
    const told = warning("ledger", `nothing is kept, all goes on in memory: ${error.message}`)
    return { place, ledger: undefined, problems: [...problems, told] }
  })
