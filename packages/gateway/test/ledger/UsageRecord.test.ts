/**
 * What is kept of a request: a table of ends, texts that callers choose, and what must never be there.
 */
import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Outcome from "@switchyard/core/Outcome"
import { Scrubber } from "@switchyard/core/Secret"
import type { Usage } from "@switchyard/core/Usage"
import type { Ended } from "@switchyard/gateway/Completions"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { cut, KeptNames } from "../../src/ledger/keptNames.js"
import { recordOf } from "../../src/ledger/usageRecord.js"

const words = { model: "smart", messages: [{ role: "user" as const, content: "words-nobody-keeps" }] }

const caller = (more: Partial<NonNullable<Ended["caller"]>> = {}): NonNullable<Ended["caller"]> => ({
  name: "joe",
  team: "blog",
  user: "u-1",
  isMaster: false,
  mayUse: () => true,
  tags: [],
  ...more
})

const names = () => new KeptNames(new Scrubber(["the-master-key-1"]))

const at = { monotonic: 5_000.123, wall: 1_700_000_005_000 }

const usage = (more: Partial<Usage> = {}): Usage => ({
  inputTokens: 100,
  outputTokens: 50,
  cachedInputTokens: 30,
  cacheWriteTokens: 20,
  reasoningTokens: 10,
  estimated: false,
  ...more
})

const begun = (options: LlmRequest.RequestOptions = {}) => LlmRequest.begin(LlmRequest.chat(words, options), 0)

const ended = (more: Partial<Ended> = {}): Ended => ({
  id: "3f0c5f3e-0000-4000-8000-000000000001",
  operation: "chat",
  stream: false,
  model: "smart",
  caller: caller(),
  receivedAt: 4_000,
  answeredAt: 4_900,
  firstContentAt: undefined,
  journal: undefined,
  error: undefined,
  refusal: undefined,
  status: 200,
  isWhole: true,
  ...more
})

type Case = readonly [name: string, end: () => Partial<Ended>, expected: Partial<UsageRecord>]

const answered = (request = begun(), used: Usage = usage()) => {
  const attempt = StubLlm.attempt(request, StubLlm.slot("west"))
  attempt.settle({ _tag: "Completed", usage: used, timeToFirstToken: 10, duration: 700 }, 800)
  return request
}

const down = new LlmError({ reason: "Unavailable", description: "secret words of a provider", status: 503 })

const cases: ReadonlyArray<Case> = [
  [
    "a chat",
    () => {
      const request = answered(begun({ tags: ["web", "blog"] }))
      return { journal: request.route.journal, asked: request }
    },
    {
      time: 1_700_000_004_000,
      caller: "joe",
      team: "blog",
      user: "u-1",
      tags: ["web", "blog"],
      operation: "chat",
      model: "smart",
      deployment: "west",
      attempts: 1,
      stream: false,
      isHit: false,
      input: 50,
      cacheRead: 30,
      cacheWrite: 20,
      output: 40,
      reasoning: 10,
      ending: "success",
      status: 200,
      reason: undefined,
      latency: 1_000.12,
      firstContent: 900
    }
  ],
  [
    "a stream",
    () => ({ journal: answered().route.journal, stream: true, firstContentAt: 4_250.5 }),
    { stream: true, firstContent: 250.5, ending: "success" }
  ],
  [
    "a hit",
    () => {
      const request = begun()
      request.route.journal.cache = "hit"
      return { journal: request.route.journal, asked: request }
    },
    {
      isHit: true,
      attempts: 0,
      cost: 0,
      input: 0,
      output: 0,
      group: "smart",
      deployment: undefined,
      provider: undefined
    }
  ],
  [
    "one that is refused",
    () => ({
      status: 429,
      answeredAt: undefined,
      refusal: { status: 429, code: "too_many_requests", message: "words of a refusal" }
    }),
    { ending: "refused", status: 429, reason: "too_many_requests", attempts: 0, group: undefined, session: undefined }
  ],
  [
    "one that its caller left",
    () => ({ isWhole: false, status: undefined, answeredAt: undefined, journal: begun().route.journal }),
    { ending: "abandoned", status: undefined, firstContent: undefined, reason: undefined }
  ],
  [
    "one that failed over",
    () => {
      const request = begun()
      StubLlm.attempt(request, StubLlm.slot("east")).settle(Outcome.failed(down), 100)
      request.route.journal.hop({ kind: "general", from: "smart", to: "spare" })
      answered(request)
      return { journal: request.route.journal, asked: request }
    },
    { attempts: 2, deployment: "west", ending: "success" }
  ],
  [
    "one that failed",
    () => {
      const request = begun()
      StubLlm.attempt(request, StubLlm.slot("east")).settle(Outcome.failed(down), 100)
      return { journal: request.route.journal, error: down, status: 503 }
    },
    { ending: "failure", deployment: "east", reason: "Unavailable", firstContent: undefined, input: 0, attempts: 1 }
  ],
  [
    "a name that nobody has",
    () => ({
      model: "made-up-1",
      journal: LlmRequest.begin(LlmRequest.chat({ ...words, model: "made-up-1" }), 0).route.journal,
      error: new LlmError({ reason: "UnknownModel", description: "no such model" }),
      status: 404
    }),
    { model: "made-up-1", group: undefined, reason: "UnknownModel" }
  ],
  [
    "a group that had no room",
    () => ({
      journal: begun().route.journal,
      error: new LlmError({ reason: "NoDeployment", description: "none" }),
      status: 429
    }),
    { group: "smart", deployment: undefined, attempts: 0 }
  ],
  [
    "speech",
    () => ({
      operation: "speech",
      journal: answered(begun(), usage({ inputTokens: 0, outputTokens: 0 })).route.journal
    }),
    { operation: "speech", input: 0, output: 0 }
  ],
  [
    "the master key's",
    () => ({ caller: caller({ name: undefined, team: undefined, isMaster: true }) }),
    { caller: "(master)" }
  ],
  ["anybody's", () => ({ caller: caller({ name: undefined }) }), { caller: undefined }],
  [
    "counts that make no sense",
    () => ({ journal: answered(begun(), usage({ cachedInputTokens: 500 })).route.journal }),
    { input: 0 }
  ]
]

describe("the record of a request", () => {
  it.each(cases)("tells who asked, where it went, what it used and how it ended: %s", (_, end, expected) => {
    const record = recordOf(ended(end()), at, names())
    assert.isDefined(record)
    for (const [field, value] of Object.entries(expected)) {
      assert.deepStrictEqual(record?.[field as keyof UsageRecord], value, field)
    }
    assert.notMatch(JSON.stringify(record), /words/)
  })

  it("is not kept of those who have no key: they must not fill a disk", () => {
    const turnedAway = ended({ caller: undefined, refusal: { status: 401, code: "invalid_api_key", message: "" } })
    assert.isUndefined(recordOf(turnedAway, at, names()))
  })

  it("has the same session for all requests of a conversation, whatever came later in it", () => {
    const session = (messages: ReadonlyArray<object>, options: LlmRequest.RequestOptions = {}) => {
      const asked = LlmRequest.chat({ model: "smart", messages } as never, options)
      return recordOf(ended({ asked }), at, names())?.session
    }
    const first = { role: "user", content: "one" }
    const begun = session([first])
    assert.match(String(begun), /^[0-9a-z]{1,7}$/)
    assert.strictEqual(
      session([first, { role: "assistant", content: "two" }, { role: "user", content: "three" }]),
      begun
    )
    assert.notStrictEqual(session([{ role: "user", content: "other" }]), begun)
    assert.strictEqual(
      session([first], { sessionKey: "s" }),
      session([{ role: "user", content: "x" }], { sessionKey: "s" })
    )
  })

  it("has money as whole nano-USD, and no sum that is none", () => {
    const cost = (usd: number) => {
      const { journal } = answered().route
      Object.defineProperty(journal, "cost", { value: usd })
      return recordOf(ended({ journal }), at, names())?.cost
    }
    assert.strictEqual(cost(0.000_000_123_4), 123)
    assert.strictEqual(cost(Number.NaN), 0)
    assert.strictEqual(cost(-1), 0)
    assert.strictEqual(cost(Number.POSITIVE_INFINITY), Number.MAX_SAFE_INTEGER)
  })

  it("holds at most 256 bytes of a text that a caller chose, cut between characters, and fit for any database", () => {
    const bytes = (text: string) => Buffer.byteLength(text)
    for (const [text, expected] of [
      ["plain", "plain"],
      ["a".repeat(300), "a".repeat(256)],
      ["é".repeat(200), "é".repeat(128)],
      ["€".repeat(86), "€".repeat(85)],
      [`${"x".repeat(254)}𝒳`, "x".repeat(254)],
      [`${"x".repeat(252)}𝒳`, `${"x".repeat(252)}𝒳`],
      ["nul\u0000 line\nend", "nul\ufffd line\ufffdend"],
      ["half \ud83d!", "half \ufffd!"]
    ] as const) {
      assert.strictEqual(cut(text), expected)
      assert.isAtMost(bytes(cut(text)), 256)
    }
    const long = recordOf(ended({ model: "m".repeat(1_000_000), id: "the-master-key-1" }), at, names())
    assert.strictEqual(long?.model, "m".repeat(256))
    assert.strictEqual(long?.id, "<secret>")
    const leaked = recordOf(ended({ model: "x the-master-key-1 sk-abcdefghijklmnop1" }), at, names())
    assert.strictEqual(leaked?.model, "x <secret> <secret>")
  })
})
