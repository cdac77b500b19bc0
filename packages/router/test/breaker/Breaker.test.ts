import { assert, describe, it } from "@effect/vitest"
import * as HealthStatus from "@switchyard/router/HealthStatus"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import { cases } from "@switchyard/testing/Effort"
import { FastCheck } from "effect"
import { Breaker, type Ticket } from "../../src/breaker/breaker.js"
import type { Overrides, Policy } from "../../src/breaker/breakerPolicy.js"
import { RateWindow } from "../../src/time/rateWindow.js"

const policy: Policy = {
  failures: 5,
  failureRate: 0.5,
  windowFailures: Number.POSITIVE_INFINITY,
  minimumCalls: 10,
  window: 60_000,
  allowedFails: {},
  duration: 5000,
  maxDuration: 20_000,
  tripDuration: 300_000,
  jitter: 0.2,
  maxRetryAfter: 60_000,
  retryAfterJitter: 0.1,
  permits: 1,
  successThreshold: 3,
  slowStart: 0
}
const none: Overrides = { cooldown: undefined, allowedFails: undefined }

const setup = (random: () => number = () => 0) => {
  const events: Array<RouterEvent> = []
  return { breaker: new Breaker("a", random, (event) => events.push(event)), events }
}

const admit = (breaker: Breaker, now: number, rules = policy): Ticket => {
  const ticket = breaker.admit(rules, now, false)
  assert.isDefined(ticket)
  return ticket as Ticket
}

const fail = (breaker: Breaker, now: number, times = 1, rules = policy) => {
  for (let i = 0; i < times; i++) breaker.failed(admit(breaker, now, rules), "Unavailable", false, none, rules, now)
}

const succeed = (breaker: Breaker, now: number, times = 1, rules = policy) => {
  for (let i = 0; i < times; i++) breaker.succeeded(admit(breaker, now, rules), rules, now)
}

const untilOf = (breaker: Breaker, now: number): number => breaker.view(now).until ?? Number.NaN

describe("durations", () => {
  it("double with each re-trip up to the cap, and start again after a recovery", () => {
    const { breaker } = setup()
    let now = 0
    fail(breaker, now, 5)
    const durations = [untilOf(breaker, now) - now]
    for (let i = 0; i < 4; i++) {
      now = untilOf(breaker, now)
      fail(breaker, now)
      durations.push(untilOf(breaker, now) - now)
    }
    assert.deepStrictEqual(durations, [5000, 10_000, 20_000, 20_000, 20_000])
    now = untilOf(breaker, now)
    succeed(breaker, now, 3)
    assert.strictEqual(breaker.view(now).circuit, "closed")
    fail(breaker, now, 5)
    assert.strictEqual(untilOf(breaker, now) - now, 5000)
  })
  it("are shortened by chance, by a fifth at most", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.double({ min: 0, max: 0.999_999, noNaN: true }), (chance) => {
        const { breaker } = setup(() => chance)
        fail(breaker, 1000, 5)
        const duration = untilOf(breaker, 1000) - 1000
        assert.isAtMost(duration, 5000)
        assert.isAbove(duration, 4000 - 1e-6)
        assert.closeTo(duration, 5000 * (1 - 0.2 * chance), 1e-6)
      })
    )
  })
  it("a duration longer than the cap is itself the cap", () => {
    const { breaker } = setup()
    const rules = { ...policy, duration: 30_000 }
    fail(breaker, 0, 5, rules)
    assert.strictEqual(untilOf(breaker, 0), 30_000)
    fail(breaker, 30_000, 1, rules)
    assert.strictEqual(untilOf(breaker, 30_000), 60_000)
  })
  it("a failure during a cooldown never shortens it; one that opens at once may make it longer", () => {
    const { breaker } = setup()
    fail(breaker, 0, 5)
    const forced = () => breaker.admit(policy, 1000, true) as Ticket
    breaker.failed(forced(), "Unavailable", false, none, policy, 1000)
    assert.strictEqual(untilOf(breaker, 1000), 5000)
    breaker.failed(forced(), "Authentication", true, none, policy, 1000)
    assert.strictEqual(untilOf(breaker, 1000), 301_000)
    breaker.failed(forced(), "Authentication", true, none, { ...policy, tripDuration: 1 }, 2000)
    assert.strictEqual(untilOf(breaker, 2000), 301_000)
  })
  it("cooling by hand extends a cooldown and never shortens it", () => {
    const { breaker } = setup()
    fail(breaker, 0, 5)
    breaker.cool("manual", 1000, 0)
    assert.strictEqual(untilOf(breaker, 0), 5000)
    breaker.cool("manual", 60_000, 0)
    assert.strictEqual(untilOf(breaker, 0), 60_000)
    assert.strictEqual(breaker.view(0).reason, "manual")
  })
})

describe("epochs", () => {
  it("a success from before the trip neither closes the breaker nor frees a permit", () => {
    const { breaker } = setup()
    const early = admit(breaker, 0)
    fail(breaker, 0, 5)
    breaker.succeeded(early, policy, 1)
    assert.strictEqual(breaker.view(1).health, "Cooldown")
    const probe = admit(breaker, 5000)
    const another = breaker.admit(policy, 5000, false)
    breaker.succeeded(early, policy, 5000)
    assert.isUndefined(another)
    assert.strictEqual(breaker.view(5000).permits, 0)
    assert.strictEqual(breaker.view(5000).consecutiveSuccesses, 0)
    breaker.undecided(probe)
    assert.strictEqual(breaker.view(5000).permits, 1)
  })
  it("failures of calls that began together open it once, and the late ones change nothing", () => {
    const { breaker, events } = setup()
    const tickets = Array.from({ length: 50 }, () => admit(breaker, 0))
    for (const ticket of tickets) breaker.failed(ticket, "Unavailable", false, none, policy, 100)
    assert.deepStrictEqual(
      events.map((event) => event._tag),
      ["CooldownOpened"]
    )
    const { trips, until } = breaker.view(100)
    assert.deepStrictEqual({ trips, until }, { trips: 1, until: 5100 })
  })
  it("a failure from before the recovery does not count after it", () => {
    const { breaker } = setup()
    const rules = { ...policy, permits: 2, failures: 1 }
    fail(breaker, 0, 1, rules)
    const slow = admit(breaker, 5000, rules)
    succeed(breaker, 5000, 3, rules)
    assert.strictEqual(breaker.view(5000).health, "Healthy")
    breaker.failed(slow, "Unavailable", false, none, rules, 6000)
    assert.strictEqual(breaker.view(6000).health, "Healthy")
    assert.strictEqual(breaker.view(6000).consecutiveFailures, 0)
  })
  it("a probe that failed after its first content re-opens the breaker while the trial lasts", () => {
    const { breaker } = setup()
    fail(breaker, 0, 5)
    const probe = admit(breaker, 5000)
    breaker.succeeded(probe, policy, 5000)
    breaker.failed(probe, "StreamInterrupted", false, none, policy, 6000)
    assert.strictEqual(untilOf(breaker, 6000), 16_000)
  })
  it("a call is counted once, however often its success is told", () => {
    const { breaker } = setup()
    fail(breaker, 0, 5)
    const probe = admit(breaker, 5000)
    breaker.succeeded(probe, policy, 5000)
    breaker.succeeded(probe, policy, 5001)
    assert.strictEqual(breaker.view(5001).consecutiveSuccesses, 1)
    const left = admit(breaker, 5001)
    breaker.undecided(left)
    breaker.succeeded(left, policy, 5002)
    assert.strictEqual(breaker.view(5002).consecutiveSuccesses, 1)
    assert.strictEqual(breaker.view(5002).permits, 2)
  })
})

describe("slow start", () => {
  it("a recovered deployment ramps up from a tenth to its full share; without the option it has it at once", () => {
    const rules = { ...policy, slowStart: 10_000 }
    const ramped = setup().breaker
    fail(ramped, 0, 5, rules)
    assert.strictEqual(ramped.rampFactor(0), 1)
    succeed(ramped, 5000, 3, rules)
    assert.deepStrictEqual(
      [5000, 5500, 6000, 10_000, 15_000, 99_000].map((now) => ramped.rampFactor(now)),
      [0.1, 0.1, 0.1, 0.5, 1, 1]
    )
    const plain = setup().breaker
    fail(plain, 0, 5)
    succeed(plain, 5000, 3)
    assert.strictEqual(plain.rampFactor(5000), 1)
  })
})

describe("reset by hand", () => {
  it("ends cooldown and Retry-After at once, but trusts nothing yet", () => {
    const { breaker, events } = setup()
    breaker.retryAfter(30_000, policy, 0)
    breaker.reset(0)
    assert.strictEqual(breaker.status(0)._tag, "Open")
    fail(breaker, 0, 5)
    breaker.reset(10)
    assert.strictEqual(breaker.status(10)._tag, "Open")
    assert.strictEqual(breaker.view(10).health, "Degraded")
    assert.deepStrictEqual(
      events.map((event) => event._tag),
      ["CooldownOpened", "CooldownClosed"]
    )
  })
})

/** Random lives of one breaker: calls that begin and end in any order, time that passes, probes and operators. */
type Step =
  | { readonly _tag: "admit"; readonly forced: boolean }
  | { readonly _tag: "end"; readonly which: number; readonly how: "success" | "failure" | "trip" | "neutral" }
  | { readonly _tag: "pass"; readonly ms: number }
  | { readonly _tag: "retryAfter"; readonly ms: number }
  | { readonly _tag: "probe"; readonly good: boolean }
  | { readonly _tag: "cool"; readonly ms: number }
  | { readonly _tag: "reset" }

const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  {
    weight: 6,
    arbitrary: FastCheck.record({ _tag: FastCheck.constant("admit" as const), forced: FastCheck.boolean() })
  },
  {
    weight: 8,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("end" as const),
      which: FastCheck.nat(20),
      how: FastCheck.constantFrom<"success" | "failure" | "trip" | "neutral">(
        "success",
        "success",
        "failure",
        "failure",
        "failure",
        "trip",
        "neutral"
      )
    })
  },
  { weight: 3, arbitrary: FastCheck.record({ _tag: FastCheck.constant("pass" as const), ms: FastCheck.nat(8000) }) },
  {
    weight: 1,
    arbitrary: FastCheck.record({ _tag: FastCheck.constant("retryAfter" as const), ms: FastCheck.nat(90_000) })
  },
  { weight: 1, arbitrary: FastCheck.record({ _tag: FastCheck.constant("probe" as const), good: FastCheck.boolean() }) },
  { weight: 1, arbitrary: FastCheck.record({ _tag: FastCheck.constant("cool" as const), ms: FastCheck.nat(9000) }) },
  { weight: 1, arbitrary: FastCheck.constant<Step>({ _tag: "reset" }) }
)

const rules: FastCheck.Arbitrary<Policy> = FastCheck.record({
  failures: FastCheck.integer({ min: 1, max: 4 }),
  permits: FastCheck.integer({ min: 1, max: 3 }),
  successThreshold: FastCheck.integer({ min: 2, max: 4 })
}).map((some) => ({ ...policy, tripDuration: 9000, ...some }))

interface Life {
  readonly breaker: Breaker
  readonly running: Array<Ticket>
  readonly now: () => number
}

/** Lives through the steps and lets `check` look at the breaker after each. */
const live = (rules: Policy, steps: ReadonlyArray<Step>, check: (life: Life, before: string) => void) => {
  const { breaker } = setup(() => 0.5)
  const running: Array<Ticket> = []
  let now = 0
  const life: Life = { breaker, running, now: () => now }
  for (const step of steps) {
    const before = breaker.view(now).health
    if (step._tag === "pass") now += step.ms
    else if (step._tag === "retryAfter") breaker.retryAfter(step.ms, rules, now)
    else if (step._tag === "cool") breaker.cool("manual", step.ms, now)
    else if (step._tag === "reset") breaker.reset(now)
    else if (step._tag === "probe") {
      if (step.good) breaker.probeRecovered(now)
      else breaker.probeFailed("Unavailable", now)
    } else if (step._tag === "admit") {
      const ticket = breaker.admit(rules, now, step.forced)
      if (ticket !== undefined) running.push(ticket)
    } else {
      const [ticket] = running.splice(step.which % Math.max(1, running.length), 1)
      if (ticket === undefined) continue
      if (step.how === "success") breaker.succeeded(ticket, rules, now)
      else if (step.how === "neutral") breaker.undecided(ticket)
      else breaker.failed(ticket, "Unavailable", step.how === "trip", none, rules, now)
    }
    check(life, before)
  }
}

const lives = FastCheck.tuple(rules, FastCheck.array(step, { minLength: 20, maxLength: 120 }))
const runs = { numRuns: cases(2000) }

describe("over random lives", () => {
  it("only allowed transitions of the health happen", () => {
    FastCheck.assert(
      FastCheck.property(lives, ([rules, steps]) => {
        live(rules, steps, ({ breaker, now }, before) => {
          const { health } = breaker.view(now())
          if (!HealthStatus.canBecome(before as HealthStatus.HealthStatus, health)) {
            throw new Error(`${before} became ${health}`)
          }
        })
      }),
      runs
    )
  })
  it("no permit is lost: those out and those free are always all there are", () => {
    FastCheck.assert(
      FastCheck.property(lives, ([rules, steps]) => {
        live(
          rules,
          steps.filter((step) => step._tag !== "cool"),
          ({ breaker, now, running }) => {
            const view = breaker.view(now())
            if (view.circuit !== "halfOpen") return
            const out = running.filter((ticket) => ticket.permit && ticket.epoch === view.epoch).length
            const all = rules.permits + view.consecutiveSuccesses
            if (view.permits + out !== all) throw new Error(`${view.permits} free and ${out} out of ${all}`)
          }
        )
      }),
      runs
    )
  })
  it("status and admission agree, and the health of what is admitted is a selectable one", () => {
    FastCheck.assert(
      FastCheck.property(lives, ([rules, steps]) => {
        live(rules, steps, ({ breaker, now, running }) => {
          const status = breaker.status(now())
          const { health } = breaker.view(now())
          const ticket = breaker.admit(rules, now(), false)
          if (ticket !== undefined) running.push(ticket)
          if ((status._tag === "Open") !== (ticket !== undefined)) throw new Error(`${status._tag}, but ${ticket}`)
          if (ticket !== undefined && !HealthStatus.isSelectable(health)) throw new Error(`admitted while ${health}`)
        })
      }),
      runs
    )
  })
  it("a closed breaker never says an earlier time than it said before, unless an operator resets it", () => {
    FastCheck.assert(
      FastCheck.property(lives, ([rules, steps]) => {
        let last: number | undefined
        live(
          rules,
          steps.filter((step) => step._tag !== "reset"),
          ({ breaker, now }) => {
            const { blockedBy, circuit, until } = breaker.view(now())
            if (circuit !== "open") last = undefined
            if (circuit !== "open" || blockedBy !== "cooldown" || until === undefined) return
            if (last !== undefined && until < last) throw new Error(`${last} became ${until}`)
            last = until
          }
        )
      }),
      runs
    )
  })
})

describe("the rate window", () => {
  it("counts what a plain list of times counts, to within one bucket", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.nat(5000), { maxLength: 200 }), (gaps) => {
        const window = new RateWindow(60_000, 60)
        const times: Array<number> = []
        let now = 0
        for (const gap of gaps) {
          now += gap
          window.add(now)
          times.push(now)
          const counted = window.total(now)
          const within = (ms: number) => times.filter((time) => now - time < ms).length
          if (counted > within(60_000) || counted < within(59_000)) {
            throw new Error(`${counted} at ${now}, not ${within(59_000)} to ${within(60_000)}`)
          }
        }
      })
    )
  })
  it("forgets everything after a long silence, and survives a clock that stands still", () => {
    const window = new RateWindow(60_000)
    for (let i = 0; i < 100; i++) window.add(1000)
    assert.strictEqual(window.total(1000), 100)
    assert.strictEqual(window.total(900), 100)
    assert.strictEqual(window.total(10_000_000), 0)
  })
})
