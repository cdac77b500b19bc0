import { messages } from "@switchyard/dialects/Messages"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import type { Requests } from "../../../src/config/GatewayConfig.js"
import * as Controls from "../../../src/edge/calls/Controls.js"
import type { Caller } from "../../../src/keys/KeyRing.js"

const chat = { model: "smart", messages: [{ role: "user", content: "hi" }] }
const anybody: Caller = { name: undefined, isMaster: false, mayUse: () => true, tags: [] }
const master: Caller = { ...anybody, isMaster: true }

interface Options {
  readonly headers?: Record<string, string>
  readonly caller?: Caller
  readonly rules?: Requests
}

const read = (body: object, { caller = anybody, headers = {}, rules = {} }: Options = {}) =>
  Controls.read({ operation: "chat" }, { ...chat, ...body }, headers, caller, rules)

const request = (body: object, options?: Options) =>
  Either.getOrThrowWith(read(body, options), (error) => error).request

/** What is said to a request that is not taken, and under which code. */
const error = (body: object, options?: Options): { readonly code: string | undefined; readonly said: string } =>
  Either.match(read(body, options), {
    onLeft: (left) => ({ code: left.code, said: "_tag" in left ? left.description : left.message }),
    onRight: () => expect.unreachable("the request was taken")
  })

/** What a caller says, in the body or in a header, and what the tower is told. */
const rows: ReadonlyArray<{
  readonly says: string
  readonly body?: object
  readonly headers?: Record<string, string>
  readonly caller?: Caller
  readonly overrides?: object
  readonly request?: object
  /** What goes on beside the request itself. */
  readonly sent?: object
}> = [
  { says: "timeout", body: { timeout: 2.5 }, overrides: { timeout: 2500, lowerOnly: true } },
  { says: "timeout, header", headers: { "x-litellm-timeout": "2" }, overrides: { timeout: 2000, lowerOnly: true } },
  {
    says: "stream_timeout, for the first token and between chunks, never for the whole",
    body: { stream_timeout: 3 },
    overrides: { firstTokenTimeout: 3000, idleTimeout: 3000, lowerOnly: true }
  },
  {
    says: "timeout of a stream, which bounds its silences",
    body: { stream: true, timeout: 2, stream_timeout: 1 },
    sent: { stream: true },
    overrides: { firstTokenTimeout: 1000, idleTimeout: 1000, silenceTimeout: 2000, lowerOnly: true }
  },
  {
    says: "timeout of a stream alone",
    body: { stream: true, timeout: 2 },
    sent: { stream: true },
    overrides: { silenceTimeout: 2000, lowerOnly: true }
  },
  {
    says: "stream_timeout, header",
    headers: { "x-litellm-stream-timeout": "3" },
    overrides: { firstTokenTimeout: 3000, idleTimeout: 3000, lowerOnly: true }
  },
  { says: "num_retries", body: { num_retries: 0 }, overrides: { maxRetries: 0, lowerOnly: true } },
  {
    says: "num_retries, header",
    headers: { "x-litellm-num-retries": "1" },
    overrides: { maxRetries: 1, lowerOnly: true }
  },
  { says: "max_fallbacks", body: { max_fallbacks: 1 }, overrides: { maxFallbacks: 1, lowerOnly: true } },
  { says: "fallbacks", body: { fallbacks: ["spare"] }, overrides: { fallbacks: ["spare"], lowerOnly: true } },
  { says: "no fallbacks at all", body: { fallbacks: [] }, overrides: { fallbacks: [], lowerOnly: true } },
  {
    says: "fallbacks, header",
    headers: { "x-switchyard-fallbacks": "spare, last" },
    overrides: { fallbacks: ["spare", "last"], lowerOnly: true }
  },
  {
    says: "fallbacks with fields of their own",
    body: { fallbacks: [{ model: "spare", max_tokens: 5 }] },
    overrides: { fallbacks: [{ model: "spare", overrides: { max_tokens: 5 } }], lowerOnly: true }
  },
  {
    says: "fallbacks by group, of which only this model's count",
    body: { fallbacks: [{ other: ["x"] }, { smart: ["spare"] }] },
    overrides: { fallbacks: ["spare"], lowerOnly: true }
  },
  {
    says: "context_window_fallbacks",
    body: { context_window_fallbacks: [{ smart: ["long"] }] },
    overrides: { contextWindowFallbacks: ["long"], lowerOnly: true }
  },
  {
    says: "content_policy_fallbacks",
    body: { content_policy_fallbacks: [{ "*": ["frank"] }] },
    overrides: { contentPolicyFallbacks: ["frank"], lowerOnly: true }
  },
  {
    says: "disable_fallbacks",
    body: { disable_fallbacks: true },
    overrides: { disableFallbacks: true, lowerOnly: true }
  },
  { says: "priority", body: { priority: -1 }, overrides: { priority: -1, lowerOnly: true } },
  {
    says: "cache",
    body: { cache: { "no-cache": true, ttl: 60 } },
    overrides: { cache: { noCache: true, ttl: 60_000 }, lowerOnly: true }
  },
  {
    says: "cache, header",
    headers: { "x-switchyard-cache": "no-store, ttl=5" },
    overrides: { cache: { noStore: true, ttl: 5000 }, lowerOnly: true }
  },
  { says: "allowed_model_region", body: { allowed_model_region: "eu" }, request: { demands: { region: "eu" } } },
  { says: "tags in metadata", body: { metadata: { tags: ["free"] } }, request: { tags: ["free"] } },
  { says: "tags, header", headers: { "x-litellm-tags": "a, b" }, request: { tags: ["a", "b"] } },
  { says: "a session", body: { metadata: { session_id: "s" } }, request: { sessionKey: "s" } },
  { says: "a session, header", headers: { "x-switchyard-session": "s" }, request: { sessionKey: "s" } },
  {
    says: "specific_deployment",
    body: { specific_deployment: "eu-1" },
    caller: master,
    request: { demands: { deployment: "eu-1" } }
  },
  { says: "cooldown_time", body: { cooldown_time: 0 }, caller: master, overrides: { cooldown: 0 } },
  {
    says: "mock_response",
    body: { mock_response: "Hello" },
    caller: master,
    overrides: { fault: { answer: "Hello" }, cache: { noCache: true, noStore: true }, cooldown: 0 }
  },
  {
    says: "mock_timeout",
    body: { mock_timeout: true },
    caller: master,
    overrides: { fault: { fail: "Timeout" }, cache: { noCache: true, noStore: true }, cooldown: 0 }
  },
  ...(
    [
      ["mock_testing_fallbacks", "Unavailable"],
      ["mock_testing_context_fallbacks", "ContextWindowExceeded"],
      ["mock_testing_content_policy_fallbacks", "ContentPolicyViolation"],
      ["mock_testing_rate_limit_error", "RateLimited"]
    ] as const
  ).map(([says, fail]) => ({
    says,
    body: { [says]: true },
    caller: master,
    overrides: { fault: { fail }, cache: { noCache: true, noStore: true }, cooldown: 0 }
  })),
  {
    says: "drop_params",
    body: { drop_params: true },
    overrides: { dropParams: true, lowerOnly: true }
  },
  {
    says: "additional_drop_params",
    body: { additional_drop_params: ["user"] },
    overrides: { additionalDropParams: ["user"], lowerOnly: true }
  },
  {
    says: "include_fallback_errors, which final errors do anyway",
    body: { include_fallback_errors: true },
    overrides: {}
  }
]

describe("Controls", () => {
  for (const row of rows) {
    it(`honours ${row.says}, and keeps it from the provider`, () => {
      const made = request(row.body ?? {}, {
        ...(row.headers === undefined ? {} : { headers: row.headers }),
        ...(row.caller === undefined ? {} : { caller: row.caller })
      })
      if (row.overrides !== undefined) expect(made.overrides).toEqual(row.overrides)
      if (row.request !== undefined) expect(made).toMatchObject(row.request)
      expect(made.body).toEqual({ ...chat, ...row.sent })
    })
  }

  it("every control has its row above, so that none is read and forgotten", () => {
    const said = JSON.stringify(rows)
    for (const { field } of Controls.controls) {
      if (["tags", "session_id", "litellm_metadata"].includes(field)) continue
      expect(said, field).toContain(field)
    }
  })

  it("a request without controls goes on as it came, the same object", () => {
    const body = { ...chat, temperature: 0, metadata: { project: "x" }, top_k: 3 }
    const { request: made, streamUsage } = Either.getOrThrow(
      Controls.read({ operation: "chat" }, body, {}, anybody, {})
    )
    expect(made.body).toBe(body)
    expect(made.overrides).toEqual({})
    expect(streamUsage).toBe(false)
  })

  it("what metadata holds beside controls is the provider's", () => {
    expect(request({ metadata: { tags: ["a"], project: "x" } }).body).toMatchObject({ metadata: { project: "x" } })
  })

  it("tags of the key come before the request's own", () => {
    expect(request({ metadata: { tags: ["b"] } }, { caller: { ...anybody, tags: ["a"] } }).tags).toEqual(["a", "b"])
  })

  it("a number in a text is decimal: what else JavaScript reads is a mistake, in a body as in a header", () => {
    for (const odd of ["0x10", "0b11", "0o17", "1e1", "Infinity", "NaN", "1_0", "1,5", "+-1", "."]) {
      expect(error({ timeout: odd, num_retries: odd }).said, odd).toMatch(/timeout:.*num_retries:/s)
      expect(error({}, { headers: { "x-litellm-timeout": odd } }).said, odd).toContain("x-litellm-timeout")
    }
    for (const fine of ["10", " 10 ", "10.0", "+10", "10."]) {
      expect(request({ timeout: fine }).overrides, fine).toMatchObject({ timeout: 10_000 })
    }
  })

  it("tells all that is wrong at once, by the names that the caller used", () => {
    const { code, said } = error(
      { timeout: -1, num_retries: "many", fallbacks: "spare" },
      { headers: { "x-switchyard-priority": "high" } }
    )
    expect(code).toBe("invalid_control")
    for (const name of ["timeout:", "num_retries:", "fallbacks:", "x-switchyard-priority:"]) {
      expect(said).toContain(name)
    }
  })

  it("a misspelt header of ours is an error, and one of LiteLLM's is none of ours", () => {
    expect(error({}, { headers: { "x-switchyard-timeot": "3" } }).said).toContain("x-switchyard-timeout")
    expect(request({}, { headers: { "x-litellm-end-user-id": "3" } }).overrides).toEqual({})
  })

  const masterFields = Controls.controls.filter(({ master: only }) => only === true).map(({ field }) => field)
  for (const field of masterFields) {
    it(`${field} needs the master key`, () => {
      expect(error({ [field]: "x" }).code).toBe("master_key_required")
    })
  }

  it("a deployment may not be named by header without the master key either", () => {
    expect(error({}, { headers: { "x-switchyard-deployment": "eu-1" } }).code).toBe("master_key_required")
  })

  it("the master key may raise what is configured, others only lower it", () => {
    expect(request({ timeout: 9 }, { caller: master }).overrides).toEqual({ timeout: 9000 })
    expect(request({ timeout: 9 }).overrides).toEqual({ timeout: 9000, lowerOnly: true })
  })

  it("a key reaches its own groups only, also through fallbacks that it names", () => {
    const caller: Caller = { ...anybody, mayUse: (model) => model === "smart" }
    expect(error({ model: "other" }, { caller }).code).toBe("model_not_allowed")
    expect(error({ fallbacks: ["other"] }, { caller }).code).toBe("model_not_allowed")
    expect(error({ fallbacks: [{ smart: [{ model: "other" }] }] }, { caller }).code).toBe("model_not_allowed")
    expect(error({ context_window_fallbacks: ["other"] }, { caller }).code).toBe("model_not_allowed")
    expect(request({ fallbacks: ["smart"] }, { caller }).overrides.fallbacks).toEqual(["smart"])
  })

  it("forwards an idempotency key always, other headers only where configured, credentials never", () => {
    const headers = {
      "idempotency-key": "i",
      "x-trace": "t",
      "x-api-key": "secret",
      "x-forwarded-for": "1.2.3.4",
      authorization: "Bearer secret"
    }
    expect(request({}, { headers }).overrides.headers).toEqual({ "idempotency-key": "i" })
    expect(request({}, { headers, rules: { forwardHeaders: true } }).overrides.headers).toEqual({
      "idempotency-key": "i",
      "x-trace": "t"
    })
  })

  it("never forwards what belongs to one hop, is a credential, or is written by the gateway or the caller's client", () => {
    for (const name of [
      "x-real-ip",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-api-key",
      "x-goog-api-key",
      "x-request-id",
      "x-stainless-lang",
      "x-litellm-tags",
      "x-switchyard-tags",
      "x-should-retry"
    ]) {
      const headers = { "x-trace": "t", [name]: "1" }
      const sent = request({}, { headers, rules: { forwardHeaders: true } }).overrides.headers
      expect({ name, sent }).toEqual({ name, sent: { "x-trace": "t" } })
    }
  })

  it("keeps to the rules for requests", () => {
    expect(request({}, { rules: { model: "forced" } }).model).toBe("forced")
    expect(request({ metadata: { tags: ["a"] } }, { rules: { tags: "ignore" } }).tags).toEqual([])
    expect(request({ metadata: { tags: ["a"] } }, { rules: { tagMatch: "all" } }).demands).toEqual({ tagMatch: "all" })
    expect(request({}, { rules: { priority: 3 } }).overrides.priority).toBe(3)
    expect(request({ priority: 1 }, { rules: { priority: 3 } }).overrides.priority).toBe(1)
    expect(request({}, { rules: { cacheOptIn: true } }).overrides.cache).toEqual({ noCache: true, noStore: true })
    expect(request({ cache: { "use-cache": true } }, { rules: { cacheOptIn: true } }).overrides.cache).toEqual({})
    expect(Either.getOrThrow(read({ stream: true }, { rules: { streamUsage: true } })).streamUsage).toBe(true)
    expect(Either.getOrThrow(read({ stream: true, stream_options: { include_usage: true } })).streamUsage).toBe(true)
  })
})

describe("priority", () => {
  const virtual: Caller = { ...anybody, name: "joe", priority: {} }
  const given = (caller: Caller, asked: unknown, rules: Requests = {}) =>
    request(asked === undefined ? {} : { priority: asked }, { caller, rules }).overrides.priority

  it("a virtual key may stand back, and before others only as far as it is let; the master key anywhere", () => {
    const ranged: Caller = { ...virtual, priority: { min: -5, max: 5 } }
    const back: Caller = { ...virtual, priority: { min: 3 } }
    const cut: Caller = { ...virtual, priority: { max: -2 } }
    for (const [caller, asked, rules, expected] of [
      [virtual, -1, {}, 0],
      [virtual, "-1000000", {}, 0],
      [virtual, 7, {}, 7],
      [virtual, undefined, {}, undefined],
      [virtual, 1, { priority: 4 }, 4],
      [virtual, undefined, { priority: 4 }, 4],
      [ranged, -9, {}, -5],
      [ranged, -3, {}, -3],
      [ranged, 9, {}, 5],
      [ranged, undefined, {}, undefined],
      [back, undefined, {}, 3],
      [back, -1, {}, 3],
      [cut, undefined, {}, -2],
      [cut, 5, {}, -2],
      [master, -1000, {}, -1000],
      [anybody, -1000, {}, -1000]
    ] as const) {
      expect(given(caller, asked, rules)).toBe(expected)
    }
    const inHeader = request({}, { caller: virtual, headers: { "x-litellm-priority": "-5" } })
    expect(inHeader.overrides.priority).toBe(0)
  })

  it("what is no number, or beyond all measure, is refused for everybody", () => {
    for (const caller of [virtual, master, anybody]) {
      for (const priority of [
        -1e308,
        1e308,
        1_000_001,
        "Infinity",
        "-Infinity",
        "NaN",
        "x",
        true,
        {},
        [],
        Number.POSITIVE_INFINITY
      ]) {
        expect(error({ priority }, { caller })).toMatchObject({ code: "invalid_control" })
      }
    }
  })
})

describe("the session of a caller of Anthropic's", () => {
  const sessionOf = (userId: string) =>
    Either.getOrThrowWith(
      Controls.read(
        { operation: "chat", dialect: messages },
        { ...chat, max_tokens: 5, metadata: { user_id: userId } },
        {},
        anybody,
        {}
      ),
      (error) => error
    ).request

  it.each([
    ["user_0a1b_account__session_12345678-aaaa-bbbb-cccc-1234567890ab", "12345678-aaaa-bbbb-cccc-1234567890ab"],
    ['{"device_id":"d","session_id":"12345678-aaaa-bbbb"}', "12345678-aaaa-bbbb"],
    ["somebody", undefined]
  ])("is the one in the user's id, as Claude Code has it: %s", (userId, session) => {
    const { body, sessionKey } = sessionOf(userId)
    expect(sessionKey).toBe(session)
    expect(body.metadata).toEqual({ user_id: userId })
  })
})
