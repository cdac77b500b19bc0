import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmErrorFields, Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { nowMs } from "@switchyard/core/Time"
import * as Router from "@switchyard/router/Router"
import * as RouterEvents from "@switchyard/router/RouterEvents"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Fiber, Stream } from "effect"
import { simulate } from "../support/schedules.js"

const d = (id: string, group = "m", more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id,
  group,
  model: "m",
  ...more
})

const fails = (reason: Reason, more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "scripted", ...more }
})

const silent: StubLlm.Reply = { hang: true }
const answers = (seconds = 1): StubLlm.Reply => ({ delay: seconds * 1000, text: "yes" })
const down = (seconds = 0): StubLlm.Reply => ({ delay: seconds * 1000, ...fails("Unavailable", { status: 503 }) })

interface Given {
  readonly deployments: ReadonlyArray<DeploymentConfig>
  readonly replies: Readonly<Record<string, StubLlm.Reply>>
  readonly options?: Omit<Router.Options, "deployments">
  readonly body?: object
  readonly overrides?: LlmRequest.RequestOverrides
  readonly embeddings?: boolean
  /** When the caller leaves, in seconds. */
  readonly leaves?: number
}

/** Who was asked and when (seconds), how the call ended and when, and what became of each attempt. */
const run = ({ body, deployments, embeddings = false, leaves = 700, options, overrides = {}, replies }: Given) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const begin = nowMs(clock)
    const seconds = () => Math.round((nowMs(clock) - begin) / 100) / 10
    const asked: Array<string> = []
    const stub = StubLlm.make(({ deployment }) => {
      asked.push(`${deployment}@${seconds()}`)
      return replies[deployment] ?? {}
    })
    const { service } = yield* Router.make({ deployments, strategy: "ordered", ...options }, stub.attempts)
    const request = embeddings
      ? LlmRequest.embeddings({ model: "m", input: "Hi" }, { overrides })
      : LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, { overrides })
    const fiber = yield* Effect.fork(
      Effect.map(Effect.exit(LlmService.complete(service, request)), (exit) => ({ exit, at: seconds() }))
    )
    yield* Effect.sleep(leaves * 1000)
    if (fiber.unsafePoll() === null) yield* Fiber.interrupt(fiber)
    const end = fiber.unsafePoll()
    const done = end !== null && Exit.isSuccess(end) ? end.value : undefined
    const said =
      done === undefined
        ? "left"
        : Exit.isSuccess(done.exit)
          ? "ok"
          : done.exit.cause._tag === "Fail"
            ? done.exit.cause.error.reason
            : done.exit.cause._tag
    assert.strictEqual(stub.inFlight(), 0, "nothing is left in flight")
    return {
      told: `${asked.join(" ")} ${said}${done === undefined ? "" : `@${done.at}`}`,
      outcomes: stub.outcomes.map(({ _tag }) => _tag).join(" "),
      report: done !== undefined && Exit.isSuccess(done.exit) ? done.exit.value.journal.report() : undefined
    }
  }).pipe(Effect.scoped)

const two = [d("a"), d("b")]
const chain = { fallback: { chains: { general: { m: ["f"] } } } }
const withFallback = [d("a"), d("f", "f")]

const cases: ReadonlyArray<readonly [name: string, given: Given, told: string]> = [
  [
    "another deployment of the group is asked beside it after 60 s",
    { deployments: two, replies: { a: silent } },
    "a@0 b@60 ok@60"
  ],
  [
    "a fallback that waits is asked beside it",
    { deployments: withFallback, replies: { a: silent }, options: chain },
    "a@0 f@60 ok@60"
  ],
  [
    "each further one after its own time, first in the group, then over the fallbacks",
    { deployments: [...two, d("f", "f")], replies: { a: silent, b: silent }, options: chain },
    "a@0 b@60 f@120 ok@120"
  ],
  ["an embedding too", { deployments: two, replies: { a: silent }, embeddings: true }, "a@0 b@60 ok@60"],
  [
    "1 s more for each 40 tokens of the output's bound",
    { deployments: two, replies: { a: silent }, body: { max_tokens: 800 } },
    "a@0 b@80 ok@80"
  ],
  [
    "after 180 s when the request reasons",
    { deployments: two, replies: { a: silent }, body: { reasoning_effort: "low", max_tokens: 8000 } },
    "a@0 b@180 ok@180"
  ],
  [
    "after half of what the deadline leaves",
    { deployments: two, replies: { a: silent }, overrides: { deadline: 20_000 } },
    "a@0 b@10 ok@10"
  ],
  [
    "as the options say",
    { deployments: two, replies: { a: silent }, options: { patience: { slow: "7 seconds" } } },
    "a@0 b@7 ok@7"
  ],
  [
    "never, if the options say so",
    {
      deployments: two,
      replies: { a: answers(500) },
      options: { patience: { slow: Infinity, slowReasoning: Infinity } }
    },
    "a@0 ok@500"
  ],
  [
    "a slow one with nowhere to go is waited for",
    { deployments: [d("a")], replies: { a: answers(500) } },
    "a@0 ok@500"
  ],
  [
    "the last one runs to the deadline",
    { deployments: two, replies: { a: silent, b: silent } },
    "a@0 b@60 Timeout@600"
  ],
  ["the first one may still win", { deployments: two, replies: { a: answers(70), b: answers(30) } }, "a@0 b@60 ok@70"],
  [
    "what was asked beside it may fail, and the slow one answers",
    { deployments: two, replies: { a: answers(90), b: down() }, options: { retry: { attempts: 2 } } },
    "a@0 b@60 ok@90"
  ],
  [
    "what was asked beside it may refuse the request for good, and the slow one answers",
    { deployments: two, replies: { a: answers(90), b: fails("InvalidRequest") } },
    "a@0 b@60 ok@90"
  ],
  [
    "a slow one that fails in the end is waited for no more",
    { deployments: two, replies: { a: down(70), b: answers(30) } },
    "a@0 b@60 ok@90"
  ],
  [
    "a slow one that fails in the end is not tried again",
    { deployments: [...two, d("f", "f")], replies: { a: down(70), b: answers(30) }, options: chain },
    "a@0 b@60 ok@90"
  ],
  [
    "a slow one that ends the request does so at once",
    { deployments: two, replies: { a: { delay: 70_000, ...fails("InvalidRequest") }, b: answers(30) } },
    "a@0 b@60 InvalidRequest@70"
  ],
  [
    "both fail: the request does",
    { deployments: two, replies: { a: down(70), b: down(20) }, options: { retry: { attempts: 2 } } },
    "a@0 b@60 Unavailable@80"
  ],
  [
    "no retries: nobody of the group is asked, the fallback is",
    { deployments: [...two, d("f", "f")], replies: { a: silent }, options: chain, overrides: { maxRetries: 0 } },
    "a@0 f@60 ok@60"
  ],
  [
    "no retries and no fallback: it is waited for",
    { deployments: two, replies: { a: answers(500) }, overrides: { maxRetries: 0 } },
    "a@0 ok@500"
  ],
  [
    "one after a failure has its own time",
    { deployments: [...two, d("c")], replies: { a: down(5), b: silent } },
    "a@0 b@5 c@65 ok@65"
  ],
  [
    "a slow fallback leads to the next of its chain, whatever led to the first",
    {
      deployments: [d("a"), d("f", "f"), d("g", "g"), d("x", "x")],
      replies: { a: fails("RateLimited", { status: 429, retryAfter: 60_000 }), f: silent },
      options: { fallback: { chains: { rateLimit: { m: ["f", "g"] }, general: { m: ["x"] } } } }
    },
    "a@0 f@0 g@60 ok@60"
  ],
  [
    "a slow fallback leads to its group's next first",
    {
      deployments: [d("a"), d("f1", "f"), d("f2", "f"), d("g", "g")],
      replies: { a: down(), f1: silent },
      options: { retry: { attempts: 2, baseDelay: 1 }, fallback: { chains: { general: { m: ["f", "g"] } } } }
    },
    "a@0 a@0 f1@0 f2@60 ok@60"
  ],
  [
    "three attempts in a group, these included",
    { deployments: [...two, d("c"), d("e")], replies: { a: silent, b: silent, c: silent } },
    "a@0 b@60 c@120 Timeout@600"
  ],
  [
    "a caller who leaves ends all",
    { deployments: two, replies: { a: silent, b: silent }, leaves: 100 },
    "a@0 b@60 left"
  ]
]

describe("a slow call that does not stream", () => {
  for (const [name, given, told] of cases) {
    it.effect(`${name}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* run(given)).told, told)
      }).pipe(simulate)
    )
  }
  it.effect("that loses is neutral, and has ended before the answer is given", () =>
    Effect.gen(function* () {
      const { outcomes, report } = yield* run({ deployments: two, replies: { a: silent, b: answers() } })
      assert.strictEqual([...outcomes.split(" ")].sort().join(" "), "Abandoned Completed")
      assert.deepStrictEqual(
        report?.attempts.map(({ deployment, outcome }) => `${deployment} ${outcome}`),
        ["a abandoned", "b completed"]
      )
      assert.strictEqual(report?.deployment, "b")
    }).pipe(simulate)
  )
  it.effect("is told of as a hedge, and so is its winner", () =>
    Effect.gen(function* () {
      const published = yield* RouterEvents.RouterEvents
      const told = yield* Effect.fork(
        published.stream.pipe(
          Stream.filter(({ _tag }) => _tag.startsWith("Hedge")),
          Stream.take(2),
          Stream.runCollect
        )
      )
      yield* Effect.yieldNow()
      yield* run({ deployments: two, replies: { a: silent } })
      assert.deepStrictEqual(
        [...(yield* Fiber.join(told))].map((event) => `${event._tag} ${"deployment" in event ? event.deployment : ""}`),
        ["HedgeStarted a", "HedgeWon b"]
      )
    }).pipe(Effect.provide(RouterEvents.layer), simulate)
  )
})
