import { assert, describe, it } from "@effect/vitest"
import { LlmError, Reason } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { busy, closed } from "@switchyard/core/Status"
import { nowMs } from "@switchyard/core/Time"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Fiber, FastCheck as fc, identity, Layer, Random, Stream, TestClock } from "effect"
import { RouterEvents } from "../../src/events/RouterEvents.js"
import * as Retry from "../../src/retry/Retry.js"
import * as RetryBudget from "../../src/retry/RetryBudget.js"
import * as Deadline from "../../src/time/Deadline.js"
import { VirtualTime } from "../support/schedules.js"
import { chat, fails, type Member, tower } from "../support/tower.js"

interface Given {
  readonly options?: Retry.Options
  /** Jitter; default 0.5. */
  readonly random?: () => number
  readonly budget?: RetryBudget.RetryBudget["Type"]
  /** What stands between the layer and the balancer. */
  readonly between?: Service.RequestLayer
}

const setup = (
  members: ReadonlyArray<Member>,
  script: (id: string, nth: number) => StubLlm.Reply,
  { between = identity, budget = RetryBudget.unlimited, options = {}, random = () => 0.5 }: Given = {}
) => {
  const made = tower(members, script)
  const { balancer, events } = made
  const service = Retry.make({ budget, events, random }, options)(between(balancer))
  /** Sends the request, lets all the time pass that it takes, and tells who was asked when and how it ended. */
  const send = (request: LlmRequest = chat()) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const begin = nowMs(clock)
      const fiber = yield* Effect.fork(
        Effect.map(Effect.exit(LlmService.complete(service, request)), (exit) => ({ exit, at: nowMs(clock) - begin }))
      )
      yield* TestClock.adjust("5 minutes")
      const { at, exit } = yield* Fiber.join(fiber)
      const end = Exit.match(exit, {
        onFailure: (cause) => (cause._tag === "Fail" ? cause.error.reason : cause._tag),
        onSuccess: () => "ok"
      })
      return `${made.used()} ${end} ${at}`
    })
  const delays = () => made.published.flatMap((event) => (event._tag === "Retried" ? [event.delay] : []))
  return { ...made, service, send, delays }
}

const always = (reply: StubLlm.Reply) => () => reply

describe("attempts", () => {
  it.effect("a plain error is tried three times in all, on other deployments at once", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b", "c", "d"], always(fails("Unavailable")))
      assert.strictEqual(yield* send(), "abc Unavailable 0")
    })
  )
  it.effect("a success on the second attempt ends it", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], (id) => (id === "a" ? fails("Unavailable") : {}))
      assert.strictEqual(yield* send(), "ab ok 0")
    })
  )
  it.effect("a success at once is not touched", () =>
    Effect.gen(function* () {
      const { published, send } = setup(["a", "b"], always({}))
      assert.strictEqual(yield* send(), "a ok 0")
      assert.deepStrictEqual(published, [])
    })
  )
  it.effect("`attempts: 4` makes four", () =>
    Effect.gen(function* () {
      const { send } = setup(["a"], always(fails("Unavailable")), { options: { attempts: 4 } })
      assert.match(yield* send(), /^aaaa Unavailable/)
    })
  )
  it.effect("retries of the request beat the deployment's, the group's and the router's, and 0 means 0", () =>
    Effect.gen(function* () {
      const options = { attempts: 2, groups: { m: { attempts: 4 } } }
      const of = (members: ReadonlyArray<Member>, given: Retry.Options, request?: LlmRequest) =>
        Effect.map(setup(members, always(fails("Unavailable")), { options: given }).send(request), (told) =>
          told.indexOf(" ")
        )
      assert.strictEqual(yield* of(["a"], { attempts: 2 }), 2)
      assert.strictEqual(yield* of(["a"], options), 4)
      assert.strictEqual(yield* of([{ id: "a", maxRetries: 5 }], options), 6)
      assert.strictEqual(yield* of([{ id: "a", maxRetries: 0 }], options), 1)
      assert.strictEqual(yield* of([{ id: "a", maxRetries: 5 }], options, chat({ maxRetries: 1 })), 2)
      assert.strictEqual(yield* of([{ id: "a", maxRetries: 5 }], options, chat({ maxRetries: 0 })), 1)
      assert.strictEqual(yield* of(["a"], { attempts: 1 }), 1)
    })
  )
  it.effect("retries of a request that may only lower them never raise what is configured, nor for hedges", () =>
    Effect.gen(function* () {
      const lowered = (member: Member, maxRetries: number, options: Retry.Options = {}) =>
        Effect.gen(function* () {
          const { send, stub } = setup([member], always(fails("Unavailable")), { options })
          yield* send(chat({ lowerOnly: true, maxRetries }))
          const first = stub.calls[0]?.request.route
          return [stub.calls.length, (first?.attemptBudget ?? 0) - (first?.reserved ?? 0)]
        })
      assert.deepStrictEqual(yield* lowered("a", 7), [3, 3])
      assert.deepStrictEqual(yield* lowered("a", 1), [2, 2])
      assert.deepStrictEqual(yield* lowered("a", 7, { groups: { m: { attempts: 2 } } }), [2, 2])
      assert.strictEqual((yield* lowered({ id: "a", maxRetries: 0 }, 7))[0], 1)
      assert.strictEqual((yield* lowered({ id: "a", retryPolicy: { Unavailable: 1 } }, 7))[0], 2)
    })
  )
  it.effect("the deployment that failed decides, not the one that comes next", () =>
    Effect.gen(function* () {
      const members = [{ id: "a", maxRetries: 1 }, { id: "b", maxRetries: 0 }, "c"]
      assert.strictEqual(yield* setup(members, always(fails("Unavailable"))).send(), "ab Unavailable 0")
    })
  )
  it.effect("eight in the whole request at most, those of earlier groups included", () =>
    Effect.gen(function* () {
      const { send } = setup(["a"], always(fails("Unavailable")), { options: { attempts: 50 } })
      assert.match(yield* send(), /^a{8} Unavailable/)
    })
  )
  it.effect("leave those in reserve that fallbacks may still need", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(["a"], always(fails("Unavailable")), { options: { attempts: 50 } })
      const request = chat()
      const route = { ...request.route, reserved: 6 }
      const fiber = yield* Effect.fork(Effect.flip(service.call({ ...request, route })))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.effect("the layers below see no more attempts than the group has left", () =>
    Effect.gen(function* () {
      const { send, stub } = setup(["a", "b", "c", "d"], always(fails("Unavailable")))
      yield* send()
      const left = stub.calls.map(({ request: { route } }) => route.attemptBudget - route.reserved)
      assert.deepStrictEqual(left, [3, 3, 3])
    })
  )
})

describe("the policy by reason", () => {
  const attemptsOf = (reason: Reason, options: Retry.Options) =>
    Effect.map(setup(["a", "b", "c", "d", "e"], always(fails(reason)), { options }).send(), (told) => told.indexOf(" "))
  it.effect("n for a reason gives n retries", () =>
    Effect.gen(function* () {
      for (const n of [0, 1, 4])
        assert.strictEqual(yield* attemptsOf("RateLimited", { retryPolicy: { RateLimited: n } }), n + 1)
    })
  )
  it.effect("the group's beats the router's", () =>
    Effect.gen(function* () {
      const options = { retryPolicy: { Timeout: 4 }, groups: { m: { retryPolicy: { Timeout: 0 } } } }
      assert.strictEqual(yield* attemptsOf("Timeout", options), 1)
      assert.strictEqual(yield* attemptsOf("Unavailable", options), 3)
    })
  )
  it.effect("a deployment's own policy by reason beats the group's and the router's, and a request beats it", () =>
    Effect.gen(function* () {
      const options = { retryPolicy: { Unavailable: 4 }, groups: { m: { retryPolicy: { Unavailable: 3 } } } }
      const member = { id: "a", maxRetries: 5, retryPolicy: { Unavailable: 1, Timeout: 0 } }
      const told = (request?: LlmRequest) =>
        Effect.map(setup([member], always(fails("Unavailable")), { options }).send(request), (line) =>
          line.indexOf(" ")
        )
      assert.strictEqual(yield* told(), 2)
      assert.strictEqual(yield* told(chat({ maxRetries: 0 })), 1)
    })
  )
  it.effect("the latest error's reason counts", () =>
    Effect.gen(function* () {
      const script = (id: string) => fails(id === "b" ? "Timeout" : "Unavailable")
      const { send } = setup(["a", "b", "c"], script, { options: { retryPolicy: { Timeout: 1 } } })
      assert.match(yield* send(), /^ab Timeout/)
    })
  )
  for (const reason of Reason.literals) {
    // A local rejection is no attempt: the Balancer picks again by itself.
    if (reason === "Rejected") continue
    it.effect(`${reason}: as its classification says, whatever the policy`, () =>
      Effect.gen(function* () {
        const rule = new LlmError({ reason, description: "" }).retry
        const options = { retryPolicy: { [reason]: 3 } }
        assert.strictEqual(yield* attemptsOf(reason, options), rule === "never" ? 1 : 4)
        const alone = yield* setup(["a"], always(fails(reason)), { options }).send()
        assert.strictEqual(alone.indexOf(" "), rule === "same" ? 4 : 1)
      })
    )
  }
  it.effect("a tighter bound that the request brought is retried on another deployment only", () =>
    Effect.gen(function* () {
      const late = fails("Timeout", { bound: "request", phase: "total" })
      assert.strictEqual(yield* setup(["a", "b"], (id) => (id === "a" ? late : {})).send(), "ab ok 0")
      assert.strictEqual(yield* setup(["a"], always(late)).send(), "a Timeout 0")
    })
  )
  it.effect("a caller's deadline is never retried", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], always(fails("Timeout", { bound: "caller", phase: "total" })))
      assert.strictEqual(yield* send(), "a Timeout 0")
    })
  )
})

describe("which deployment", () => {
  it.effect("one that failed is not picked again while another remains", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], always(fails("Unavailable")))
      assert.match(yield* send(), /^aba Unavailable/)
    })
  )
  it.effect("a silent one is not picked again at all", () =>
    Effect.gen(function* () {
      const { send } = setup(["a", "b"], always(fails("Timeout", { phase: "firstToken", bound: "deployment" })))
      assert.strictEqual(yield* send(), "ab Timeout 0")
    })
  )
  it.effect("one whose key, model or quota is bad is not picked again, others are", () =>
    Effect.gen(function* () {
      for (const reason of ["Authentication", "ModelNotFound", "QuotaExhausted"] as const) {
        const { send } = setup(["a", "b"], (id, nth) =>
          id === "a" ? fails(reason) : nth === 0 ? fails("Unavailable") : {}
        )
        assert.match(yield* send(), /^abb ok/)
      }
    })
  )
  it.effect("a 404 of the only deployment is raised at once", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* setup(["a"], always(fails("ModelNotFound"))).send(), "a ModelNotFound 0")
    })
  )
  it.effect("with nothing else selectable the error is raised at once, not NoDeployment", () =>
    Effect.gen(function* () {
      const { send, statuses } = setup(["a", "b"], always(fails("Authentication")))
      statuses.set("b", closed("isolated", undefined, "operator"))
      assert.strictEqual(yield* send(), "a Authentication 0")
    })
  )
  it.effect("nothing selectable from the start fails fast", () =>
    Effect.gen(function* () {
      const { send, statuses } = setup(["a"], always({}))
      statuses.set("a", closed("isolated", 10, "operator"))
      assert.strictEqual(yield* send(), " NoDeployment 0")
    })
  )
  it.effect("NoDeployment after an upstream error in this group surfaces that error", () =>
    Effect.gen(function* () {
      const made = setup(["a", "b"], (id) => {
        // The other one closes between the look and the pick.
        made.statuses.set("b", closed("isolated", undefined, "operator"))
        return id === "a" ? fails("Authentication") : {}
      })
      const { balancer, events, used } = made
      const openings = () => [{ deployment: "b" as never, opensAt: 0, namedAt: 0 }]
      assert.isAbove(balancer.openings(chat(), 0).length, 0)
      const service = Retry.make({ budget: RetryBudget.unlimited, events, random: () => 0 })({ ...balancer, openings })
      assert.strictEqual((yield* Effect.flip(service.call(chat()))).reason, "Authentication")
      assert.strictEqual(used(), "a")
    })
  )
  it.effect("losing the race for the other deployment does not fall back to the failed one without a wait", () =>
    Effect.gen(function* () {
      const { delays, send } = setup(["a", "b"], (id, nth) =>
        id === "b" ? fails("Rejected", { deployment: "b" }) : nth === 0 ? fails("Unavailable") : {}
      )
      assert.strictEqual(yield* send(), "aba ok 750")
      assert.deepStrictEqual(delays(), [0, 750])
    })
  )
  it.effect("a refusal by the router's own queue is not retried", () =>
    Effect.gen(function* () {
      let calls = 0
      const service = Retry.make({ budget: RetryBudget.unlimited, random: () => 0 })({
        ...tower(["a"], always({})).balancer,
        call: () =>
          Effect.suspend(() => {
            calls++
            return Effect.fail(new LlmError({ reason: "Rejected", description: "the queue is full" }))
          })
      })
      assert.strictEqual((yield* Effect.flip(service.call(chat()))).reason, "Rejected")
      assert.strictEqual(calls, 1)
    })
  )
  it.effect("the last one left, closed by failures alone, is asked again after a backoff", () =>
    Effect.gen(function* () {
      const made = setup(["a"], (_, nth) => {
        made.statuses.set("a", closed("cooldown", 60_000))
        return nth === 0 ? fails("Unavailable") : {}
      })
      assert.strictEqual(yield* made.send(), "aa ok 375")
    })
  )
})

describe("the wait", () => {
  it.effect("is none with a healthy sibling, a backoff without one", () =>
    Effect.gen(function* () {
      const script = (_: string, nth: number) => (nth === 0 ? fails("RateLimited") : {})
      assert.strictEqual(yield* setup(["a", "b"], (id) => (id === "a" ? fails("RateLimited") : {})).send(), "ab ok 0")
      assert.strictEqual(yield* setup(["a"], script).send(), "aa ok 375")
    })
  )
  it.effect("grows from 500 ms by a factor of 2 to 8 s, half of it jittered, and not after the last failure", () =>
    Effect.gen(function* () {
      const options = { attempts: 8 }
      const { delays, send } = setup(["a"], always(fails("Unavailable")), { options, random: () => 1 })
      assert.strictEqual(yield* send(), `aaaaaaaa Unavailable ${500 + 1000 + 2000 + 4000 + 8000 * 3}`)
      assert.deepStrictEqual(delays(), [500, 1000, 2000, 4000, 8000, 8000, 8000])
      const none = setup(["a"], always(fails("Unavailable")), { options, random: () => 0 })
      assert.strictEqual(yield* none.send(), "aaaaaaaa Unavailable 15750")
      assert.deepStrictEqual(none.delays(), [250, 500, 1000, 2000, 4000, 4000, 4000])
    })
  )
  it.effect("takes other figures", () =>
    Effect.gen(function* () {
      const options: Retry.Options = { attempts: 4, baseDelay: 100, factor: 3, maxDelay: "500 millis" }
      const { delays, send } = setup(["a"], always(fails("Unavailable")), { options, random: () => 1 })
      yield* send()
      assert.deepStrictEqual(delays(), [100, 300, 500])
    })
  )
  it.effect("is at least Retry-After, and up to a fifth longer", () =>
    Effect.gen(function* () {
      for (const [reason, status] of [
        ["RateLimited", 429],
        ["Unavailable", 529],
        ["Unavailable", 503]
      ] as const) {
        for (const [random, waited] of [
          [0, 2_000],
          [0.5, 2_200],
          [1, 2_400]
        ] as const) {
          const script = (_: string, nth: number) => (nth === 0 ? fails(reason, { status, retryAfter: 2_000 }) : {})
          assert.strictEqual(yield* setup(["a"], script, { random: () => random }).send(), `aa ok ${waited}`)
        }
      }
    })
  )
  it.effect("ignores Retry-After on a plain 500", () =>
    Effect.gen(function* () {
      const { send } = setup(["a"], (_, nth) =>
        nth === 0 ? fails("Unavailable", { status: 500, retryAfter: 2_345 }) : {}
      )
      assert.strictEqual(yield* send(), "aa ok 375")
    })
  )
  it.effect("follows the latest error's Retry-After, not the first one's", () =>
    Effect.gen(function* () {
      const after = [2_000, 700, undefined]
      const { delays, send } = setup(
        ["a"],
        (_, nth) => (nth < 3 ? fails("RateLimited", after[nth] === undefined ? {} : { retryAfter: after[nth] }) : {}),
        { options: { attempts: 4 }, random: () => 0 }
      )
      assert.match(yield* send(), /^aaaa ok/)
      assert.deepStrictEqual(delays(), [2_000, 700, 1_000])
    })
  )
  it.effect("longer than 3 s for a Retry-After is left to the fallbacks", () =>
    Effect.gen(function* () {
      const script = always(fails("RateLimited", { retryAfter: 3_001 }))
      assert.strictEqual(yield* setup(["a"], script).send(), "a RateLimited 0")
      const patient = setup(["a"], (_, nth) => (nth === 0 ? fails("RateLimited", { retryAfter: 3_001 }) : {}), {
        options: { maxRetryAfterWait: "5 seconds" },
        random: () => 0
      })
      assert.strictEqual(yield* patient.send(), "aa ok 3001")
      const never = setup(["a"], always(fails("RateLimited", { retryAfter: 1 })), { options: { maxRetryAfterWait: 0 } })
      assert.strictEqual(yield* never.send(), "a RateLimited 0")
    })
  )
  it.effect("of exactly the longest that is allowed is waited", () =>
    Effect.gen(function* () {
      const { send } = setup(["a"], (_, nth) => (nth === 0 ? fails("RateLimited", { retryAfter: 5_000 }) : {}), {
        options: { maxRetryAfterWait: "5 seconds" },
        random: () => 0
      })
      assert.strictEqual(yield* send(), "aa ok 5000")
    })
  )
  it.effect("for a Retry-After is never longer than 60 s", () =>
    Effect.gen(function* () {
      const { send } = setup(["a"], (_, nth) => (nth === 0 ? fails("RateLimited", { retryAfter: 9e6 }) : {}), {
        options: { maxRetryAfterWait: "2 minutes" },
        random: () => 0
      })
      assert.strictEqual(yield* send(), "aa ok 60000")
    })
  )
  it.effect("a deployment that sent Retry-After is not picked before it, another that failed is", () =>
    Effect.gen(function* () {
      const { send } = setup(
        ["a", "b"],
        (id, nth) => (nth > 0 ? {} : id === "a" ? fails("RateLimited", { retryAfter: 60_000 }) : fails("Unavailable")),
        { options: { attempts: 3 } }
      )
      assert.strictEqual(yield* send(), "abb ok 750")
    })
  )
  it.effect("lasts until the status opens", () =>
    Effect.gen(function* () {
      const made = setup(["a"], (_, nth) => {
        made.statuses.set("a", closed("retryAfter", 1_234, "limit"))
        return nth === 0 ? fails("RateLimited") : {}
      })
      yield* Effect.fork(
        Effect.delay(
          Effect.sync(() => made.statuses.delete("a")),
          1_234
        )
      )
      assert.strictEqual(yield* made.send(), "aa ok 1234")
    })
  )
  it.effect("ends when another deployment has room again, if that is sooner", () =>
    Effect.gen(function* () {
      const made = setup(["a", "b"], (id) => (id === "a" ? fails("Unavailable") : {}), { random: () => 1 })
      made.statuses.set("b", busy("rpm", 100))
      yield* Effect.fork(
        Effect.delay(
          Effect.sync(() => made.statuses.delete("b")),
          100
        )
      )
      assert.strictEqual(yield* made.send(), "ab ok 100")
    })
  )
  it.effect("is none when the status opens too late, or nobody knows when", () =>
    Effect.gen(function* () {
      for (const status of [
        closed("retryAfter", 3_001, "limit"),
        busy("maxParallel"),
        closed("isolated", undefined, "operator")
      ]) {
        const made = setup(["a"], () => {
          made.statuses.set("a", status)
          return fails("RateLimited")
        })
        assert.strictEqual(yield* made.send(), "a RateLimited 0")
      }
    })
  )
  it.effect("that would outlast the deadline is not begun", () =>
    Effect.gen(function* () {
      const made = setup(["a"], always(fails("RateLimited", { retryAfter: 1_000 })))
      const within = (deadline: number) =>
        Effect.gen(function* () {
          const begin = yield* Effect.map(Effect.clock, nowMs)
          const fiber = yield* Effect.fork(
            Effect.flip(LlmService.complete(Deadline.make({ deadline })(made.service), chat()))
          )
          yield* TestClock.adjust("1 minute")
          const error = yield* Fiber.join(fiber)
          assert.strictEqual(error.reason, "RateLimited")
          return { calls: made.stub.calls.length, begin }
        })
      assert.strictEqual((yield* within(1_000)).calls, 1)
      assert.strictEqual((yield* within(1_001)).calls, 3)
    })
  )
  it.effect("ends at once when the caller leaves, with no further attempt", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(["a"], always(fails("RateLimited", { retryAfter: 1_000 })))
      const fiber = yield* Effect.fork(service.call(chat()))
      yield* TestClock.adjust(500)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(stub.calls.length, 1)
    })
  )
  it.effect("is published with its length, group, deployment and reason", () =>
    Effect.gen(function* () {
      const { published, send } = setup(["a"], (_, nth) => (nth === 0 ? fails("RateLimited") : {}))
      yield* send()
      assert.deepStrictEqual(published, [
        { _tag: "Retried", at: 0, group: "m", deployment: "a", reason: "RateLimited", delay: 375 }
      ])
    })
  )
})

describe("the budget", () => {
  it.effect("that is empty lets the error go on, without a wait", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ share: 0, perSecond: 0 })
      assert.strictEqual(yield* setup(["a", "b"], always(fails("Unavailable")), { budget }).send(), "a Unavailable 0")
    })
  )
  it.effect("pays for retries from what requests deposit: an outage adds a fifth to the traffic", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ perSecond: 0 })
      const { service, stub } = setup(["a", "b"], always(fails("Unavailable")), { budget })
      for (let i = 0; i < 100; i++) yield* Effect.flip(service.call(chat()))
      assert.strictEqual(stub.calls.length, 120)
    })
  )
  it.effect("is not touched by errors that are not retried", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ share: 0 })
      yield* setup(["a", "b"], always(fails("InvalidRequest")), { budget }).send()
      yield* setup(["a"], always(fails("Authentication")), { budget }).send()
      yield* setup(["a"], always(fails("RateLimited", { retryAfter: 5_000 })), { budget }).send()
      assert.strictEqual(budget.balance(0), 100)
    })
  )
})

describe("streams", () => {
  const read = (service: ReturnType<typeof setup>["service"]) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        Effect.exit(Stream.runCount(LlmService.stream(service, chat({}, { stream: true }))))
      )
      yield* TestClock.adjust("1 minute")
      return yield* Fiber.join(fiber)
    })
  it.effect("an error before the first content is retried as in a plain call", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(["a", "b"], (id) =>
        id === "a" ? { ...fails("RateLimited"), failAfter: 0 } : { chunks: ["x"] }
      )
      assert.isTrue(Exit.isSuccess(yield* read(service)))
      assert.strictEqual(used(), "ab")
      assert.strictEqual(stub.openStreams(), 0)
    })
  )
  it.effect("an error after content is not retried here: a 429 in mid-stream cannot spin", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(
        ["a", "b"],
        always({ ...fails("RateLimited"), chunks: ["x"], failAfter: 1 })
      )
      assert.isTrue(Exit.isFailure(yield* read(service)))
      assert.strictEqual(used(), "a")
      assert.strictEqual(stub.openStreams(), 0)
    })
  )
  it.effect("a 429 before content is bounded like any other error", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(["a"], always({ ...fails("RateLimited"), failAfter: 0 }))
      assert.isTrue(Exit.isFailure(yield* read(service)))
      assert.strictEqual(stub.calls.length, 3)
      assert.strictEqual(stub.openStreams(), 0)
    })
  )
})

describe("what is known of readiness below", () => {
  const forgetful: Service.RequestLayer = (next) => Service.request((request) => next.call({ ...request }))
  const under = (members: ReadonlyArray<Member>, script: (id: string, nth: number) => StubLlm.Reply) =>
    setup(members, script, { between: forgetful })

  it.effect(
    "a layer in between that does not tell costs no wait: another deployment is asked for once, to find out",
    () =>
      Effect.gen(function* () {
        const down = (id: string) => (id === "a" ? fails("Unavailable") : {})
        assert.strictEqual(yield* under(["a", "b"], down).send(), "ab ok 0")
      })
  )
  it.effect("with nobody else there the same one is asked after a backoff, and as often as ever", () =>
    Effect.gen(function* () {
      const { delays, send } = under(["a"], always(fails("Unavailable")))
      assert.strictEqual(yield* send(), "aaa Unavailable 1125")
      assert.deepStrictEqual(delays(), [0, 375, 750])
    })
  )
  it.effect("a Retry-After of all that failed is waited out", () =>
    Effect.gen(function* () {
      const script = (_: string, nth: number) => (nth === 0 ? fails("RateLimited", { retryAfter: 1_000 }) : {})
      assert.match(yield* under(["a"], script).send(), /^aa ok 1[01]\d\d$/)
    })
  )
  it.effect("one that closes after its failure is waited for as long as the refusal says, and never for no time", () =>
    Effect.gen(function* () {
      const closing = (until: number | undefined) => {
        const made = under(["a"], (_, nth) => {
          made.statuses.set("a", closed("isolated", until, "operator"))
          return nth === 0 ? fails("Unavailable") : {}
        })
        return made.send()
      }
      assert.strictEqual(yield* closing(1_234), "aa ok 1234")
      assert.strictEqual(yield* closing(undefined), "a Unavailable 0")
    })
  )
  it.effect("alone over a service that knows nothing: the same again, after a backoff", () =>
    Effect.gen(function* () {
      let calls = 0
      const base = Service.request(() =>
        Effect.suspend(() => Effect.fail(new LlmError({ reason: "Unavailable", description: `call ${++calls}` })))
      )
      const service = Retry.make({ budget: RetryBudget.unlimited, random: () => 0.5 })(base)
      const fiber = yield* Effect.fork(Effect.flip(service.call(chat())))
      yield* TestClock.adjust(374)
      assert.strictEqual(calls, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(calls, 2)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).description, "call 3")
    })
  )
  it.effect("alone over a stub whose readiness is scripted", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ index }) => (index === 0 ? fails("Unavailable") : {}))
      stub.setOpenings((_, now) => [
        { deployment: StubLlm.deployment("stub").id, opensAt: now, namedAt: now },
        { deployment: StubLlm.deployment("other").id, opensAt: Math.max(now, 100), namedAt: Math.max(now, 100) }
      ])
      const service = Retry.make({ budget: RetryBudget.unlimited, random: () => 0.5 })(stub.requests)
      const fiber = yield* Effect.fork(service.call(chat()))
      yield* TestClock.adjust(99)
      assert.strictEqual(stub.calls.length, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
})

describe("the layer", () => {
  const built = (options: Retry.Options) => {
    const { balancer, events, published } = tower(["a"], always(fails("Unavailable")))
    const live = Retry.layerWith(options).pipe(
      Layer.provide([
        Layer.succeed(LlmService.LlmService, balancer),
        Layer.succeed(RouterEvents, events),
        RetryBudget.layerUnlimited
      ])
    )
    return { live, published }
  }
  it.effect("waits the same for the same seed", () =>
    Effect.gen(function* () {
      const delaysOf = (seed: string) =>
        Effect.gen(function* () {
          const { live, published } = built({ attempts: 5 })
          const service = yield* Effect.map(
            Effect.withRandom(Layer.build(live), Random.make(seed)),
            (context) => context.unsafeMap.get(LlmService.LlmService.key) as LlmService.LlmService["Type"]
          )
          const fiber = yield* Effect.fork(Effect.flip(service.call(chat())))
          yield* TestClock.adjust("1 minute")
          yield* Fiber.join(fiber)
          return published.map((event) => (event._tag === "Retried" ? event.delay : 0))
        })
      const first = yield* delaysOf("one")
      assert.strictEqual(first.length, 4)
      assert.deepStrictEqual(yield* delaysOf("one"), first)
      assert.notDeepEqual(yield* delaysOf("two"), first)
    }).pipe(Effect.scoped)
  )
  it.effect("reports every wrong option by its path", () =>
    Effect.gen(function* () {
      const options = { attempts: 0, retryPolicy: { Timeout: -1 }, groups: { m: { attempts: 1.5 } }, factor: 0 }
      const error = yield* Effect.flip(Layer.build(built(options).live))
      assert.deepStrictEqual(error.issues.map((issue) => issue.path).sort(), [
        "retry.attempts",
        "retry.factor",
        "retry.groups.m.attempts",
        "retry.retryPolicy.Timeout"
      ])
    }).pipe(Effect.scoped)
  )
})

interface Case {
  readonly members: number
  readonly errors: ReadonlyArray<{ readonly reason: Reason; readonly retryAfter: number; readonly bound: boolean }>
  readonly attempts: number
  readonly maxRetries: number | undefined
  readonly reserved: number
  readonly deadline: number
  readonly jitter: number
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  members: fc.integer({ min: 1, max: 4 }),
  errors: fc.array(
    fc.record({
      reason: fc.constantFrom<Reason>(
        "Unavailable",
        "Unavailable",
        "RateLimited",
        "Timeout",
        "Authentication",
        "MalformedResponse",
        "InvalidRequest",
        "Rejected"
      ),
      retryAfter: fc.constantFrom(0, 0, 100, 2_000, 5_000),
      bound: fc.boolean()
    }),
    { maxLength: 12 }
  ),
  attempts: fc.integer({ min: 1, max: 10 }),
  maxRetries: fc.option(fc.nat(10), { nil: undefined }),
  reserved: fc.nat(7),
  deadline: fc.constantFrom(1, 500, 3_000, 1e9),
  jitter: fc.double({ min: 0, max: 0.999, noNaN: true })
})

describe("under any sequence of errors", () => {
  it("no budget is exceeded, no rule broken, and no time wasted after the last failure", () => {
    fc.assert(
      fc.property(anyCase, (given) => {
        const time = new VirtualTime()
        const ids = ["a", "b", "c", "d"].slice(0, given.members)
        const asked: Array<{
          readonly id: string
          readonly at: number
          error: (typeof given.errors)[number] | undefined
        }> = []
        const made = setup(
          ids,
          (id) => {
            const error = given.errors[asked.length]
            asked.push({ id, at: time.now, error })
            if (error === undefined) return {}
            return fails(error.reason, {
              ...(error.retryAfter > 0 ? { retryAfter: error.retryAfter } : {}),
              ...(error.reason === "Rejected" ? { deployment: id } : {}),
              ...(error.reason === "Timeout"
                ? { bound: error.bound ? ("caller" as const) : ("deployment" as const) }
                : {})
            })
          },
          { options: { attempts: given.attempts }, random: () => given.jitter }
        )
        const request = chat(given.maxRetries === undefined ? {} : { maxRetries: given.maxRetries })
        const route = { ...request.route, reserved: given.reserved, deadline: given.deadline }
        let end = Number.NaN
        const fiber = time.fork(
          Effect.ensuring(
            made.service.call({ ...request, route }),
            Effect.sync(() => {
              end = time.now
            })
          )
        )
        time.advance(1e6)
        const exit = fiber.unsafePoll()
        if (exit === null) return assert.fail("the request never ended")
        const counted = asked.filter(({ error }) => error?.reason !== "Rejected")
        assert.isAtMost(counted.length, 1 + (given.maxRetries ?? given.attempts - 1), "attempts of the group")
        assert.isAtMost(counted.length, Math.max(1, 8 - given.reserved), "attempts of the request")
        assert.isBelow(end, given.deadline, "the deadline")
        assert.strictEqual(asked.at(-1)?.at ?? 0, end, "time after the last attempt")
        assert.strictEqual(made.stub.inFlight(), 0)
        for (const [i, { at, error, id }] of asked.entries()) {
          if (error === undefined) continue
          const later = asked.slice(i + 1)
          const { retry } = new LlmError({
            reason: error.reason,
            description: "",
            ...(error.bound ? { bound: "caller" as const } : {})
          })
          if (retry === "never") assert.strictEqual(later.length, 0, "what must not be retried")
          if (retry === "other" && error.reason !== "Rejected") {
            assert.isFalse(
              later.some((other) => other.id === id),
              "asked again in vain"
            )
          }
          const again = later.find((other) => other.id === id)
          if (error.retryAfter > 0 && error.reason !== "Rejected" && again !== undefined) {
            assert.isAtLeast(again.at, at + error.retryAfter, "Retry-After")
          }
        }
        assert.strictEqual(Exit.isSuccess(exit), asked.at(-1)?.error === undefined)
      }),
      { numRuns: cases(2000), seed: 20261104 }
    )
  })
})
