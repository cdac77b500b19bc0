import { assert, describe, it } from "@effect/vitest"
import { parse } from "@switchyard/core/RateLimitHeaders"
import { cases } from "@switchyard/testing/Effort"
import { FastCheck } from "effect"

const now = Date.UTC(2026, 10, 21, 12, 0, 0)

describe("RateLimitHeaders", () => {
  it("says nothing when the headers say nothing", () => {
    assert.deepStrictEqual(parse({ "content-type": "application/json" }, now), { ignored: 0 })
  })

  describe("retry-after", () => {
    const cases: ReadonlyArray<readonly [string, string, number]> = [
      ["whole seconds", "2", 2000],
      ["decimal seconds", "0.25", 250],
      ["zero", "0", 0],
      ["blanks around", " 7 ", 7000],
      ["an HTTP date in the future", "Sat, 21 Nov 2026 12:00:30 GMT", 30_000],
      ["an HTTP date in the past", "Sat, 21 Nov 2026 11:59:00 GMT", 0],
      ["an RFC 850 date", "Saturday, 21-Nov-26 12:00:05 GMT", 5000],
      ["an asctime date, which is GMT without saying so", "Sat Nov 21 12:00:09 2026", 9000],
      ["an ISO date", "2026-11-21T12:01:00Z", 60_000]
    ]
    for (const [name, value, expected] of cases) {
      it(`reads ${name}`, () => {
        assert.deepStrictEqual(parse({ "retry-after": value }, now), { ignored: 0, retryAfter: expected })
      })
    }

    it("reads retry-after-ms, with a fraction too, and believes it before retry-after", () => {
      assert.strictEqual(parse({ "retry-after-ms": "1500" }, now).retryAfter, 1500)
      assert.strictEqual(parse({ "retry-after-ms": "12.5", "retry-after": "60" }, now).retryAfter, 12.5)
    })

    it("falls back to retry-after when retry-after-ms is nonsense, and counts it", () => {
      assert.deepStrictEqual(parse({ "retry-after-ms": "soon", "retry-after": "3" }, now), {
        ignored: 1,
        retryAfter: 3000
      })
    })

    for (const value of [
      "",
      "soon",
      "-1",
      "NaN",
      "Infinity",
      "0x10",
      "1e3",
      "5, 5",
      "Sat, 99 Nov 2026 12:00:00 GMT",
      "9".repeat(400)
    ]) {
      it(`ignores ${JSON.stringify(value.slice(0, 40))} and counts it`, () => {
        assert.deepStrictEqual(parse({ "retry-after": value }, now), { ignored: 1 })
      })
    }
  })

  describe("x-ratelimit", () => {
    it("reads limits, what remains and the resets of requests and tokens", () => {
      assert.deepStrictEqual(
        parse(
          {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s"
          },
          now
        ),
        {
          ignored: 0,
          requests: { limit: 60, remaining: 59, resetAfter: 1000 },
          tokens: { limit: 150_000, remaining: 149_984, resetAfter: 360_000 }
        }
      )
    })

    const resets: ReadonlyArray<readonly [string, number]> = [
      ["12ms", 12],
      ["2m59.56s", 179_560],
      ["1h2m3s", 3_723_000],
      ["1d", 86_400_000],
      ["250µs", 0.25],
      ["17.5", 17_500],
      [String((now + 4000) / 1000), 4000],
      [String(now + 4000), 4000],
      [String(now - 4000), 0],
      ["2026-11-21T12:00:08Z", 8000],
      ["2026-11-21T13:00:08+01:00", 8000]
    ]
    for (const [value, expected] of resets) {
      it(`reads the reset ${value}`, () => {
        const window = parse({ "x-ratelimit-reset-tokens": value }, now).tokens
        assert.approximately(window?.resetAfter ?? -1, expected, 1e-6)
      })
    }

    for (const value of ["", "s", "6m0", "1.s", ".5s", "1.2.3s", "5x", "1s ago", "1 s", "-1s", "1mss"]) {
      it(`takes ${JSON.stringify(value)} for no duration`, () => {
        assert.deepStrictEqual(parse({ "x-ratelimit-reset-tokens": value }, now), { ignored: 1 })
      })
    }

    it("takes the unsuffixed family for requests, when there is no better one", () => {
      assert.deepStrictEqual(parse({ "x-ratelimit-remaining": "3", "x-ratelimit-reset": String(now + 1000) }, now), {
        ignored: 0,
        requests: { remaining: 3, resetAfter: 1000 }
      })
      assert.strictEqual(
        parse({ "x-ratelimit-remaining": "3", "x-ratelimit-remaining-requests": "8" }, now).requests?.remaining,
        8
      )
    })

    it("keeps what makes sense beside nonsense", () => {
      assert.deepStrictEqual(
        parse(
          {
            "x-ratelimit-limit-requests": "lots",
            "x-ratelimit-remaining-requests": "-1",
            "x-ratelimit-reset-requests": "2s",
            "x-ratelimit-remaining-tokens": "many"
          },
          now
        ),
        { ignored: 3, requests: { resetAfter: 2000 } }
      )
    })
  })

  it("reads Anthropic's headers with their ISO resets", () => {
    assert.deepStrictEqual(
      parse(
        {
          "anthropic-ratelimit-requests-limit": "50",
          "anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:12Z",
          "anthropic-ratelimit-tokens-limit": "40000",
          "anthropic-ratelimit-tokens-remaining": "39000",
          "anthropic-ratelimit-tokens-reset": "2026-11-21T12:00:00Z",
          "anthropic-ratelimit-input-tokens-remaining": "1"
        },
        now
      ),
      {
        ignored: 0,
        requests: { limit: 50, remaining: 0, resetAfter: 12_000 },
        tokens: { limit: 40_000, remaining: 39_000, resetAfter: 0 }
      }
    )
  })

  it("never throws and never yields a negative or infinite number, whatever the headers hold", () => {
    const names = [
      "retry-after",
      "retry-after-ms",
      "x-ratelimit-limit-requests",
      "x-ratelimit-remaining-tokens",
      "x-ratelimit-reset-tokens",
      "anthropic-ratelimit-requests-reset"
    ]
    const value = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.double().map(String),
      FastCheck.stringMatching(/^\d{1,4}(\.\d)?(ms|s|m|h)?\d?$/),
      FastCheck.date().map((date) => (Number.isNaN(date.getTime()) ? "never" : date.toUTCString()))
    )
    const headers = FastCheck.dictionary(FastCheck.constantFrom(...names), value)
    FastCheck.assert(
      FastCheck.property(headers, (input) => {
        const { ignored, requests, retryAfter, tokens } = parse(input, now)
        const numbers = [retryAfter, ...Object.values(requests ?? {}), ...Object.values(tokens ?? {})]
        for (const number of numbers) {
          if (number !== undefined) assert.isTrue(Number.isFinite(number) && number >= 0, String(number))
        }
        assert.isAtMost(ignored, Object.keys(input).length)
      }),
      { numRuns: cases(2000) }
    )
  })
})
