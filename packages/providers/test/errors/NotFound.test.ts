import { assert, describe, it } from "@effect/vitest"
import type { BreakerRule, Reason, RetryRule } from "@switchyard/core/LlmError"
import { classify, type ErrorAnswer } from "@switchyard/providers/ErrorClassifier"
import { openAi } from "../support/errorBodies.js"

type Row = readonly [
  what: string,
  status: number,
  body: unknown,
  expected: readonly [Reason, RetryRule, BreakerRule],
  asked?: Readonly<Record<string, unknown>>
]

const gone = ["ModelNotFound", "other", "trips"] as const
const maybeGone = ["ModelNotFound", "other", "doubtful"] as const
const tooMuchAsked = ["Unavailable", "other", "neutral"] as const
const elsewhere = ["Unavailable", "other", "counts"] as const
const outage = ["Unavailable", "same", "counts"] as const
const callersMistake = ["InvalidRequest", "never", "neutral"] as const

const said = (message: string, code: unknown = 404) => ({ error: { message, code } })
const tools = { tools: [{ type: "function", function: { name: "get_weather" } }] }
const image = {
  messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://x.test/a.png" } }] }]
}

const rows: ReadonlyArray<Row> = [
  ["a wrong path", 404, { detail: "Not Found" }, maybeGone],
  ["a provider behind a provider", 404, said("Provider returned error"), maybeGone],
  ["a resource", 404, said("Resource not found", "404"), maybeGone],
  ["a gateway without the route", 404, { message: "no Route matched with those values" }, maybeGone],
  ["a page", 404, "<html><head><title>404 Not Found</title></head></html>", maybeGone],
  ["a method", 405, { detail: "Method Not Allowed" }, maybeGone],
  ["a function that was removed", 410, { status: 410, title: "Gone", detail: "The function was removed." }, maybeGone],
  ["a model at its end", 410, { title: "Gone", detail: "The model 'acme/one' has reached its end of life." }, gone],
  ["the wrong endpoint for a model", 404, openAi("This is not a chat model and thus not supported here."), maybeGone],
  ["a model, by code", 404, openAi("nope", "model_not_found"), gone],
  ["a model, by code, on 405", 405, openAi("nope", "model_not_found"), gone],
  ["a deployment, by code", 404, said("nope", "DeploymentNotFound"), gone],
  ["a model, by text", 404, { object: "error", message: "The model `x` does not exist.", code: 404 }, gone],
  [
    "a model with dots in its name",
    404,
    said("Model acme/llama-3.1.8b not found, inaccessible, and/or not deployed"),
    gone
  ],
  ["a model, named and no more", 404, { error: { type: "not_found_error", message: "model: claude-9" } }, gone],
  ["a model without any endpoint", 404, said("No endpoints found for acme/none."), gone],
  ["a model, in plain text", 404, 'model "llama9" not found', gone],
  ["a bad model's name, on 400", 400, { error: "Invalid model name passed in model=acme. Call `/v1/models`." }, gone],
  ["a model that does not exist, on 400", 400, openAi("The requested model 'acme-2' does not exist."), gone],
  ["tool use", 404, said("No endpoints found that support tool use."), tooMuchAsked],
  ["tool choice", 404, said("No endpoints found that support the provided 'tool_choice' value."), tooMuchAsked],
  ["images", 404, said("No endpoints found that support image input"), tooMuchAsked],
  ["a data policy", 404, said("No endpoints found matching your data policy (Free model publication)."), tooMuchAsked],
  ["providers", 404, said("No allowed providers are available for the selected model."), tooMuchAsked],
  ["parameters", 404, said("No endpoints found that can handle the requested parameters."), tooMuchAsked],
  ["tool calls that are off", 404, said("Function calling is not enabled for this deployment"), tooMuchAsked],
  ["tools, in a word, when some were sent", 404, said("No route for tools here"), tooMuchAsked, tools],
  ["tools, in a word, when none were sent", 404, said("No route for tools here"), maybeGone, {}],
  ["an image, in a word, when one was sent", 404, said("no vision backend"), tooMuchAsked, image],
  ["a field of the request", 404, said("Unknown route: logit_bias"), tooMuchAsked, { logit_bias: { "1": 1 } }],
  ["a model whose name sounds like a feature", 404, said("The model `up-model` does not exist"), gone, tools],
  ["a response, by code", 404, openAi("gone", "previous_response_not_found"), callersMistake],
  ["a response, by id", 404, openAi("Previous response with id 'resp_1' not found."), callersMistake],
  ["an item, by id", 404, openAi("Item with id 'rs_68c42de0' not found."), callersMistake],
  ["a message, by id", 404, openAi("Item 'msg_01ab' not found"), callersMistake],
  ["a file", 404, openAi("No such File object: file-1"), callersMistake],
  ["an audio, by id", 404, openAi("audio_6784 has expired"), callersMistake],
  ["a param that holds an id", 404, { error: { message: "not found", param: "input[0].id" } }, callersMistake],
  ["a param that holds a model", 404, { error: { message: "not found", param: "model_id" } }, maybeGone],
  [
    "an id of any looks that the request carries",
    404,
    said("Voice v7-alpha-9 unknown"),
    callersMistake,
    { voice: "v7-alpha-9" }
  ],
  ["an id of the provider's own", 404, said("not found (request req-0001-99)"), maybeGone, { voice: "v7" }],
  ["a picture that the request links to", 404, said("cannot load https://x.test/a.png"), callersMistake, image],
  ["an endpoint that starts", 424, { error: "Service unavailable: endpoint is initializing" }, elsewhere],
  ["a caller that left, who was the provider", 499, { error: { message: "client disconnected" } }, elsewhere],
  ["a proxy that wants a password", 407, "", elsewhere],
  [
    "a proxy's bound on bodies",
    413,
    "<html><head><title>413 Request Entity Too Large</title></head></html>",
    elsewhere
  ],
  ["a proxy's bound on bodies, in plain text", 413, "Payload Too Large", elsewhere],
  ["a provider's bound on bodies", 413, { error: { type: "request_too_large", message: "too big" } }, callersMistake],
  ["a bad request of type server_error", 400, openAi("try again", null, "server_error"), outage],
  ["a bad request of type api_error", 400, { error: { type: "api_error", message: "oops" } }, outage],
  [
    "a bad request of code InternalServerError",
    400,
    { error: { code: "InternalServerError", message: "oops" } },
    outage
  ],
  ["a 422 of type overloaded_error", 422, { error: { type: "overloaded_error", message: "later" } }, outage],
  [
    "a bad request of type timeout",
    400,
    { error: { type: "timeout", message: "slow" } },
    ["Timeout", "same", "counts"]
  ],
  [
    "a bad request of type rate_limit_error",
    400,
    { error: { type: "rate_limit_error", message: "slow down" } },
    ["RateLimited", "same", "counts"]
  ],
  [
    "a bad request of type server_error that says too long",
    400,
    { error: { type: "server_error", message: "the request exceeds the available context size" } },
    ["ContextWindowExceeded", "never", "neutral"]
  ],
  [
    "an https port asked in plain",
    400,
    "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
    outage
  ],
  ["a model that cannot do tools, on 400", 400, openAi("acme does not support tools"), callersMistake, tools],
  ["errors in a list", 404, { success: false, errors: [{ code: 7003, message: "No such model @cf/acme" }] }, gone]
]

describe("An answer that something is not there, or went wrong", () => {
  it.each(rows.map(([what, status, body, expected, asked]) => ({ what, status, body, expected, asked })))(
    "$what ($status): $expected",
    ({ asked, body, expected, status }) => {
      const answer: ErrorAnswer = {
        status,
        headers: {},
        body: typeof body === "string" ? body : JSON.stringify(body),
        provider: "openai",
        deployment: "d1",
        wallNowMs: 0,
        ...(asked === undefined ? {} : { asked: { model: "up-model", body: { model: "m", ...asked } } })
      }
      const error = classify(answer)
      assert.deepStrictEqual([error.reason, error.retry, error.breaker], [...expected], error.message)
    }
  )

  it("keeps the provider's own param, code and type, without secrets", () => {
    const body = { error: { message: "no", type: "bad_thing", param: "messages[0].key-4711x", code: "no_key-4711x" } }
    const { code, param, type } = classify({
      status: 400,
      headers: {},
      body: JSON.stringify(body),
      provider: "openai",
      deployment: "d1",
      secrets: ["key-4711x"],
      wallNowMs: 0
    })
    assert.deepStrictEqual(
      { code, param, type },
      { code: "no_<secret>", param: "messages[0].<secret>", type: "bad_thing" }
    )
  })
})
