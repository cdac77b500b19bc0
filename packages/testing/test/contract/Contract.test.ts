import { assert, describe, it } from "@effect/vitest"
import * as Background from "@switchyard/core/Background"
import { EventStream } from "@switchyard/core/EventStream"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Service from "@switchyard/core/Service"
import { busy, open } from "@switchyard/core/Status"
import * as Contract from "@switchyard/testing/Contract"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Exit, Fiber, type Scope } from "effect"

/** The names of the checks that a layer does not pass. */
const brokenRules = (checks: ReadonlyArray<Contract.Check>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.forEach(checks, ({ check }) => Effect.either(check)),
    (results) => results.flatMap((result) => (Either.isLeft(result) ? [result.left.rule] : []))
  )

/** More than the limits of layers that are no leaks' examples. */
const calls = 51
/** For what is shown by the rest of the contract. */
const brief = { calls, schedules: cases(200) }

const counting: Service.AttemptLayer = Service.mapAttempt((call) => Service.onSettled(call, () => {}))

/** A limiter of the right kind: permits are taken and given back with the call. */
const limiter = (limit: number) =>
  Effect.sync((): Service.AttemptLayer => {
    let taken = 0
    const full = busy("maxParallel")
    return (next) =>
      Service.attempt(
        (attempt) =>
          Service.bracket(
            () =>
              taken >= limit
                ? new LlmError({ reason: "Rejected", description: "full", deployment: attempt.deployment })
                : void taken++,
            () => next.call(attempt),
            () => {
              taken--
            }
          ),
        (slot, request, now) => (taken >= limit ? full : next.status(slot, request, now))
      )
  })

const mapResponse = (f: (response: LlmResponse) => LlmResponse): Service.AttemptLayer =>
  Service.mapAttempt((call) => Effect.map(call, f))

/** A stream that is pumped into another one, as a layer must not do by half. */
const pumped = (options: { readonly closes: boolean; readonly hidesErrors: boolean }): Service.AttemptLayer =>
  Service.mapAttempt((call, { request }) =>
    Effect.flatMap(call, (response): Effect.Effect<LlmResponse> => {
      if (response._tag === "Complete") return Effect.succeed(response)
      const inner = response.events
      return Effect.gen(function* () {
        const clock = yield* Effect.clock
        const events = new EventStream({
          clock,
          startedAt: 0,
          estimateInputTokens: () => 0,
          abort: () => (options.closes ? inner.close() : undefined)
        })
        const pump: Effect.Effect<void> = Effect.matchEffect(inner.pull, {
          onFailure: (error) =>
            Effect.sync(() => {
              if (options.hidesErrors) {
                events.push({ data: "", json: { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] } })
                events.end()
              } else events.fail(error)
            }),
          onSuccess: (batch) => {
            for (const event of batch) events.push(event)
            return batch.length === 0 ? Effect.sync(() => events.end()) : pump
          }
        })
        yield* Effect.forkDaemon(pump)
        return { ...response, events, journal: request.route.journal }
      })
    })
  )

describe("the contract of the attempt tier", () => {
  describe("is kept by a layer that watches the call", () => {
    for (const { name, check } of Contract.attemptLayer(Effect.succeed(counting), brief)) it.effect(name, () => check)
  })

  describe("is kept by a limiter that gives every permit back", () => {
    for (const { name, check } of Contract.attemptLayer(limiter(20), brief)) it.effect(name, () => check)
  })

  describe("is kept by a layer that replaces the stream and passes on its end and its closing", () => {
    for (const { name, check } of Contract.attemptLayer(
      Effect.succeed(pumped({ closes: true, hidesErrors: false })),
      brief
    )) {
      it.effect(name, () => check)
    }
  })

  const wrong: ReadonlyArray<readonly [what: string, layer: Effect.Effect<Service.AttemptLayer>, rule: string]> = [
    [
      "forgets the inner status",
      Effect.succeed((next) => Service.attempt(next.call)),
      "is never more ready than the inner service"
    ],
    [
      "calls a closed service busy",
      Effect.succeed((next) =>
        Service.attempt(next.call, (...args) => (next.status(...args) === open ? open : busy("inner")))
      ),
      "is never more ready than the inner service"
    ],
    [
      "makes a limit of what failures closed",
      Effect.succeed((next) =>
        Service.attempt(next.call, (...args) => {
          const status = next.status(...args)
          return status._tag === "Open" ? status : { ...status, cause: "limit" }
        })
      ),
      "passes on the cause of the inner service's answer"
    ],
    [
      "copies the body",
      Effect.succeed(mapResponse((one) => (one._tag === "Complete" ? { ...one, body: { ...one.body } } : one))),
      "passes a whole answer unchanged"
    ],
    [
      "renames errors",
      Effect.succeed(
        Service.mapAttempt((call) => Effect.mapError(call, (error) => error.with({ reason: "Unavailable" })))
      ),
      "passes an error that forbids a retry, with its reason and the provider's words"
    ],
    [
      "repeats what must not be repeated",
      Effect.succeed((next) => Service.attempt((a) => Effect.catchAll(next.call(a), () => next.call(a)), next.status)),
      "passes an error that forbids a retry, with its reason and the provider's words"
    ],
    [
      "begins when it is built",
      Effect.succeed((next) =>
        Service.attempt((a) => {
          const fiber = Effect.runFork(next.call(a))
          return Fiber.join(fiber)
        }, next.status)
      ),
      "builds a call without running anything"
    ],
    [
      "reserves when it is built",
      Effect.sync((): Service.AttemptLayer => {
        let built = 0
        return (next) =>
          Service.attempt(
            (a) =>
              ++built > 50 ? Effect.fail(new LlmError({ reason: "Rejected", description: "full" })) : next.call(a),
            next.status
          )
      }),
      "builds a call without running anything"
    ],
    [
      "remembers the first answer",
      Effect.succeed((next) =>
        Service.attempt((a) => {
          let first: LlmResponse | undefined
          return Effect.suspend(() =>
            first !== undefined
              ? Effect.succeed(first)
              : Effect.tap(next.call(a), (answer) => {
                  first = answer
                })
          )
        }, next.status)
      ),
      "runs a call value anew each time"
    ],
    [
      "cannot be interrupted",
      Effect.succeed(Service.mapAttempt(Effect.uninterruptible)),
      "lets an interruption reach the inner call and settles it once, as abandoned"
    ],
    [
      "detaches the inner call",
      Effect.succeed(Service.mapAttempt((call) => Effect.flatMap(Effect.forkDaemon(call), Fiber.join))),
      "lets an interruption reach the inner call and settles it once, as abandoned"
    ],
    [
      "takes an event out of the stream",
      Effect.succeed(
        Service.mapAttempt((call) =>
          Effect.tap(call, (one) => (one._tag === "Streaming" ? one.events.pull : Effect.void))
        )
      ),
      "passes a stream's events unchanged and in order"
    ],
    [
      "does not pass on the closing",
      Effect.succeed(pumped({ closes: false, hidesErrors: false })),
      "closes the inner stream once when its reader leaves"
    ],
    [
      "hides that a stream broke",
      Effect.succeed(pumped({ closes: true, hidesErrors: true })),
      "never lets a broken stream end cleanly"
    ],
    [
      "swallows defects",
      Effect.succeed(
        Service.mapAttempt((call) =>
          Effect.catchAllDefect(call, () => Effect.fail(new LlmError({ reason: "Unavailable", description: "died" })))
        )
      ),
      "does not swallow a defect of the inner service"
    ],
    [
      "gives permits back only when the call succeeds or fails",
      Effect.sync((): Service.AttemptLayer => {
        let taken = 0
        const full = busy("maxParallel")
        return (next) =>
          Service.attempt(
            (a) =>
              Effect.suspend(() => {
                taken++
                return Effect.tapBoth(next.call(a), {
                  onFailure: () => Effect.sync(() => taken--),
                  onSuccess: () => Effect.sync(() => taken--)
                })
              }),
            (slot, request, now) => (taken > 0 ? full : next.status(slot, request, now))
          )
      }),
      "leaves nothing in flight after calls that end in every way"
    ],
    [
      "takes its permit before it watches the call",
      Effect.sync((): Service.AttemptLayer => {
        let taken = 0
        const full = busy("maxParallel")
        return (next) =>
          Service.attempt(
            (a) =>
              Effect.suspend(() => {
                taken++
                return Service.onSettled(next.call(a), () => taken--)
              }),
            (slot, request, now) => (taken > 0 ? full : next.status(slot, request, now))
          )
      }),
      "gives everything back when it is interrupted between any two operations"
    ]
  ]
  describe("is broken by a layer that", () => {
    for (const [what, layer, rule] of wrong) {
      it.effect(`${what}: not "${rule}"`, () =>
        Effect.gen(function* () {
          const checks = Contract.attemptLayer(layer).filter((one) => one.name === rule)
          assert.deepStrictEqual(yield* brokenRules(checks), [rule])
        })
      )
    }
  })

  it.effect("a violation says the rule and what was found", () =>
    Effect.gen(function* () {
      const checks = Contract.attemptLayer(Effect.succeed((next) => Service.attempt(next.call)))
      const error = yield* Effect.flip((checks[0] as Contract.Check).check)
      assert.match(error.message, /^is never more ready than the inner service: .*"Busy".*"Open"/)
    })
  )

  it.effect("each check makes a layer of its own and closes its scope", () =>
    Effect.gen(function* () {
      let made = 0
      let closed = 0
      const make = Effect.acquireRelease(
        Effect.sync(() => {
          made++
          return counting
        }),
        () => Effect.sync(() => closed++)
      )
      const checks = Contract.attemptLayer(make, brief)
      assert.strictEqual(made, 0)
      yield* brokenRules(checks)
      assert.strictEqual(made, checks.length)
      assert.strictEqual(closed, checks.length)
    })
  )

  it.effect("a layer that cannot be made is a defect of the check", () =>
    Effect.gen(function* () {
      const [first] = Contract.attemptLayer(Effect.fail("wrong options"))
      const exit = yield* Effect.exit((first as Contract.Check).check)
      assert.isTrue(Exit.isFailure(exit))
    })
  )
})

describe("the contract of the request tier", () => {
  const retryOnce: Service.RequestLayer = (next) =>
    Service.request((request) =>
      Effect.catchAll(Service.primed(Effect.suspend(() => next.call(request))), (error) =>
        error.retry === "never"
          ? Effect.fail(error)
          : Effect.delay(
              Effect.suspend(() => next.call(request)),
              "500 millis"
            )
      )
    )
  describe("is kept by a layer that retries after a wait", () => {
    for (const { name, check } of Contract.requestLayer(Effect.succeed(retryOnce), brief)) it.effect(name, () => check)
  })

  it.effect("a layer that may answer itself is not asked to call every time", () =>
    Effect.gen(function* () {
      const cache = Effect.sync((): Service.RequestLayer => {
        let kept: LlmResponse | undefined
        return (next) =>
          Service.request((request) =>
            Effect.suspend(() =>
              kept !== undefined && !request.stream
                ? Effect.succeed(kept)
                : Effect.tap(next.call(request), (answer) => {
                    if (answer._tag === "Complete") kept = answer
                  })
            )
          )
      })
      assert.deepStrictEqual(yield* brokenRules(Contract.requestLayer(cache, brief)), [
        "runs a call value anew each time"
      ])
      assert.deepStrictEqual(yield* brokenRules(Contract.requestLayer(cache, { ...brief, mayAnswerItself: true })), [])
    })
  )

  it.effect("finds a layer that calls somebody open who is not, or whom nobody knows", () =>
    Effect.gen(function* () {
      const rule = "names nobody who opens sooner than the inner service says"
      const hasty: Service.RequestLayer = (next) =>
        Service.request(next.call, (request, now) =>
          next.openings(request, now).map((opening) => ({ ...opening, opensAt: now }))
        )
      const inventive: Service.RequestLayer = (next) =>
        Service.request(next.call, (_, now) => [
          { deployment: StubLlm.deployment("mine").id, opensAt: now, namedAt: now }
        ])
      const stricter: Service.RequestLayer = (next) =>
        Service.request(next.call, (request, now) =>
          next.openings(request, now).map((opening) => ({ ...opening, opensAt: opening.opensAt + 1 }))
        )
      for (const [layer, broken] of [
        [hasty, [rule]],
        [inventive, [rule]],
        [stricter, []],
        [retryOnce, []]
      ] as const) {
        const checks = Contract.requestLayer(Effect.succeed(layer)).filter(({ name }) => name === rule)
        assert.strictEqual(checks.length, 1)
        assert.deepStrictEqual(yield* brokenRules(checks), broken)
      }
    })
  )

  it.effect("knows nothing of status", () =>
    Effect.sync(() => {
      const names = Contract.requestLayer(Effect.succeed(retryOnce)).map((one) => one.name)
      assert.notInclude(names, "is never more ready than the inner service")
      assert.strictEqual(new Set(names).size, names.length)
    })
  )
})

describe("a permit that is never given back", () => {
  const rule = "still answers when any number of calls has ended, in whichever way"
  const rejected = new LlmError({ reason: "Rejected", description: "full" })
  /** Which calls keep their permit. */
  type Keeps = (response: LlmResponse) => boolean
  const ofStreams: Keeps = ({ _tag }) => _tag === "Streaming"

  const counter = () => {
    let taken = 0
    const leaking =
      (limit: number, keeps: Keeps) =>
      (call: Service.Call): Service.Call =>
        Effect.suspend(() => {
          if (taken >= limit) return Effect.fail(rejected)
          taken++
          const back = Effect.sync(() => void taken--)
          return Effect.onExit(call, (exit) => (Exit.isSuccess(exit) && keeps(exit.value) ? Effect.void : back))
        })
    return { leaking, taken: () => taken }
  }
  const attempts = (limit: number, hasStatus: boolean): Effect.Effect<Service.AttemptLayer> =>
    Effect.sync(() => (next) => {
      const { leaking, taken } = counter()
      const leak = leaking(limit, ofStreams)
      return Service.attempt(
        (attempt) => leak(next.call(attempt)),
        (slot, request, now) => (hasStatus && taken() >= limit ? busy("maxParallel") : next.status(slot, request, now))
      )
    })
  const requests = (limit: number, keeps: Keeps = ofStreams): Effect.Effect<Service.RequestLayer> =>
    Effect.sync(() => Service.mapRequest(counter().leaking(limit, keeps)))

  for (const [what, checks] of [
    ["of 50, its status passed on", Contract.attemptLayer(attempts(50, false))],
    ["of 20, its status passed on", Contract.attemptLayer(attempts(20, false))],
    ["of 1,000, its own status", Contract.attemptLayer(attempts(1000, true))],
    ["of 50, its own status", Contract.attemptLayer(attempts(50, true))],
    ["of 333 in the request tier", Contract.requestLayer(requests(333))],
    ["of 1 in the request tier", Contract.requestLayer(requests(1))],
    [
      "of 50 for whole answers",
      Contract.requestLayer(
        requests(50, ({ _tag }) => _tag === "Complete"),
        brief
      )
    ]
  ] as const) {
    it.effect(`is found: a stream's, ${what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* brokenRules(checks.filter(({ name }) => name === rule)), [rule])
      })
    )
  }

  for (const [what, keeps] of [
    ["failures", (exit: Exit.Exit<LlmResponse, LlmError>) => Exit.isFailure(exit) && !Exit.isInterrupted(exit)],
    ["interruptions", (exit: Exit.Exit<LlmResponse, LlmError>) => Exit.isInterrupted(exit)]
  ] as const) {
    it.effect(`is found where only ${what} keep theirs`, () =>
      Effect.gen(function* () {
        const layer = Effect.sync((): Service.RequestLayer => {
          let taken = 0
          return Service.mapRequest((call) =>
            Effect.suspend(() => {
              if (taken >= 50) return Effect.fail(rejected)
              taken++
              return Service.onSettled(
                Effect.onExit(call, (exit) =>
                  Effect.sync(() => {
                    if (Exit.isFailure(exit) && !keeps(exit)) taken--
                  })
                ),
                (outcome) => {
                  if (outcome._tag === "Completed") taken--
                }
              )
            })
          )
        })
        const checks = Contract.requestLayer(layer, brief).filter(({ name }) => name === rule)
        assert.deepStrictEqual(yield* brokenRules(checks), [rule])
      })
    )
  }

  it.effect("is found at once, whatever the limit, where it is told what is held", () =>
    Effect.gen(function* () {
      let held = () => 0
      const layer = Effect.sync((): Service.RequestLayer => {
        const { leaking, taken } = counter()
        held = taken
        return Service.mapRequest(leaking(1_000_000, ofStreams))
      })
      const broken = yield* brokenRules(Contract.requestLayer(layer, { ...brief, held: () => held() }))
      assert.includeMembers([...broken], [rule, "never lets a broken stream end cleanly"])
      assert.notInclude(broken, "passes a whole answer unchanged")
    })
  )

  it.effect("is no concern of a limit by the minute that is used up and free again", () =>
    Effect.gen(function* () {
      const perMinute = Effect.sync((): Service.RequestLayer => {
        let until = 0
        let left = 0
        return Service.mapRequest((call) =>
          Effect.clockWith((clock) => {
            const now = clock.unsafeCurrentTimeMillis()
            if (now >= until) {
              until = now + 60_000
              left = 25
            }
            return left-- > 0 ? call : Effect.fail(rejected)
          })
        )
      })
      assert.deepStrictEqual(yield* brokenRules(Contract.requestLayer(perMinute, brief)), [])
    })
  )
})

describe("a layer that changes answers", () => {
  const changed = (json: JsonObject): JsonObject => ({ ...json, seen: true })
  const adding = (raw: (body: JsonObject) => string): Service.RequestLayer =>
    Service.mapRequest((call) =>
      Effect.map(call, (response): LlmResponse => {
        if (response._tag === "Streaming") return response
        const body = changed(response.body)
        return { ...response, body, raw: raw(body) }
      })
    )
  const good = Effect.succeed(adding(JSON.stringify))

  it.effect("passes where it says so, and breaks one rule where it does not", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* brokenRules(Contract.requestLayer(good, { ...brief, mayChangeAnswers: true })), [])
      assert.deepStrictEqual(yield* brokenRules(Contract.requestLayer(good, brief)), [
        "passes a whole answer unchanged"
      ])
    })
  )
  it.effect("must say the same in the raw text and in the body", () =>
    Effect.gen(function* () {
      const checks = Contract.requestLayer(Effect.succeed(adding(() => "{}")), { ...brief, mayChangeAnswers: true })
      assert.deepStrictEqual(yield* brokenRules(checks), ["passes a whole answer unchanged"])
    })
  )
  it.effect("is still held to everything else", () =>
    Effect.gen(function* () {
      const swallowing: Service.AttemptLayer = (next) =>
        Service.attempt((attempt) => Effect.uninterruptible(next.call(attempt)), next.status)
      const broken = yield* brokenRules(
        Contract.attemptLayer(Effect.succeed(swallowing), { ...brief, mayChangeAnswers: true })
      )
      assert.include(broken, "lets an interruption reach the inner call and settles it once, as abandoned")
    })
  )
})

describe("what dies directly inside a layer", () => {
  /** Five permits, taken as the given function does it. */
  const taking = (
    take: (next: Service.AttemptService, taken: (by: number) => void) => Service.AttemptService["call"]
  ) =>
    Effect.sync((): Service.AttemptLayer => {
      let taken = 0
      return (next) => {
        const call = take(next, (by) => {
          taken += by
        })
        const full = new LlmError({ reason: "Rejected", description: "full" })
        return Service.attempt(
          (attempt) => Effect.suspend(() => (taken >= 5 ? Effect.fail(full) : call(attempt))),
          next.status
        )
      }
    })
  const breaks = (layer: Effect.Effect<Service.AttemptLayer>, rule: string) =>
    brokenRules(Contract.attemptLayer(layer).filter(({ name }) => name === rule))

  it.effect("takes no permit with it where the layer is a bracket, and is found out where it is not", () =>
    Effect.gen(function* () {
      const atCall = "gives everything back though the inner service throws where it is called"
      const atEnd = "gives everything back once though what it stands around throws at its end"
      const right = taking(
        (next, by) => (attempt) =>
          Service.bracket(
            () => by(1),
            () => next.call(attempt),
            () => by(-1)
          )
      )
      const beforeTheCall = taking((next, by) => (attempt) => {
        by(1)
        return Service.onSettled(next.call(attempt), () => by(-1))
      })
      const afterAnswers = taking(
        (next, by) => (attempt) =>
          Effect.suspend(() => {
            by(1)
            return Effect.tap(next.call(attempt), () => Effect.sync(() => by(-1)))
          })
      )
      assert.deepStrictEqual([yield* breaks(right, atCall), yield* breaks(right, atEnd)], [[], []])
      assert.deepStrictEqual(yield* breaks(beforeTheCall, atCall), [atCall])
      assert.deepStrictEqual(yield* breaks(afterAnswers, atEnd), [atEnd])
    })
  )
})

describe("what goes on beside the calls", () => {
  const atRest = "leaves nothing running beside when all calls have ended"
  const withScope = "ends with its scope at once, also when it was made where nothing can be interrupted"
  const breaks = (layer: Effect.Effect<Service.RequestLayer, never, Scope.Scope>) =>
    brokenRules(Contract.requestLayer(layer, brief).filter(({ name }) => name === atRest || name === withScope))

  /** An alarm that is set for each call, and put off when the call is over. */
  const alarmed = (alarm: Effect.Effect<void>): Service.RequestLayer =>
    Service.mapRequest((call) =>
      Effect.acquireUseRelease(
        Effect.forkDaemon(alarm),
        () => call,
        (fiber) => Effect.sync(() => fiber.unsafeInterruptAsFork(fiber.id()))
      )
    )
  const passing: Service.RequestLayer = (next) => next
  const second = Effect.forever(Effect.sleep("1 second"))

  it.effect("is found out where a fiber that an acquire forked cannot be interrupted", () =>
    Effect.gen(function* () {
      const alarm = Effect.sleep("30 seconds")
      assert.deepStrictEqual(yield* breaks(Effect.succeed(alarmed(Effect.interruptible(alarm)))), [])
      assert.deepStrictEqual(yield* breaks(Effect.succeed(alarmed(alarm))), [atRest, withScope])
    })
  )

  it.effect("is found out where it waits for what never comes", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* breaks(Effect.succeed(alarmed(Effect.interruptible(Effect.never)))), [])
      assert.deepStrictEqual(yield* breaks(Effect.succeed(alarmed(Effect.never))), [atRest, withScope])
    })
  )

  it.effect("may be a loop that ends with the layer's scope, wherever the layer is made", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* breaks(Effect.as(Background.run(second), passing)), [])
      assert.deepStrictEqual(yield* breaks(Effect.as(Effect.forkScoped(second), passing)), [withScope])
      assert.deepStrictEqual(yield* breaks(Effect.as(Effect.forkDaemon(second), passing)), [withScope])
    })
  )
})
