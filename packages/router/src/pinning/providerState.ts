import { signatures } from "@switchyard/core/ChatChunk"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"

/** Something in a payload that only the deployment which issued it understands. */
export interface ProviderState {
  readonly kind: "response id" | "reasoning signature"
  readonly value: string
}

/** Everything in a request that may bind it to the deployment which issued it, the newest last. */
export const boundState = (body: JsonObject): ReadonlyArray<ProviderState> => {
  const found: Array<ProviderState> = []
  for (const message of arrayOf(body.messages)) {
    if (!isJsonObject(message)) continue
    for (const value of signatures(message)) found.push({ kind: "reasoning signature", value })
  }
  const previous = body.previous_response_id
  if (typeof previous === "string" && previous !== "") found.push({ kind: "response id", value: previous })
  return found
}

/** What a whole answer issues. */
export const issuedState = (body: JsonObject): ReadonlyArray<string> => {
  const issued: Array<string> = typeof body.id === "string" ? [body.id] : []
  for (const choice of arrayOf(body.choices)) {
    if (isJsonObject(choice) && isJsonObject(choice.message)) issued.push(...signatures(choice.message))
  }
  return issued
}
