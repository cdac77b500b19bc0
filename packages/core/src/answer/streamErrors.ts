/**
 * The errors that a stream makes by itself.
 */

import { LlmError } from "../errors/LlmError.js"
import type { JsonObject } from "../json/Json.js"

/** Whose stream it is. */
interface Source {
  readonly provider?: string | undefined
  readonly deployment?: string | undefined
}

/** An error of a stream, with whose it is. */
export const make = ({ deployment, provider }: Source, fields: ConstructorParameters<typeof LlmError>[0]): LlmError =>
  new LlmError({
    ...fields,
    ...(provider === undefined ? {} : { provider }),
    ...(deployment === undefined ? {} : { deployment })
  })

/** Somebody closed it, and reads on. */
export const closed = (source: Source): LlmError =>
  make(source, { reason: "Unavailable", description: "the stream was closed", code: "closed" })

/** What reads it died; `error` is what that would mean of its deployment. To begin again elsewhere would help nobody. */
export const ofReader = ({ deployment, provider }: LlmError): LlmError =>
  make(
    { deployment, provider },
    { reason: "InvalidRequest", description: "what reads the stream died of it", code: "defect", blames: "request" }
  )

/** An in-band error event, by what it holds under `error`. */
export const ofEvent = (source: Source, error: JsonObject): LlmError => {
  const { code, message, param, type } = error
  return make(source, {
    reason: "Unavailable",
    description: "the provider sent an error event",
    ...(typeof message === "string" ? { providerMessage: message } : {}),
    ...(typeof code === "string" ? { code } : typeof type === "string" ? { code: type } : {}),
    ...(typeof type === "string" ? { type } : {}),
    ...(typeof param === "string" ? { param } : {})
  })
}
