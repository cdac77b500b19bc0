/**
 * What a layer stands around may die of a bug: where it is called, or in what it does at the end. Whatever the layer took is
 * given back all the same, also where it runs with the one that dies as one bracket.
 */
import { Cause, Effect, Exit, Option } from "effect"
import { describeExit, expect, nothingOpen, owned, type Rule, readAll, run } from "./contractRules.js"
import { works } from "./leakRules.js"

const kinds = [false, true]
const calls = 10

export const bracketRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "gives everything back though the inner service throws where it is called",
    (subject) =>
      Effect.gen(function* () {
        const defect = new Error("a bug in the inner service")
        for (const stream of kinds) {
          subject.trouble.atCall = defect
          for (let i = 0; i < calls; i++) {
            const exit = yield* run(
              subject,
              Effect.suspend(() => owned(subject.build(stream)))
            )
            const found = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : undefined
            yield* expect(found === defect, () => `the inner service threw; the call ended with ${describeExit(exit)}`)
            subject.time.advance(61_000)
          }
          subject.trouble.atCall = undefined
          yield* works(subject, `${calls} calls of a service that throws`)
          yield* nothingOpen(subject)
        }
      })
  ],
  [
    "gives everything back once though what it stands around throws at its end",
    (subject) =>
      Effect.gen(function* () {
        subject.stub.reply({ text: "one two" })
        for (const stream of kinds) {
          subject.trouble.atEnd = new Error("a bug at the end")
          for (let i = 0; i < calls; i++) {
            const built = subject.build(stream)
            yield* run(
              subject,
              Effect.ensuring(
                Effect.flatMap(owned(built), (response) =>
                  response._tag === "Streaming" ? readAll(response.events) : Effect.void
                ),
                Effect.sync(built.release)
              )
            )
            subject.time.advance(61_000)
          }
          subject.trouble.atEnd = undefined
          yield* works(subject, `${calls} calls that died at their end`)
          yield* nothingOpen(subject)
        }
      })
  ]
]
