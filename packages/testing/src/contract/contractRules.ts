import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { type EventStream, toStream } from "@switchyard/core/EventStream"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import type { Opening } from "@switchyard/core/Opening"
import type * as Service from "@switchyard/core/Service"
import { busy, closed, type Status } from "@switchyard/core/Status"
import { Array as Arr, Cause, Data, Effect, Exit, Fiber, Option, Stream } from "effect"
import * as ManualClock from "../ManualClock.js"
import * as StubLlm from "../StubLlm.js"
import { drive, makeSchedules, type Schedule, settle } from "./schedules.js"

/** How to judge a layer that differs from the common case. */
export interface ContractOptions {
  /** Configuration of the deployment that attempts are made on, for layers that read it. */
  readonly deployment?: Partial<DeploymentConfig>
  /** The layer may answer without asking (a cache): running a call twice need not reach the inner service twice. */
  readonly mayAnswerItself?: boolean
  /** Seed of the random schedules, default 1. It is named when a schedule fails. */
  readonly seed?: number
}
/** A call through the layer under test, and what its owner closes when it fails. */
interface Built {
  readonly call: Service.Call
  readonly release: () => void
}

/** The layer under test over a stub. */
export interface Subject {
  readonly stub: StubLlm.StubLlm
  readonly time: ManualClock.ManualClock
  readonly build: (stream: boolean) => Built
  /** What the inner service answered, oldest first. */
  readonly answers: ReadonlyArray<LlmResponse>
  /** The outer status of the deployment; undefined on the request tier. */
  readonly status: (() => Status) | undefined
  /** What the outer service says of a plain request's readiness; undefined on the attempt tier. */
  readonly openings: (() => ReadonlyArray<Opening>) | undefined
}

export type Rule = (subject: Subject, options: ContractOptions) => Effect.Effect<void, Broken>

/** A broken rule, before it knows its name. */
class Broken extends Data.TaggedError("Broken")<{ readonly detail: string }> {}

const broken = (detail: string): Effect.Effect<never, Broken> => Effect.fail(new Broken({ detail }))
const expect = (holds: boolean, detail: () => string): Effect.Effect<void, Broken> =>
  holds ? Effect.void : Effect.suspend(() => broken(detail()))

export const request = (stream: boolean): LlmRequest.LlmRequest =>
  LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Say hello." }], stream }), 0)

/** The call as an owner makes it: what a failed one left open is closed. */
const owned = ({ call, release }: Built): Service.Call =>
  Effect.onExit(call, (exit) => (Exit.isFailure(exit) ? Effect.sync(release) : Effect.void))

const describeExit = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "a success" : Cause.pretty(exit.cause)

/** Runs an effect in the subject's time until it ends; one that does not end within an hour breaks the rule. */
const run = <A, E>(subject: Subject, effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>, Broken> =>
  Effect.flatMap(drive(subject.time, effect), (exit) =>
    exit === undefined ? broken("the call did not end within an hour") : Effect.succeed(exit)
  )

const answered = (subject: Subject, stream: boolean): Effect.Effect<LlmResponse, Broken> =>
  Effect.flatMap(run(subject, owned(subject.build(stream))), (exit) =>
    Exit.isSuccess(exit) ? Effect.succeed(exit.value) : broken(`the call failed: ${describeExit(exit)}`)
  )

const streamed = (subject: Subject): Effect.Effect<StreamingResponse, Broken> =>
  Effect.flatMap(answered(subject, true), (response) =>
    response._tag === "Streaming" ? Effect.succeed(response) : broken("a stream was asked for, a whole answer came")
  )

const readAll = (events: EventStream): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.map(Stream.runCollect(toStream(events)), (all) => Arr.fromIterable(all).map((event) => event.data))

const outcomeTags = (stub: StubLlm.StubLlm): string =>
  `[${stub.outcomes.map((outcome) => outcome._tag).join(", ")}] for ${stub.calls.length} calls`

const nothingOpen = ({ stub }: Subject): Effect.Effect<void, Broken> =>
  expect(
    stub.inFlight() === 0 && stub.openStreams() === 0 && stub.outcomes.length === stub.calls.length,
    () => `${stub.inFlight()} calls and ${stub.openStreams()} streams are still open; outcomes ${outcomeTags(stub)}`
  )

export const rules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "passes a whole answer unchanged",
    (subject) =>
      Effect.gen(function* () {
        const response = yield* answered(subject, false)
        const inner = subject.answers[0]
        if (response._tag !== "Complete" || inner?._tag !== "Complete") return yield* broken("the answer is not whole")
        yield* expect(response.body === inner.body, () => "the body is not the object that the inner service gave")
        yield* expect(response.raw === inner.raw, () => "the raw text was changed")
        yield* expect(response.status === inner.status, () => "the status was changed")
      })
  ],
  [
    "passes an error that forbids a retry, with its reason and the provider's words",
    (subject) =>
      Effect.gen(function* () {
        subject.stub.reply({ fail: { reason: "InvalidRequest", description: "400", providerMessage: "no such field" } })
        const exit = yield* run(subject, owned(subject.build(false)))
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        yield* expect(
          error?.reason === "InvalidRequest" && error.providerMessage === "no such field",
          () => `got ${describeExit(exit)}`
        )
        yield* expect(
          subject.stub.calls.length === 1,
          () => `the inner service was called ${subject.stub.calls.length} times`
        )
      })
  ],
  [
    "builds a call without running anything",
    (subject) =>
      Effect.gen(function* () {
        for (let i = 0; i < 100; i++) subject.build(i % 2 === 0)
        yield* settle
        yield* expect(
          subject.stub.calls.length === 0,
          () => `the inner service was called ${subject.stub.calls.length} times`
        )
        yield* answered(subject, false)
      })
  ],
  [
    "runs a call value anew each time",
    (subject, options) =>
      Effect.gen(function* () {
        const call = owned(subject.build(false))
        for (let i = 1; i <= 2; i++) {
          const exit = yield* run(subject, call)
          yield* expect(Exit.isSuccess(exit), () => `run ${i} ended with ${describeExit(exit)}`)
        }
        const { calls } = subject.stub
        yield* expect(
          options.mayAnswerItself === true || calls.length === 2,
          () => `two runs called the inner service ${calls.length} times`
        )
      })
  ],
  [
    "lets an interruption reach the inner call and settles it once, as abandoned",
    (subject) =>
      Effect.gen(function* () {
        const { stub } = subject
        stub.reply({ hang: true })
        // Daemons: a layer that cannot be interrupted must break this rule, not hang the test.
        const fiber = yield* Effect.forkDaemon(Effect.withClock(owned(subject.build(false)), subject.time.clock))
        yield* settle
        yield* expect(stub.inFlight() > 0, () => "the call never reached the inner service")
        const interrupting = yield* Effect.forkDaemon(Fiber.interrupt(fiber))
        yield* settle
        yield* expect(stub.inFlight() === 0, () => "the inner call goes on although its caller has left")
        yield* Fiber.join(interrupting)
        yield* expect(
          stub.outcomes.every((outcome) => outcome._tag === "Abandoned"),
          () => `outcomes ${outcomeTags(stub)}`
        )
        yield* nothingOpen(subject)
      })
  ],
  [
    "passes a stream's events unchanged and in order",
    (subject) =>
      Effect.gen(function* () {
        const reply: StubLlm.Reply = { text: "one two three, 四 👍🏽", firstToken: 20, gap: 5 }
        subject.stub.reply(reply)
        const { events } = yield* streamed(subject)
        const exit = yield* run(subject, readAll(events))
        const bare = yield* bareEvents(reply)
        yield* expect(Exit.isSuccess(exit), () => `the stream ended with ${describeExit(exit)}`)
        const data = Exit.isSuccess(exit) ? exit.value : []
        yield* expect(
          data.join("\n") === bare.join("\n"),
          () => `${data.length} events came, other than the ${bare.length} sent`
        )
        yield* expect(subject.stub.outcomes[0]?._tag === "Completed", () => `outcomes ${outcomeTags(subject.stub)}`)
        yield* nothingOpen(subject)
      })
  ],
  [
    "never lets a broken stream end cleanly",
    (subject) =>
      Effect.gen(function* () {
        subject.stub.reply({
          text: "one two three",
          failAfter: 1,
          fail: { reason: "Unavailable", description: "reset" }
        })
        const reading = Effect.flatMap(owned(subject.build(true)), (response) =>
          response._tag === "Streaming" ? readAll(response.events) : Effect.succeed([])
        )
        const exit = yield* run(subject, reading)
        yield* expect(
          Exit.isFailure(exit) && Option.isSome(Cause.failureOption(exit.cause)),
          () => `the inner stream was cut; the outer one ended with ${describeExit(exit)}`
        )
        yield* nothingOpen(subject)
      })
  ],
  [
    "closes the inner stream once when its reader leaves",
    (subject) =>
      Effect.gen(function* () {
        const { stub } = subject
        stub.reply({ text: "one two three", stallAfter: 1 })
        const { events } = yield* streamed(subject)
        yield* run(subject, events.pull)
        events.close()
        events.close()
        yield* settle
        yield* expect(
          stub.outcomes.length === 1 && stub.outcomes[0]?._tag === "Abandoned",
          () => `outcomes ${outcomeTags(stub)}`
        )
        yield* nothingOpen(subject)
      })
  ],
  [
    "does not swallow a defect of the inner service",
    (subject) =>
      Effect.gen(function* () {
        const defect = new Error("a bug in the inner service")
        subject.stub.reply({ defect })
        const exit = yield* run(subject, owned(subject.build(false)))
        const found = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : undefined
        yield* expect(found === defect, () => `the inner service died; the call ended with ${describeExit(exit)}`)
        yield* nothingOpen(subject)
      })
  ],
  [
    "gives everything back when it is interrupted between any two operations",
    (subject) =>
      Effect.gen(function* () {
        subject.stub.reply(({ index }) => (index % 2 === 0 ? { hang: true } : { text: "one two", stallAfter: 1 }))
        for (let shift = 0; shift < opsPerTurn; shift++) {
          for (let turns = 0; turns < 12; turns++) yield* interruptedAt(subject, turns % 2 === 1, shift, turns)
        }
        yield* settle
        yield* nothingOpen(subject)
        yield* notBusyForGood(subject)
      })
  ],
  [
    "leaves nothing in flight after 200 calls that end in every way",
    (subject, options) =>
      Effect.gen(function* () {
        const seed = options.seed ?? 1
        const schedules = makeSchedules(seed, 200)
        subject.stub.reply((call) => (schedules[call.index % schedules.length] as Schedule).reply)
        const all = Effect.forEach(schedules, (schedule) => follow(subject, schedule), {
          concurrency: "unbounded",
          discard: true
        })
        yield* run(subject, all)
        yield* settle
        yield* Effect.mapError(nothingOpen(subject), ({ detail }) => new Broken({ detail: `${detail} (seed ${seed})` }))
        yield* notBusyForGood(subject)
      })
  ]
]

/** `Busy` without a time means that a call in flight has to end first. */
const notBusyForGood = (subject: Subject): Effect.Effect<void, Broken> => {
  const status = subject.status?.()
  return expect(
    status?._tag !== "Busy" || status.until !== undefined,
    () => `nothing is in flight, and still the layer is busy for good: ${JSON.stringify(status)}`
  )
}

/** The fewest operations between two yields with which a fiber still makes progress through a deep stack. */
const opsPerTurn = 19

const oneOperationLater = (call: Service.Call): Service.Call => Effect.suspend(() => call)

/**
 * Makes a call whose fiber yields every few operations and interrupts it after so many turns; the shift moves the
 * yields, so that over all shifts and turns the interruption falls between any two operations of the beginning.
 */
const interruptedAt = (subject: Subject, stream: boolean, shift: number, turns: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const built = subject.build(stream)
    let call = owned(built)
    for (let i = 0; i < shift; i++) call = oneOperationLater(call)
    const fiber = yield* Effect.ensuring(call, Effect.sync(built.release)).pipe(
      Effect.withClock(subject.time.clock),
      Effect.withMaxOpsBeforeYield(opsPerTurn),
      Effect.forkDaemon
    )
    for (let i = 0; i < turns; i++) yield* Effect.yieldNow()
    yield* Fiber.interruptFork(fiber)
    for (let i = 0; i < 20; i++) yield* Effect.yieldNow()
  })

/** One caller: sends, reads as far as it likes, and leaves for good when its patience ends. */
const follow = (subject: Subject, schedule: Schedule): Effect.Effect<void> =>
  Effect.gen(function* () {
    const built = subject.build(schedule.stream)
    const caller = Effect.flatMap(owned(built), (response) => {
      if (response._tag === "Complete") return Effect.void
      const { events } = response
      return Stream.runDrain(
        schedule.pulls === undefined ? toStream(events) : Stream.take(toStream(events), schedule.pulls)
      )
    })
    // An answer that the interruption swallowed on its way up is closed by its owner.
    const fiber = yield* Effect.fork(Effect.ensuring(caller, Effect.sync(built.release)))
    yield* Effect.sleep(schedule.patience)
    for (let i = 0; i < schedule.yields; i++) yield* Effect.yieldNow()
    yield* Fiber.interrupt(fiber)
  }).pipe(Effect.delay(schedule.start), Effect.withMaxOpsBeforeYield(schedule.maxOps))

/** The events that a stub sends when nothing is around it. */
const bareEvents = (reply: StubLlm.Reply): Effect.Effect<ReadonlyArray<string>, Broken> =>
  Effect.suspend(() => {
    const stub = StubLlm.make(reply)
    const reading = Effect.flatMap(stub.requests.call(request(true)), (response) =>
      response._tag === "Streaming" ? readAll(response.events) : Effect.succeed([])
    )
    return Effect.flatMap(drive(ManualClock.make(), reading), (exit) =>
      exit !== undefined && Exit.isSuccess(exit) ? Effect.succeed(exit.value) : broken("the stub itself failed")
    )
  })

export const statusRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "is never more ready than the inner service",
    (subject) =>
      Effect.gen(function* () {
        for (const inner of [busy("inner", 60_000), closed("inner", 60_000), closed("inner")]) {
          subject.stub.setStatus(inner)
          const outer = subject.status?.()
          const worse = outer?._tag === "Closed" || (outer?._tag === "Busy" && inner._tag === "Busy")
          yield* expect(
            worse,
            () => `the inner service says ${JSON.stringify(inner)}, the layer ${JSON.stringify(outer)}`
          )
        }
        yield* expect(subject.stub.calls.length === 0, () => "reading the status made a call")
      })
  ],
  [
    "passes on the cause of the inner service's answer",
    (subject) =>
      Effect.gen(function* () {
        const answers = [
          busy("inner", 60_000, "failure"),
          closed("inner", 60_000, "limit"),
          closed("inner", undefined, "operator")
        ]
        for (const inner of answers) {
          subject.stub.setStatus(inner)
          const outer = subject.status?.()
          yield* expect(
            outer !== undefined &&
              outer._tag !== "Open" &&
              (outer.reason !== inner.reason || outer.cause === inner.cause),
            () => `the inner service says ${JSON.stringify(inner)}, the layer ${JSON.stringify(outer)}`
          )
        }
      })
  ]
]

/** What the inner service may say of its readiness: somebody later, somebody at no known time, nobody. */
const readiness = (now: number): ReadonlyArray<ReadonlyArray<Opening>> => {
  const opening = (deployment: string, opensAt: number): Opening => ({
    deployment: StubLlm.deployment(deployment).id,
    opensAt,
    namedAt: opensAt
  })
  return [[opening("stub", now + 60_000), opening("other", Number.POSITIVE_INFINITY)], [opening("other", now)], []]
}

/** What is said of one that the inner service does not know, or that opens later there; undefined for nothing. */
const tooEarly = (outer: ReadonlyArray<Opening>, inner: ReadonlyArray<Opening>): Opening | undefined =>
  outer.find(({ deployment, namedAt, opensAt }) => {
    if (deployment === undefined) return false
    const known = inner.find((opening) => opening.deployment === deployment)
    return known === undefined || opensAt < known.opensAt || namedAt < known.namedAt
  })

export const openingRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "names nobody who opens sooner than the inner service says",
    (subject) =>
      Effect.gen(function* () {
        for (const inner of readiness(subject.time.now())) {
          subject.stub.setOpenings(inner)
          const early = tooEarly(subject.openings?.() ?? [], inner)
          yield* expect(
            early === undefined,
            () => `the inner service says ${JSON.stringify(inner)}, the layer ${JSON.stringify(early)}`
          )
        }
        yield* expect(subject.stub.calls.length === 0, () => "reading the openings made a call")
      })
  ]
]
