import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import type { Reason } from "@switchyard/core/LlmError"
import { classify, type ErrorAnswer, fromTransport, malformed } from "@switchyard/providers/ErrorClassifier"
import { TransportError, type TransportErrorKind } from "@switchyard/providers/Transport"
import { cases } from "@switchyard/testing/Effort"
import { FastCheck } from "effect"
import { transportErrorOf } from "../../src/transport/transportErrors.js"
import { type Case, errorBodies, openAi } from "../support/errorBodies.js"

const answer = (status: number, body: unknown, more: Partial<ErrorAnswer> = {}): ErrorAnswer => ({
  status,
  headers: {},
  body: typeof body === "string" ? body : JSON.stringify(body),
  provider: "openai",
  deployment: "d1",
  wallNowMs: 0,
  ...more
})

describe("ErrorClassifier", () => {
  for (const [reason, cases] of Object.entries(errorBodies) as ReadonlyArray<[Reason, ReadonlyArray<Case>]>) {
    describe(reason, () => {
      const named = cases.map(([who, status, body, more]) => ({ who, status, body, more: more ?? {} }))
      it.each(named)("$who ($status)", ({ body, more, status }) => {
        const error = classify(answer(status, body, more))
        assert.strictEqual(error.reason, reason, error.message)
        assert.strictEqual(error.deployment, "d1")
        assert.strictEqual(error.provider, more.provider ?? "openai")
      })
    })
  }

  it("says of a timeout that it was the deployment's, over the whole attempt", () => {
    const { bound, phase } = classify(answer(504, ""))
    assert.deepStrictEqual({ bound, phase }, { bound: "deployment", phase: "total" })
  })

  it("lets a 403 count and a 401 trip the breaker", () => {
    assert.strictEqual(classify(answer(403, "")).breaker, "counts")
    assert.strictEqual(classify(answer(401, "")).breaker, "trips")
  })

  it("keeps the status, the code and the message of the provider", () => {
    const { code, providerMessage, status } = classify(answer(429, openAi("slow down", "rate_limit_exceeded")))
    assert.deepStrictEqual(
      { code, providerMessage, status },
      { code: "rate_limit_exceeded", providerMessage: "slow down", status: 429 }
    )
  })

  it("takes the status from the body when the answer had a good one", () => {
    assert.strictEqual(classify(answer(200, { error: { code: 502, message: "upstream" } })).status, 502)
    assert.isUndefined(classify(answer(200, { error: { message: "upstream" } })).status)
  })

  it("joins a list of problems to one message", () => {
    const body = {
      detail: [
        { loc: ["body", "n"], msg: "too big" },
        { loc: ["body", "top_p"], msg: "too small" }
      ]
    }
    assert.strictEqual(classify(answer(422, body)).providerMessage, "body.n: too big; body.top_p: too small")
  })

  it("leaves out of where a problem is what is no place", () => {
    let deep: unknown = []
    for (let depth = 0; depth < 20_000; depth++) deep = [deep]
    const body = { detail: [{ loc: ["body", deep, { a: 1 }, null, "n"], msg: "too big" }] }
    // JSON.stringify does not bear such a depth.
    const text = JSON.stringify(body, (_, value) => (value === deep ? "DEEP" : value))
    const nested = text.replace('"DEEP"', "[".repeat(20_000) + "]".repeat(20_000))
    assert.strictEqual(classify(answer(422, nested)).providerMessage, "body.n: too big")
  })

  it("keeps of an HTML page the title, and of plain text the text", () => {
    assert.strictEqual(
      classify(answer(502, "<html><head><title>502 Bad Gateway</title></head><body>long</body></html>"))
        .providerMessage,
      "502 Bad Gateway"
    )
    assert.strictEqual(classify(answer(502, "upstream connect error\n")).providerMessage, "upstream connect error")
    assert.isUndefined(classify(answer(502, "<html><body>long</body></html>")).providerMessage)
  })

  it("keeps at most 2,000 characters of a message", () => {
    assert.strictEqual(classify(answer(400, openAi("x".repeat(100_000)))).providerMessage?.length, 2000)
    assert.strictEqual(classify(answer(502, "y".repeat(100_000))).providerMessage?.length, 2000)
  })

  describe("Retry-After", () => {
    const retryAfter = (headers: Record<string, string>, body: unknown = "", wallNowMs = 0) =>
      classify(answer(429, body, { headers, wallNowMs })).retryAfter

    it("is read in seconds, in milliseconds, and as a date relative to the wall clock", () => {
      assert.strictEqual(retryAfter({ "retry-after": "2" }), 2000)
      assert.strictEqual(retryAfter({ "retry-after-ms": "250", "retry-after": "1" }), 250)
      const now = Date.UTC(2026, 10, 21, 12, 0, 0)
      assert.strictEqual(retryAfter({ "retry-after": "Sat, 21 Nov 2026 12:00:07 GMT" }, "", now), 7000)
    })

    it("is unknown when nobody said it, or said nonsense", () => {
      assert.isUndefined(retryAfter({}))
      assert.isUndefined(retryAfter({ "retry-after": "soon" }))
    })

    it("is kept for a 503 too", () => {
      assert.strictEqual(classify(answer(503, "", { headers: { "retry-after": "9" } })).retryAfter, 9000)
    })

    it("is taken from Google's body, when no header says it", () => {
      const body = { error: { code: 429, status: "RESOURCE_EXHAUSTED", details: [{ retryDelay: "22.5s" }] } }
      assert.strictEqual(retryAfter({}, body), 22_500)
      assert.strictEqual(retryAfter({ "retry-after": "3" }, body), 3000)
    })
  })

  describe("secrets", () => {
    const secret = "my+odd/key=4711"

    const shown = (body: unknown, secrets: ReadonlyArray<string> = [secret]): string => {
      const error = classify(answer(401, body, { secrets }))
      return [error.message, String(error), JSON.stringify(error), inspect(error, { depth: 9 }), error.stack].join("\n")
    }

    it("never show in an error, wherever the provider echoes them", () => {
      for (const body of [
        openAi(`Incorrect API key provided: ${secret}.`),
        openAi("no", secret),
        { error: `bad ${secret} ${secret}` },
        { detail: [{ loc: ["header"], msg: `not ${secret}` }] },
        `plain ${secret} text`,
        `<title>${secret}</title>`,
        openAi(`${"x".repeat(1995)}${secret}`)
      ]) {
        const text = shown(body)
        assert.notInclude(text, secret)
        assert.notInclude(text, secret.slice(0, 8))
      }
    })

    it("are recognised by their looks when they are not known", () => {
      const text = shown(openAi("key sk-proj-abcdefghijklmnop1234 or Bearer eyJhbGciOi.abc.def failed"), [])
      assert.notInclude(text, "abcdefghijklmnop")
      assert.notInclude(text, "eyJhbGciOi")
      assert.include(text, "<secret>")
    })

    it("that are too short to be any do not spoil the message", () => {
      assert.include(shown(openAi("a b c a b c"), ["a", ""]), "a b c a b c")
    })
  })

  it("never throws, whatever an answer holds", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 100, max: 599 }),
        FastCheck.oneof(
          FastCheck.string(),
          FastCheck.json(),
          FastCheck.record({ error: FastCheck.anything() }).map((value) => {
            try {
              return JSON.stringify(value) ?? ""
            } catch {
              return ""
            }
          })
        ),
        (status, body) => {
          const error = classify(answer(status, body))
          assert.isAtMost(error.providerMessage?.length ?? 0, 2000)
        }
      ),
      { numRuns: cases(2000) }
    )
  })

  it("reads a long body in time that grows with its length, not faster", () => {
    for (const text of ["input token count ".repeat(50_000), "inputs ".repeat(100_000), "exceed ".repeat(100_000)]) {
      assert.isDefined(classify(answer(400, openAi(text))).reason)
      assert.isDefined(classify(answer(404, text)).reason)
    }
  })

  describe("failures of the network", () => {
    const expected: Readonly<Record<TransportErrorKind, Reason>> = {
      connect: "Unavailable",
      reset: "Unavailable",
      dns: "Unavailable",
      tls: "Unavailable",
      aborted: "Unavailable",
      connectTimeout: "Timeout",
      noConnection: "Rejected",
      protocol: "MalformedResponse"
    }
    it.each(Object.entries(expected) as ReadonlyArray<[TransportErrorKind, Reason]>)("%s is %s", (kind, reason) => {
      const error = fromTransport(new TransportError({ kind, code: "X" }), { provider: "p", deployment: "d" })
      assert.strictEqual(error.reason, reason)
      assert.strictEqual(error.code, "X")
    })

    it("descriptors that run out here are no fault of the provider's", () => {
      for (const code of ["EMFILE", "ENFILE", "ENOBUFS"]) {
        const failed = Object.assign(new Error(code), { code, syscall: "connect" })
        const error = fromTransport(transportErrorOf(failed, false), { provider: "p", deployment: "d" })
        assert.deepInclude(error, { reason: "Rejected", breaker: "neutral", code })
        assert.include(error.message, "this process may open no more connections")
      }
    })

    it("a connect timeout is of the connect phase, and silence", () => {
      const error = fromTransport(new TransportError({ kind: "connectTimeout" }), { provider: "p", deployment: "d" })
      assert.strictEqual(error.phase, "connect")
      assert.strictEqual(error.bound, "deployment")
      assert.isTrue(error.isSilence)
    })
  })

  it("an answer that makes no sense is a MalformedResponse", () => {
    assert.strictEqual(malformed("nonsense", { provider: "p", deployment: "d" }).reason, "MalformedResponse")
  })
})
