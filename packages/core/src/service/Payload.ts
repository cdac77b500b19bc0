/**
 * The payload that a deployment is sent, whoever sends it: the HTTP base and hand-written clients go by the same one.
 */
import { Effect } from "effect"
import { isJsonObject, type JsonObject } from "../json/Json.js"
import type { LlmRequest } from "../request/LlmRequest.js"
import type { Attempt } from "./Attempt.js"
import type { Parameters } from "./parameters.js"

export { ParameterBook, type Parameters, withoutPaths } from "./parameters.js"

/** A request on its way to a deployment: what its payload goes by. */
export type Sending = Pick<Attempt, "model" | "request" | "target">

const wantsNoOptions = ({ request, target }: Sending): boolean =>
  !target.streamUsage || request.overrides.additionalDropParams?.includes("stream_options") === true

/** Puts the model and the kind of the call into a payload of one's own; in another dialect than OpenAI's the model alone, where it has its place. */
const address = (body: Record<string, unknown>, model: string, { dialect, operation, stream }: LlmRequest): void => {
  if (dialect !== undefined) {
    const { model: modelOf, modelField = "model" } = dialect.request
    if (modelOf(body) !== undefined) body[modelField] = model
    return
  }
  body.model = model
  if (operation !== "embeddings") body.stream = stream
  else if (body.stream !== undefined) delete body.stream
  if (!stream && body.stream_options !== undefined) delete body.stream_options
}

/**
 * The payload of an attempt: the deployment's defaults below the caller's own fields, in the model's words, the provider's
 * model name, and usage asked for in every stream, because budgets and limits need it; unless `asksForUsage` is false, for a
 * provider that is known to refuse that.
 */
export const ofAttempt = (attempt: Sending, parameters: Parameters, asksForUsage = true): Record<string, unknown> => {
  const { model, request } = attempt
  const body = parameters.bodyOf(request)
  address(body, model, request)
  if (!request.stream || request.dialect !== undefined) return body
  if (wantsNoOptions(attempt)) {
    if (body.stream_options !== undefined) delete body.stream_options
  } else if (asksForUsage) {
    body.stream_options = isJsonObject(body.stream_options)
      ? { ...body.stream_options, include_usage: true }
      : { include_usage: true }
  }
  return body
}

/** The request of an attempt as a client or a service of the request tier gets it: payload, model and place in the trace are the attempt's. */
export const requestOf = (attempt: Attempt, parameters: Parameters): LlmRequest => ({
  ...attempt.request,
  model: attempt.model,
  body: ofAttempt(attempt, parameters),
  trace: attempt.trace ?? attempt.request.trace
})

const addressed = (request: LlmRequest): JsonObject => {
  const body = { ...request.body }
  address(body, request.model, request)
  return body
}

/** The payload of a request that no deployment was chosen for: its own, with the model and the kind of the call right. */
export const ofRequest = (request: LlmRequest): JsonObject => {
  const { dialect, model, operation, stream } = request
  if (dialect !== undefined) return dialect.request.model(request.body) === model ? request.body : addressed(request)
  const said = operation === "embeddings" ? undefined : stream
  const { stream_options: options } = request.body
  if (request.body.model === model && request.body.stream === said && (stream || options === undefined)) {
    return request.body
  }
  return addressed(request)
}

/** Whether `ofAttempt` asks for usage where nobody else has: then the request can be sent without that, too. */
export const addsUsage = (attempt: Sending): boolean => {
  const { request, target } = attempt
  if (!request.stream || request.dialect !== undefined || wantsNoOptions(attempt)) return false
  const given = request.body.stream_options ?? target.defaults.stream_options
  return !isJsonObject(given) || given.include_usage !== true
}

/**
 * Logs which parameters were left out, once for each parameter of a model, so that nobody has to guess why it does nothing;
 * undefined when there is no news.
 */
export const tellDropped = ({ model, target }: Sending, parameters: Parameters): Effect.Effect<void> | undefined => {
  const dropped = parameters.news()
  if (dropped.length === 0) return undefined
  return Effect.logInfo(`${target.id}: left out of requests for ${model} from now on: ${dropped.join(", ")}`)
}
