/**
 * How what is asked beside conversations is said to a provider: the payload with the deployment's model and defaults, as JSON or as
 * a form.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { comesAs, media } from "@switchyard/core/Media"
import type { Parameters } from "@switchyard/core/Payload"
import * as Payload from "@switchyard/core/Payload"
import type { Hearing } from "../exchange/hearing.js"
import { type Form, formOf } from "../media/form.js"
import { hearRanking, worded } from "../media/rerank.js"
import type { Protocol } from "../protocols/protocol.js"
import { passage } from "./passage.js"
import { encode } from "./payload.js"

/** What is sent, and how its answer is heard. */
export interface Said {
  readonly body: string | Uint8Array
  readonly form?: Form
  readonly headers?: Readonly<Record<string, string>>
  readonly hearing: Hearing
}

const passing = passage(media, "sse", undefined)

const anything = { accept: "*/*" }

/** Callers must not know what parts a form: they could write parts of their own into a file. */
const boundary = (): string => `switchyard-${crypto.randomUUID()}`

/** Says an attempt's request. */
export const speakMedia = (protocol: Protocol, attempt: Attempt, parameters: Parameters): Said => {
  const { model, request, target } = attempt
  const { operation, upload } = request
  const accept = comesAs(operation, request.body) === "bytes" ? anything : undefined
  if (upload === undefined && operation !== "rerank") {
    const named = (body: Record<string, unknown>): void => {
      body.model = model
    }
    const body = encode(attempt, parameters, true, named)
    return { body, hearing: passing, ...(accept === undefined ? {} : { headers: accept }) }
  }
  const body: Record<string, unknown> = { ...Payload.ofAttempt(attempt, parameters), model }
  if (upload === undefined) {
    return { body: JSON.stringify(worded(body, target.provider, protocol.name)), hearing: hearRanking(body) }
  }
  const form = formOf(upload, body, boundary())
  const headers = { ...accept, "content-type": form.contentType, "content-length": String(form.size) }
  return { body: "", form, headers, hearing: passing }
}
