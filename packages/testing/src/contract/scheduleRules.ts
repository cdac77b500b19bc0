/**
 * What a layer takes it gives back, wherever between two operations a call ends.
 */
import { toStream } from "@switchyard/core/EventStream"
import type * as Service from "@switchyard/core/Service"
import { Effect, Fiber, Stream } from "effect"
import { Broken, expect, nothingOpen, owned, type Rule, run, type Subject } from "./contractRules.js"
import { works } from "./leakRules.js"
import { makeSchedules, type Schedule, settle } from "./schedules.js"

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

/** Calls that are interrupted between any two operations of their beginning. */
export const interruptEverywhere = (subject: Subject): Effect.Effect<void> =>
  Effect.gen(function* () {
    subject.stub.reply(({ index }) => (index % 2 === 0 ? { hang: true } : { text: "one two", stallAfter: 1 }))
    for (let shift = 0; shift < opsPerTurn; shift++) {
      for (let turns = 0; turns < 12; turns++) yield* interruptedAt(subject, turns % 2 === 1, shift, turns)
    }
    yield* settle
  })

/** So many calls that end at random times in random ways. */
export const callInEveryWay = (subject: Subject, seed: number, count: number): Effect.Effect<void, Broken> =>
  Effect.gen(function* () {
    const schedules = makeSchedules(seed, count)
    subject.stub.reply((call) => (schedules[call.index % schedules.length] as Schedule).reply)
    const all = Effect.forEach(schedules, (schedule) => follow(subject, schedule), {
      concurrency: "unbounded",
      discard: true
    })
    yield* run(subject, all)
    yield* settle
  })

export const scheduleRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "gives everything back when it is interrupted between any two operations",
    (subject) =>
      Effect.gen(function* () {
        yield* interruptEverywhere(subject)
        yield* nothingOpen(subject)
        yield* notBusyForGood(subject)
        yield* works(subject, "all of them")
      })
  ],
  [
    "leaves nothing in flight after calls that end in every way",
    (subject, options) =>
      Effect.gen(function* () {
        const seed = options.seed ?? 1
        yield* callInEveryWay(subject, seed, options.schedules ?? 200)
        yield* Effect.mapError(nothingOpen(subject), ({ detail }) => new Broken({ detail: `${detail} (seed ${seed})` }))
        yield* notBusyForGood(subject)
        yield* works(subject, "all of them")
      })
  ]
]
