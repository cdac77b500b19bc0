/**
 * The ledger of a configuration, opened beside a gateway that may run on it.
 */
import type { GatewayConfig } from "@switchyard/gateway/GatewayConfig"
import * as LedgerPlace from "@switchyard/gateway/LedgerPlace"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import type { Store } from "@switchyard/ledger/Store"
import { Effect, Redacted, type Scope } from "effect"
import { requireFile } from "../configuration.js"
import { CommandError, fail, plain } from "../output.js"

/** Which ledger is meant. */
export interface Flags {
  readonly config: string | undefined
  readonly data: string | undefined
}

/** A ledger that is open. */
export interface Opened {
  readonly store: Store
  readonly place: Exclude<LedgerPlace.LedgerPlace, { readonly _tag: "None" | "Homeless" }>
  readonly config: GatewayConfig | undefined
}

/** A configuration that says nothing but where the ledger is, for a command line that names none. */
const bare = (env: NodeJS.ProcessEnv): Pick<GatewayConfig, "keys" | "ledger" | "masterKey" | "router"> => {
  const url = env["SWITCHYARD_LEDGER_URL"]?.trim()
  return {
    keys: [],
    masterKey: undefined,
    router: { deployments: [] },
    ledger: url === undefined || url === "" ? {} : { url: Redacted.make(url) }
  }
}

/** An error of the store, in a command's words. */
export const commandError =
  (command: string) =>
  ({ message }: LedgerError): CommandError =>
    new CommandError({ message: `${command}: ${plain(message)}` })

const open = (place: Opened["place"], isReading: boolean): Effect.Effect<Store, LedgerError, Scope.Scope> =>
  place._tag === "Sqlite"
    ? Effect.flatMap(
        Effect.promise(() => import("@switchyard/ledger/SqliteStore")),
        (SqliteStore) => SqliteStore.make({ path: place.path, isReading })
      )
    : Effect.flatMap(
        Effect.promise(() => import("@switchyard/ledger/PostgresStore")),
        (PostgresStore) => PostgresStore.make({ url: Redacted.value(place.url), isListening: false })
      )

/** Opens the ledger. `isReading` makes nothing that is not there. */
export const openLedger = (
  command: string,
  { config: file, data }: Flags,
  isReading: boolean
): Effect.Effect<Opened, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const loaded = file === undefined ? undefined : yield* requireFile(command, file, { unsetVariables: "error" })
    const place = LedgerPlace.placeOf(loaded?.config ?? bare(process.env), { data, env: process.env })
    if (place._tag === "None") {
      return yield* fail(
        place.why === "false"
          ? `${command}: this configuration keeps nothing (ledger: false)`
          : `${command}: this configuration keeps nothing: it has neither a key nor a budget; "ledger: {}" in it keeps usage all the same`
      )
    }
    if (place._tag === "Homeless") return yield* fail(`${command}: ${place.unwritable}`)
    const store = yield* Effect.mapError(open(place, isReading), commandError(command))
    return { store, place, config: loaded?.config }
  })
