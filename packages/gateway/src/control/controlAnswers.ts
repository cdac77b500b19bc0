import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { answerRefusal, type Refusal, type Speech } from "../errors/ErrorBody.js"

/** JSON that no cache keeps: all of it is about this moment. */
export const json = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status, headers: { "cache-control": "no-store" } })

/** An error in the caller's words. */
export const refuse = (
  refusal: Refusal,
  more: Readonly<Record<string, string>> = {},
  speech: Speech = "chat"
): HttpServerResponse.HttpServerResponse => {
  const { body, headers, status } = answerRefusal(refusal, more, undefined, speech)
  return HttpServerResponse.text(body, {
    status,
    headers: { ...headers, "cache-control": "no-store" },
    contentType: "application/json"
  })
}

const shorten = (path: string): string => (path.length > 200 ? `${path.slice(0, 199)}…` : path)

/** There is nothing at this path. */
export const unknownPath = (method: string, path: string): Refusal => ({
  status: 404,
  code: "unknown_url",
  message: `Unknown request URL: ${method} ${shorten(path)}`
})

/** There is something at this path, but not with this method. */
export const wrongMethod = (method: string, path: string, allowed: string): Refusal => ({
  status: 405,
  code: "method_not_allowed",
  message: `Not allowed: ${method} ${shorten(path)}; allowed: ${allowed}`
})

/** No model of that name for this caller: it does not learn whether there is one. */
export const unknownModel = (id: string): Refusal => ({
  status: 404,
  code: "model_not_found",
  message: `The model '${shorten(id)}' does not exist or you do not have access to it.`,
  param: "model"
})

/** There is no deployment of that id. */
export const unknownDeployment = (id: string): Refusal => ({
  status: 404,
  code: "deployment_not_found",
  message: `No deployment has the id '${id.slice(0, 200)}'.`
})

/** A key that may do other things. */
export const notMaster = (hasMaster: boolean): Refusal => ({
  status: 403,
  code: "master_key_required",
  message: hasMaster
    ? "This needs the master key."
    : "This needs the master key, and the configuration has none: set `masterKey`."
})
