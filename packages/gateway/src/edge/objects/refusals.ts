import type { Refusal } from "../../errors/ErrorBody.js"

/** Nobody serves the model. */
export const unknownModel = (model: string): Refusal => ({
  status: 404,
  code: "model_not_found",
  param: "model",
  message: `no model group, alias or deployment is called ${JSON.stringify(model.slice(0, 200))}`
})

/** There is no such path. */
export const unknownPath = (method: string, path: string): Refusal => ({
  status: 404,
  code: "unknown_url",
  message: `Unknown request URL: ${method} ${path.slice(0, 200)}`
})

/** The path takes other methods. */
export const wrongMethod = (method: string, path: string): Refusal => ({
  status: 405,
  code: "method_not_allowed",
  message: `${method} is not allowed for ${path.slice(0, 200)}`
})

/** A list of a provider's account would show what others have made. */
export const noList = (what: string): Refusal => ({
  status: 501,
  code: "list_not_available",
  message: `${what} of several keys lie in one account of the provider, and nothing there says whose is which: keep their ids`
})
