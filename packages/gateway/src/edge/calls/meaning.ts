/**
 * What a request means that does not quite say it.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { PathTarget } from "../callPaths.js"
import { bodyOfForm } from "../uploads/formFields.js"
import type { ReceivedForm } from "../uploads/uploadReader.js"
import type { Received } from "./bodyReader.js"
import * as Controls from "./Controls.js"
import { fateOf } from "./foreignFields.js"
import { type ParsedBody, parseBody } from "./requestBody.js"

/** Some programs send what is meant for Responses to the path of chat; it is answered as Responses. */
export const meantTarget = (target: PathTarget, { input, messages }: JsonObject): PathTarget =>
  target.operation === "chat" && target.speech === "chat" && messages === undefined && input !== undefined
    ? { ...target, speech: "responses" }
    : target

const isControl = new Set(Controls.consumed)

/** Fields that steer a request, or that no caller may send on. */
const isOwn = (field: string): boolean => isControl.has(field) || fateOf(field) !== "sent"

/** No stored answer to the same body is one to this. */
export const compacting = (request: LlmRequest): LlmRequest => ({
  ...request,
  stream: false,
  aside: "compact",
  overrides: { ...request.overrides, cache: { noCache: true, noStore: true } }
})

/** The payload of what was received: JSON, or the fields of a form. */
export const payloadOf = (received: Received | ReceivedForm, maxDepth: number): Either.Either<ParsedBody, Refusal> => {
  if (Buffer.isBuffer(received)) return parseBody(received, maxDepth)
  return Either.right("form" in received ? { json: bodyOfForm(received.form, isOwn), exact: undefined } : received)
}
