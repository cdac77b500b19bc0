/**
 * What every layer must do, as checks that a test file runs over a layer of its own. They need no test runner: each is a
 * named effect that succeeds, or fails with a `ContractViolation` that says which rule was broken and how.
 *
 * ```ts
 * for (const { name, check } of Contract.attemptLayer(Effect.succeed(Latency.make(deps, options)))) {
 *   it.effect(name, () => check)
 * }
 * ```
 */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Service from "@switchyard/core/Service"
import { Data, Effect, type Scope, Supervisor } from "effect"
import * as ManualClock from "../ManualClock.js"
import * as StubLlm from "../StubLlm.js"
import { answerRules } from "./answerRules.js"
import { bracketRules } from "./bracketRules.js"
import { type Beside, type BuildRule, type ContractOptions, type Rule, request, type Subject } from "./contractRules.js"
import { endingRules } from "./endingRules.js"
import { leakRules, nothingHeld } from "./leakRules.js"
import { openingRules, statusRules } from "./readinessRules.js"
import { restRules, scopeRules } from "./restRules.js"
import { scheduleRules } from "./scheduleRules.js"
import { Trouble } from "./trouble.js"

export type { ContractOptions }

const rules = [...answerRules, ...endingRules, ...scheduleRules, ...bracketRules, ...leakRules, ...restRules]

/** A layer does not do what every layer must. */
export class ContractViolation extends Data.TaggedError("ContractViolation")<{
  /** The name of the check. */
  readonly rule: string
  /** What was found instead. */
  readonly detail: string
}> {
  override get message(): string {
    return `${this.rule}: ${this.detail}`
  }
}

/** One check, ready to run: it makes a layer, a stub and a clock of its own. */
export interface Check {
  readonly name: string
  readonly check: Effect.Effect<void, ContractViolation>
}

/** What a subject is made with. */
interface Surroundings {
  readonly time: ManualClock.ManualClock
  readonly beside: () => Beside
}

/** The layer and the state of a rule, which both end with it. */
const inItsScope =
  (rule: Rule, options: ContractOptions): BuildRule =>
  (build) =>
    Effect.scoped(
      Effect.flatMap(build, (subject) =>
        Effect.zipRight(rule(subject, options), nothingHeld(options.held, "at the end"))
      )
    )

const toChecks = <E>(
  ruled: ReadonlyArray<readonly [name: string, rule: Rule]>,
  makeSubject: (surroundings: Surroundings) => Effect.Effect<Subject, E, Scope.Scope>,
  options: ContractOptions
): ReadonlyArray<Check> =>
  [...ruled.map(([name, rule]) => [name, inItsScope(rule, options)] as const), ...scopeRules].map(([name, rule]) => ({
    name,
    check: Effect.suspend(() => {
      const time = ManualClock.make()
      const running = Supervisor.unsafeTrack()
      const beside = () => ({ fibers: Effect.runSync(running.value).length, sleepers: time.sleeping() })
      const build = Effect.withClock(Effect.orDie(makeSubject({ time, beside })), time.clock)
      return Effect.supervised(rule(build), running)
    }).pipe(Effect.mapError(({ detail }) => new ContractViolation({ rule: name, detail })))
  }))

/**
 * The checks for a layer of the attempt tier. `makeLayer` is run once per check, so that no state is carried over; its
 * failures are defects.
 */
export const attemptLayer = <E>(
  makeLayer: Effect.Effect<Service.AttemptLayer, E, Scope.Scope>,
  options: ContractOptions = {}
): ReadonlyArray<Check> =>
  toChecks(
    [...statusRules, ...rules],
    ({ beside, time }) =>
      Effect.map(makeLayer, (layer): Subject => {
        const stub = StubLlm.make()
        const slot = StubLlm.slot("contract", options.deployment)
        const answers: Array<LlmResponse> = []
        const remember = Service.mapAttempt((call) => Effect.tap(call, (answer) => answers.push(answer)))
        const trouble = new Trouble()
        const service = layer(trouble.attempts(remember(stub.attempts)))
        return {
          stub,
          trouble,
          time,
          answers,
          beside,
          status: () => service.status(slot, request(false), time.now()),
          openings: undefined,
          build: (stream, prompt) => {
            const attempt = StubLlm.attempt(request(stream, prompt), slot, time.now())
            return { call: Service.primed(service.call(attempt)), release: () => attempt.release() }
          }
        }
      }),
    options
  )

/**
 * The checks for a layer of the request tier. `makeLayer` is run once per check, so that no state is carried over; its
 * failures are defects.
 */
export const requestLayer = <E>(
  makeLayer: Effect.Effect<Service.RequestLayer, E, Scope.Scope>,
  options: ContractOptions = {}
): ReadonlyArray<Check> =>
  toChecks(
    [...openingRules, ...rules],
    ({ beside, time }) =>
      Effect.map(makeLayer, (layer): Subject => {
        const stub = StubLlm.make()
        const answers: Array<LlmResponse> = []
        const remember = Service.mapRequest((call) =>
          Effect.tap(Service.primed(call), (answer) => answers.push(answer))
        )
        const trouble = new Trouble()
        const service = layer(trouble.requests(remember(stub.requests)))
        return {
          stub,
          trouble,
          time,
          answers,
          beside,
          status: undefined,
          openings: () => service.openings(LlmRequest.begin(request(false), time.now()), time.now()),
          build: (stream, prompt) => {
            const begun = LlmRequest.begin(request(stream, prompt), time.now())
            return { call: service.call(begun), release: () => begun.route.journal.releaseAll() }
          }
        }
      }),
    options
  )
