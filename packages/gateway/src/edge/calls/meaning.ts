/**
 * What a request means that does not quite say it.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { PathTarget } from "../callPaths.js"
import * as Controls from "./Controls.js"
import { fateOf } from "./foreignFields.js"

/** Some programs send what is meant for Responses to the path of chat; it is answered as Responses. */
export const meantTarget = (target: PathTarget, { input, messages }: JsonObject): PathTarget =>
  target.operation === "chat" && target.speech === "chat" && messages === undefined && input !== undefined
    ? { ...target, speech: "responses" }
    : target

const isControl = new Set(Controls.consumed)

/** Fields that steer a request, or that no caller may send on. */
export const isOwn = (field: string): boolean => isControl.has(field) || fateOf(field) !== "sent"

/** No stored answer to the same body is one to this. */
export const compacting = (request: LlmRequest): LlmRequest => ({
  ...request,
  stream: false,
  aside: "compact",
  overrides: { ...request.overrides, cache: { noCache: true, noStore: true } }
})
