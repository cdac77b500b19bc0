import type { Effect } from "effect"
import type { LedgerError } from "../../errors/LedgerError.js"

/** What goes into a statement: always beside its text, never in it. */
export type Value = string | number | null

export type Row = Readonly<Record<string, unknown>>

/** A column, and its type where an engine has to be told: `text` or `bigint`. */
export type Column = readonly [name: string, type: "text" | "bigint"]

/** What the two engines are asked alike. Statements name parameters by `?`, and tables by `table`. */
export interface Engine {
  /** A table's name, with its schema where there is one. */
  readonly table: (name: string) => string
  /** What follows a table's columns, where its rows are to lie in the order of their key. */
  readonly clustered: string
  readonly rows: (sql: string, values: ReadonlyArray<Value>) => Effect.Effect<ReadonlyArray<Row>, LedgerError>
  /** Inserts rows at once; `conflict` is the rest of the statement. */
  readonly insert: (
    table: string,
    columns: ReadonlyArray<Column>,
    rows: ReadonlyArray<ReadonlyArray<Value>>,
    conflict: string
  ) => Effect.Effect<void, LedgerError>
  /** The rows of a table with these keys, held until the transaction ends. Keys are in the same order in every transaction. */
  readonly hold: (
    table: string,
    keys: ReadonlyArray<Column>,
    of: ReadonlyArray<ReadonlyArray<Value>>
  ) => Effect.Effect<ReadonlyArray<Row>, LedgerError>
  /** The condition that a row is one of those that a query finds, of which this is what follows its columns. */
  readonly oneOf: (rest: string) => string
  /** A text column that is to be ordered by its bytes. */
  readonly inOrder: (column: string) => string
  /** All of it or nothing. One that only reads waits for nobody. */
  readonly atomic: <A>(kind: "read" | "write", effect: Effect.Effect<A, LedgerError>) => Effect.Effect<A, LedgerError>
  /** Tells other gateways that keys have changed, once the transaction is over. */
  readonly tellChanged: (version: number) => Effect.Effect<void, LedgerError>
  readonly changed: Effect.Effect<void, LedgerError>
}

/** Engines give integers as numbers, texts or big integers. */
export const whole = (value: unknown): number => Number(value ?? 0)

export const textOrNothing = (value: unknown): string | undefined =>
  value === null || value === undefined ? undefined : String(value)

export const wholeOrNothing = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)
