/** What errors tell clients that try again by themselves: `x-should-retry` and `Retry-After`. */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentId } from "@switchyard/core/Deployment"
import { Journal } from "@switchyard/core/Journal"
import { type Blocked, LlmError, type LlmErrorFields, type Reason } from "@switchyard/core/LlmError"
import { answerError, answerRefusal } from "@switchyard/gateway/ErrorBody"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { chat, deploymentOf, start } from "../support/gateways.js"

type Fields = Partial<LlmErrorFields>

const error = (reason: Reason, fields: Fields = {}) => new LlmError({ description: "d", ...fields, reason })

/** A journal in which each error is the end of an attempt on the deployment of that name. */
const journalOf = (...failed: ReadonlyArray<readonly [deployment: string, error?: LlmError]>): Journal => {
  const journal = new Journal("m", 0)
  for (const [id, cause] of failed) {
    journal.append({
      number: 1,
      deployment: id as DeploymentId,
      provider: "p",
      group: "m",
      startedAt: 0,
      endedAt: 1,
      outcome:
        cause === undefined
          ? undefined
          : { _tag: "Failed", error: cause, usage: undefined, timeToFirstToken: undefined, duration: 1 },
      rejected: false,
      cost: undefined,
      release: () => {}
    } as never)
  }
  return journal
}

const causes: Readonly<Record<string, Blocked["cause"]>> = { cooldown: "failure", outage: "failure", tags: "request" }
const blocked = (reason: string, retryAfter?: number): Fields => ({
  blocked: [
    { deployment: "a", reason, cause: causes[reason] ?? "limit", ...(retryAfter === undefined ? {} : { retryAfter }) }
  ],
  ...(retryAfter === undefined ? {} : { retryAfter })
})

describe("x-should-retry", () => {
  const nothingAsked = journalOf()
  const out = error("Unavailable", { status: 503 })
  const limited = error("RateLimited", { status: 429, retryAfter: 20_000 })
  const cases: ReadonlyArray<
    readonly [title: string, error: LlmError, journal: Journal, expected: "false" | undefined]
  > = [
    ["a bad request", error("InvalidRequest", { status: 400 }), nothingAsked, "false"],
    ["a prompt that is too long", error("ContextWindowExceeded"), nothingAsked, "false"],
    ["a refusal by policy", error("ContentPolicyViolation"), nothingAsked, "false"],
    ["an unknown model", error("UnknownModel"), nothingAsked, "false"],
    ["a budget, though it opens again", error("BudgetExceeded", { retryAfter: 5_000 }), nothingAsked, "false"],
    ["a used up quota", error("QuotaExhausted", { status: 429 }), journalOf(["a", error("QuotaExhausted")]), "false"],
    ["a refused key", error("Authentication", { status: 401 }), journalOf(["a", error("Authentication")]), "false"],
    ["a model that is gone", error("ModelNotFound"), journalOf(["a", error("ModelNotFound")]), "false"],
    ["attempts used up on an outage", out, journalOf(["a", out], ["a", out], ["a", out]), "false"],
    ["a timeout", error("Timeout"), journalOf(["a", error("Timeout")]), "false"],
    ["answers that nobody can read", error("MalformedResponse"), journalOf(["a", out]), "false"],
    ["nothing that opens within a minute", error("NoDeployment", blocked("cooldown", 290_000)), nothingAsked, "false"],
    ["a day's spending limit", error("NoDeployment", blocked("spend", 3_600_000)), nothingAsked, "false"],
    ["nobody has what the request asks for", error("NoDeployment", blocked("tags")), nothingAsked, "false"],
    ["a Retry-After that was not waited out", limited, journalOf(["a", limited]), undefined],
    [
      "a Retry-After of an outage",
      out.with({ retryAfter: 30_000 }),
      journalOf(["a", out], ["a", out.with({ retryAfter: 30_000 })]),
      undefined
    ],
    [
      "another deployment's Retry-After, though this one is just out",
      out,
      journalOf(["a", limited], ["b", out], ["b", out]),
      undefined
    ],
    ["a Retry-After that was waited out", out, journalOf(["a", limited], ["a", out], ["a", out]), "false"],
    [
      "a quota that comes with a Retry-After",
      error("QuotaExhausted", { status: 429, retryAfter: 9_000 }),
      journalOf(["a", error("QuotaExhausted", { status: 429, retryAfter: 9_000 })]),
      undefined
    ],
    ["a rate limit without a word", error("RateLimited"), journalOf(["a", error("RateLimited")]), undefined],
    ["our own limits", error("NoDeployment", blocked("rpm", 59_000)), nothingAsked, undefined],
    ["our own limits, until a call ends", error("NoDeployment", blocked("maxParallel")), nothingAsked, undefined],
    ["a caller's own limit", error("Rejected", { retryAfter: 30_000 }), nothingAsked, undefined],
    ["a queue that is full", error("Rejected"), nothingAsked, undefined],
    ["everything cooling", error("NoDeployment", blocked("cooldown", 20_000)), nothingAsked, undefined],
    ["a provider's own minute, and chance", error("NoDeployment", blocked("outage", 65_000)), nothingAsked, undefined],
    ["no time left before anybody was asked", error("Timeout", { bound: "caller" }), nothingAsked, undefined]
  ]
  for (const [title, failed, journal, expected] of cases) {
    it(`${title}: ${expected ?? "left out"}`, () => {
      assert.strictEqual(answerError(failed, {}, journal).headers["x-should-retry"], expected)
    })
  }
  it("refusals at the door: the caller's mistakes are final, overload and draining are not", () => {
    const of = (status: number) => answerRefusal({ status, code: "c", message: "m" }).headers["x-should-retry"]
    assert.deepStrictEqual([400, 401, 403, 404, 405, 413, 415].map(of), Array(7).fill("false"))
    assert.deepStrictEqual([500, 503, 429].map(of), [undefined, undefined, undefined])
  })
})

describe("Retry-After", () => {
  const told = (retryAfter: number, random = 0) => {
    const { headers } = answerError(error("NoDeployment", blocked("rpm", retryAfter)), {}, journalOf(), () => random)
    return [headers["retry-after"], headers["retry-after-ms"]]
  }
  it("is rounded up, and up to a tenth longer, so that callers don't come back together", () => {
    assert.deepStrictEqual(told(1), ["1", "1"])
    assert.deepStrictEqual(told(7_000), ["7", "7000"])
    assert.deepStrictEqual(told(7_000.4), ["8", "7001"])
    assert.deepStrictEqual(told(7_000, 0.999), ["8", "7700"])
    assert.deepStrictEqual(told(20_000, 0.5), ["21", "21000"])
  })
  it("is left out where it would be nonsense", () => {
    for (const nonsense of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, 1e43]) {
      assert.deepStrictEqual(told(nonsense), [undefined, undefined], `${nonsense}`)
    }
  })
  it("a provider's own word that no layer looked at is at most a minute, and nothing on a 500", () => {
    const of = (status: number, retryAfter: number) => {
      const failed = error(status === 429 ? "RateLimited" : "Unavailable", { status, retryAfter })
      const [known, bare] = [journalOf(["a", failed]), undefined].map(
        (journal) => answerError(failed, {}, journal).headers["retry-after"]
      )
      assert.strictEqual(bare, known)
      return known
    }
    assert.deepStrictEqual(
      [of(429, 5_000), of(429, 1e43), of(503, 864_000_000), of(500, 5_000)],
      ["5", "60", "60", undefined]
    )
  })
})

describe("through a gateway", () => {
  const absurd = ["1e40", "99999999999999999999", "9".repeat(40), "864000", "Fri, 31 Dec 9999 23:59:59 GMT"]

  it.scopedLive("absurd words of a provider never leave it: at most the minute that it obeys itself, and a fifth", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], {
        deployments: absurd.map((_, i) => ({ ...deploymentOf(upstream), id: `d${i}`, group: `g${i}` }))
      })
      for (const [i, word] of absurd.entries()) {
        yield* upstream.behave({ status: 429, headers: { "retry-after": word } })
        // The first caller, and one who comes later.
        for (const nth of [1, 2]) {
          const { headers, status } = yield* chat(gateway, { model: `g${i}` })
          assert.strictEqual(status, 429, word)
          if (word === "1e40") continue
          const seconds = headers["retry-after"] ?? ""
          assert.match(seconds, /^\d\d$/, `${word}, ${nth}`)
          assert.isTrue(Number(seconds) >= 59 && Number(seconds) <= 73, `${word}: ${seconds}`)
          assert.match(headers["retry-after-ms"] ?? "", /^\d{5}$/)
          assert.isUndefined(headers["x-should-retry"])
        }
      }
    })
  )
  it.scopedLive("own limits are told without any word against trying again", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { deployments: [deploymentOf(upstream, { rpm: 1 })] })
      yield* chat(gateway)
      const { headers, status } = yield* chat(gateway)
      assert.strictEqual(status, 429)
      assert.isUndefined(headers["x-should-retry"])
      assert.isTrue(Number(headers["retry-after"]) >= 59 && Number(headers["retry-after"]) <= 67)
    })
  )
})
