/**
 * How calls end: by an interruption, a reader that leaves, a broken stream, a defect; the inner service hears of it, once.
 */
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import {
  describeExit,
  expect,
  nothingOpen,
  outcomeTags,
  owned,
  type Rule,
  readAll,
  run,
  streamed
} from "./contractRules.js"
import { settle } from "./schedules.js"

export const endingRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
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
  ]
]
