import { assert, describe, it } from "@effect/vitest"
import { LlmError, type LlmErrorFields } from "@switchyard/core/LlmError"
import { ofError } from "@switchyard/gateway/ErrorBody"

const shown = (fields: Omit<LlmErrorFields, "description">) => {
  const { code, message, param, provider_code, type } = ofError(new LlmError({ description: "d", ...fields })).error
  return { code, message, param, type, ...(provider_code === undefined ? {} : { provider_code }) }
}

const said = {
  providerMessage: "no",
  param: "messages[0].role",
  code: "unsupported_value",
  type: "bad_request"
} as const

describe("ErrorBody", () => {
  it("gives the provider's own param, code and type of a bad request to the caller", () => {
    assert.deepStrictEqual(shown({ reason: "InvalidRequest", ...said }), {
      code: "unsupported_value",
      message: "no",
      param: "messages[0].role",
      type: "bad_request"
    })
  })

  it.each([
    ["ContextWindowExceeded", "context_length_exceeded"],
    ["ContentPolicyViolation", "content_policy_violation"]
  ] as const)("keeps the common code of a %s, and gives the provider's own beside it", (reason, code) => {
    assert.deepStrictEqual(shown({ reason, ...said }), {
      code,
      message: "no",
      param: "messages[0].role",
      type: "bad_request",
      provider_code: "unsupported_value"
    })
    assert.isUndefined(shown({ reason, ...said, code }).provider_code, "the same word once is enough")
  })

  it("says our own where the provider says nothing, or only its type", () => {
    const ours = { code: "invalid_request", message: "no", param: null, type: "invalid_request_error" }
    assert.deepStrictEqual(shown({ reason: "InvalidRequest", providerMessage: "no" }), ours)
    const type = "invalid_request_error"
    assert.deepStrictEqual(shown({ reason: "InvalidRequest", providerMessage: "no", code: type, type }), ours)
  })

  it("keeps to itself what a provider says of its own failures", () => {
    for (const reason of [
      "Unavailable",
      "Authentication",
      "ModelNotFound",
      "RateLimited",
      "StreamInterrupted"
    ] as const) {
      const { code, param, type } = shown({ reason, ...said })
      assert.isNull(param)
      assert.notStrictEqual(code, "unsupported_value")
      assert.notStrictEqual(type, "bad_request")
    }
  })
})
