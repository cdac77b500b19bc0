/**
 * How what is asked beside conversations is said to a provider: the payload with the deployment's model and defaults, as JSON or as
 * a form.
 */

import type { Attempt } from "@switchyard/core/Attempt"
import { comesAs, media } from "@switchyard/core/Media"
import type { Parameters } from "@switchyard/core/Payload"
import * as Payload from "@switchyard/core/Payload"
import { formOf } from "../media/form.js"
import { hearRanking, worded } from "../media/rerank.js"
import type { Ask, Protocol } from "../protocols/protocol.js"
import { wholeOf } from "./conversations.js"
import type { Saying } from "./outgoing.js"
import { passage } from "./passage.js"
import { encode } from "./payload.js"

const passing = passage(media, "sse", undefined)

const anything = { accept: "*/*" }

/** Callers must not know what parts a form: they could write parts of their own into a file. */
const boundary = (): string => `switchyard-${crypto.randomUUID()}`

/** Says an attempt's request. */
export const speakMedia = (protocol: Protocol, attempt: Attempt, parameters: Parameters): Saying => {
  const { model, request, target } = attempt
  const { operation, stream, upload } = request
  const ask: Ask = { model, operation, stream, dialect: "chat" }
  const accept = comesAs(operation, request.body) === "bytes" ? anything : undefined
  const usual = { ask, plainer: undefined, hearing: passing, headers: accept, dropped: [], betas: undefined }
  if (upload === undefined && operation !== "rerank") {
    const named = (body: Record<string, unknown>): void => {
      body.model = model
    }
    return { ...usual, body: encode(attempt, parameters, true, named) }
  }
  const body: Record<string, unknown> = { ...Payload.ofAttempt(wholeOf(attempt), parameters), model }
  if (upload === undefined) {
    const said = JSON.stringify(worded(body, target, protocol.name))
    return { ...usual, body: said, hearing: hearRanking(body) }
  }
  const form = formOf(upload, body, boundary())
  const headers = { ...accept, "content-type": form.contentType, "content-length": String(form.size) }
  return { ...usual, body: "", form, headers }
}
