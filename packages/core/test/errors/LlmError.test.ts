import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "@switchyard/core/LlmError"
import { Effect, Exit, Schema } from "effect"

type Fields = Partial<LlmError.LlmErrorFields>
const error = (reason: LlmError.Reason, fields: Fields = {}) =>
  new LlmError.LlmError({ description: "d", ...fields, reason })
const causes: Readonly<Record<string, LlmError.Blocked["cause"]>> = {
  cooldown: "failure",
  outage: "failure",
  tags: "request",
  unhealthy: "operator"
}
/** What is not named above is a limit: a layer's own word too. */
const blocked = (...reasons: ReadonlyArray<string>): Fields => ({
  blocked: reasons.map((reason, i) => ({ deployment: `d${i}`, reason, cause: causes[reason] ?? "limit" }))
})

type Row = readonly [
  title: string,
  error: LlmError.LlmError,
  retry: LlmError.RetryRule,
  breaker: LlmError.BreakerRule,
  fallback: LlmError.FallbackKind,
  http: number,
  code: string
]

const rows: ReadonlyArray<Row> = [
  ["429", error("RateLimited", { status: 429 }), "same", "counts", "rateLimit", 429, "rate_limit_exceeded"],
  ["quota used up", error("QuotaExhausted", { status: 429 }), "other", "trips", "rateLimit", 429, "upstream_quota"],
  [
    "the deployment's timeout",
    error("Timeout", { bound: "deployment" }),
    "other",
    "counts",
    "general",
    504,
    "upstream_timeout"
  ],
  ["an upstream 504", error("Timeout", { status: 504 }), "same", "counts", "general", 504, "upstream_timeout"],
  [
    "an upstream 504 after long silence",
    error("Timeout", { status: 504, elapsed: 10_001 }),
    "other",
    "counts",
    "general",
    504,
    "upstream_timeout"
  ],
  ["an upstream 524", error("Unavailable", { status: 524 }), "other", "counts", "general", 502, "upstream_unavailable"],
  [
    "the caller's deadline",
    error("Timeout", { bound: "caller" }),
    "never",
    "neutral",
    "general",
    504,
    "upstream_timeout"
  ],
  [
    "the request's own bound on an attempt",
    error("Timeout", { bound: "request" }),
    "other",
    "neutral",
    "general",
    504,
    "upstream_timeout"
  ],
  ["refused connection", error("Unavailable"), "same", "counts", "general", 503, "upstream_unavailable"],
  ["an upstream 503", error("Unavailable", { status: 503 }), "same", "counts", "general", 503, "upstream_unavailable"],
  ["an upstream 500", error("Unavailable", { status: 500 }), "same", "counts", "general", 502, "upstream_unavailable"],
  ["an upstream 529", error("Unavailable", { status: 529 }), "same", "counts", "general", 502, "upstream_unavailable"],
  ["401", error("Authentication", { status: 401 }), "other", "trips", "general", 502, "upstream_authentication"],
  ["403", error("Authentication", { status: 403 }), "other", "counts", "general", 502, "upstream_authentication"],
  [
    "model not found, maybe",
    error("ModelNotFound", { status: 404 }),
    "other",
    "doubtful",
    "general",
    502,
    "upstream_model_not_found"
  ],
  [
    "the deployment's own model does not exist",
    error("ModelNotFound", { status: 404, blames: "deployment" }),
    "other",
    "trips",
    "general",
    502,
    "upstream_model_not_found"
  ],
  [
    "something that the request asked for is not there",
    error("Unavailable", { status: 404, blames: "request" }),
    "other",
    "neutral",
    "general",
    502,
    "upstream_unavailable"
  ],
  [
    "an upstream 424",
    error("Unavailable", { status: 424, elsewhere: true }),
    "other",
    "counts",
    "general",
    502,
    "upstream_unavailable"
  ],
  ["unparsable", error("MalformedResponse"), "same", "counts", "general", 502, "upstream_malformed_response"],
  ["400", error("InvalidRequest", { status: 400 }), "never", "neutral", "none", 400, "invalid_request"],
  ["too long", error("ContextWindowExceeded"), "never", "neutral", "contextWindow", 400, "context_length_exceeded"],
  [
    "refused by policy",
    error("ContentPolicyViolation"),
    "never",
    "neutral",
    "contentPolicy",
    400,
    "content_policy_violation"
  ],
  ["stream died", error("StreamInterrupted"), "never", "counts", "none", 502, "upstream_stream_interrupted"],
  [
    "stream cut by the caller's deadline",
    error("StreamInterrupted", { bound: "caller", interruptedBy: "Timeout" }),
    "never",
    "neutral",
    "none",
    502,
    "upstream_stream_interrupted"
  ],
  [
    "stream cut by the request's own bound",
    error("StreamInterrupted", { bound: "request", interruptedBy: "Timeout" }),
    "never",
    "neutral",
    "none",
    502,
    "upstream_stream_interrupted"
  ],
  ["a local limit", error("Rejected"), "other", "neutral", "rateLimit", 429, "rate_limit_exceeded"],
  ["nothing selectable, nobody said why", error("NoDeployment"), "never", "neutral", "general", 503, "no_deployment"],
  ["an empty list of blocks", error("NoDeployment", blocked()), "never", "neutral", "general", 503, "no_deployment"],
  [
    "all blocked by limits",
    error("NoDeployment", blocked("rpm", "tpm", "maxParallel", "spend", "retryAfter", "queue", "gpu")),
    "never",
    "neutral",
    "rateLimit",
    429,
    "no_deployment"
  ],
  [
    "one limit, one cooldown",
    error("NoDeployment", blocked("rpm", "cooldown")),
    "never",
    "neutral",
    "general",
    503,
    "no_deployment"
  ],
  [
    "one limit, one told to wait by an outage",
    error("NoDeployment", blocked("rpm", "outage")),
    "never",
    "neutral",
    "general",
    503,
    "no_deployment"
  ],
  [
    "one limit, one filtered out",
    error("NoDeployment", blocked("rpm", "tags")),
    "never",
    "neutral",
    "general",
    503,
    "no_deployment"
  ],
  ["no such model", error("UnknownModel"), "never", "neutral", "unknownModel", 404, "model_not_found"],
  ["budget used up", error("BudgetExceeded"), "never", "neutral", "none", 429, "insufficient_quota"]
]

describe("LlmError", () => {
  describe("is classified once", () => {
    for (const [title, found, retry, breaker, fallback, http, code] of rows) {
      it(`${found.reason} (${title}): retry ${retry}, breaker ${breaker}, fallback ${fallback}, HTTP ${http} ${code}`, () => {
        assert.deepStrictEqual(
          [found.retry, found.breaker, found.fallback, found.httpStatus, found.httpCode],
          [retry, breaker, fallback, http, code]
        )
      })
    }

    it("the table above covers every reason", () => {
      const covered = new Set(rows.map(([, found]) => found.reason))
      assert.deepStrictEqual([...covered].sort(), [...LlmError.Reason.literals].sort())
    })
  })

  it("a timeout of an attempt is silence, the caller's deadline is not", () => {
    assert.isTrue(error("Timeout", { bound: "request" }).isSilence)
    assert.isTrue(error("Timeout", { bound: "deployment", phase: "firstToken" }).isSilence)
    assert.isTrue(error("Timeout").isSilence)
    assert.isFalse(error("Timeout", { bound: "caller" }).isSilence)
    assert.isFalse(error("Unavailable").isSilence)
  })

  it("a quick 408 or 504 of a proxy is no silence; one after 10 s is, and a 524 always", () => {
    for (const status of [408, 504]) {
      assert.isFalse(error("Timeout", { status }).isSilence)
      assert.isFalse(error("Timeout", { status, elapsed: 10_000 }).isSilence)
      assert.isTrue(error("Timeout", { status, elapsed: 10_001 }).isSilence)
    }
    assert.isTrue(error("Unavailable", { status: 524, elapsed: 3 }).isSilence)
    assert.isFalse(error("Unavailable", { status: 520 }).isSilence)
  })

  it("only a 429's Retry-After is a limit, a 500's is nothing, any other an outage", () => {
    const kindOf = (reason: LlmError.Reason, status?: number, retryAfter = 5) =>
      error(reason, { retryAfter, ...(status === undefined ? {} : { status }) }).hold?.kind
    assert.strictEqual(kindOf("RateLimited", 429), "limit")
    assert.strictEqual(kindOf("RateLimited"), "limit", "an error event in a stream")
    assert.strictEqual(kindOf("QuotaExhausted", 429), "limit")
    for (const status of [502, 503, 504, 520, 529, 408, 425]) {
      assert.strictEqual(kindOf(status === 504 ? "Timeout" : "Unavailable", status), "outage", `${status}`)
    }
    assert.strictEqual(kindOf("QuotaExhausted", 402), "outage")
    for (const nothing of [kindOf("Unavailable", 500), kindOf("InvalidRequest", 400), kindOf("Unavailable", 503, 0)]) {
      assert.isUndefined(nothing)
    }
    assert.isUndefined(kindOf("Rejected"), "our own limits say so in their status")
  })

  it("`with` replaces fields and keeps the others", () => {
    const first = error("RateLimited", { status: 429, retryAfter: 2000, deployment: "a", provider: "p" })
    const changed = first.with({ description: "other", retryAfter: 5 })
    assert.deepStrictEqual(changed.data, { ...first.data, description: "other", retryAfter: 5 })
    assert.strictEqual(first.retryAfter, 2000, "the first one stays as it was")
    assert.instanceOf(changed, LlmError.LlmError)
    assert.isUndefined(first.with({ retryAfter: undefined }).retryAfter)
  })

  it("says where it happened and what the provider said", () => {
    assert.strictEqual(error("Unavailable", { description: "refused" }).message, "Unavailable: refused")
    assert.strictEqual(
      error("InvalidRequest", { description: "400", deployment: "eu", providerMessage: "no such field" }).message,
      "InvalidRequest [eu]: 400: no such field"
    )
  })

  it("survives JSON whole", () => {
    const first = error("NoDeployment", {
      ...blocked("rpm"),
      retryAfter: 10,
      attempts: [{ number: 1, deployment: "a", provider: "p", group: "g", outcome: "failed", startedAfter: 0 }]
    })
    const encoded: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(LlmError.LlmError)(first)))
    const decoded = Schema.decodeUnknownSync(LlmError.LlmError)(encoded)
    assert.deepStrictEqual(decoded.data, first.data)
    assert.strictEqual(decoded.fallback, "rateLimit")
  })

  it.effect("is caught by its tag", () =>
    Effect.gen(function* () {
      const caught = yield* Effect.catchTag(Effect.fail(error("Rejected")), "LlmError", (e) => Effect.succeed(e.reason))
      assert.strictEqual(caught, "Rejected")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(error("Rejected"))), "and can be yielded")
    })
  )
})
