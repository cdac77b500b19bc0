import type { JsonObject } from "@switchyard/core/Json"

/** Emits an event of a type; the number is added. */
export type Emit = (type: string, fields: JsonObject) => void

/** An item that is being written. */
export interface OpenItem {
  readonly index: number
  readonly id: string
  /** What is open is closed; the item as it stands in the answer. */
  readonly close: (emit: Emit, isCut: boolean) => JsonObject
}
