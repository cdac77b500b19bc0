/**
 * What a layer passes on: answers, errors, events; and that a call is a value, which runs when it is run.
 */
import { isDeepStrictEqual } from "node:util"
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { JsonObject } from "@switchyard/core/Json"
import { Cause, Effect, Exit, Option } from "effect"
import * as ManualClock from "../ManualClock.js"
import * as StubLlm from "../StubLlm.js"
import {
  answered,
  type Broken,
  broken,
  describeExit,
  expect,
  nothingOpen,
  outcomeTags,
  owned,
  type Rule,
  readAll,
  request,
  run,
  streamed
} from "./contractRules.js"
import { drive, settle } from "./schedules.js"

const dataOf = (events: ReadonlyArray<StreamEvent>): string => events.map(({ data }) => data).join("\n")

/** Whether a text is the JSON of an object, in whatever order and spacing. */
const saysTheSame = (text: string, json: JsonObject): boolean => {
  try {
    return isDeepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(json)))
  } catch {
    return false
  }
}

/** The events that a stub sends when nothing is around it. */
const bareEvents = (reply: StubLlm.Reply): Effect.Effect<ReadonlyArray<StreamEvent>, Broken> =>
  Effect.suspend(() => {
    const stub = StubLlm.make(reply)
    const reading = Effect.flatMap(stub.requests.call(request(true)), (response) =>
      response._tag === "Streaming" ? readAll(response.events) : Effect.succeed([])
    )
    return Effect.flatMap(drive(ManualClock.make(), reading), (exit) =>
      exit !== undefined && Exit.isSuccess(exit) ? Effect.succeed(exit.value) : broken("the stub itself failed")
    )
  })

export const answerRules: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  [
    "passes a whole answer unchanged",
    (subject, { mayChangeAnswers }) =>
      Effect.gen(function* () {
        const response = yield* answered(subject, false)
        const inner = subject.answers[0]
        if (response._tag !== "Complete" || inner?._tag !== "Complete") return yield* broken("the answer is not whole")
        if (mayChangeAnswers === true) {
          yield* expect(
            saysTheSame(response.raw, response.body),
            () => "the raw text says something else than the body"
          )
        } else {
          yield* expect(response.body === inner.body, () => "the body is not the object that the inner service gave")
          yield* expect(response.raw === inner.raw, () => "the raw text was changed")
        }
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
    "passes a stream's events unchanged and in order",
    (subject, { mayChangeAnswers }) =>
      Effect.gen(function* () {
        const reply: StubLlm.Reply = { text: "one two three, 四 👍🏽", firstToken: 20, gap: 5 }
        subject.stub.reply(reply)
        const { events } = yield* streamed(subject)
        const exit = yield* run(subject, readAll(events))
        const bare = yield* bareEvents(reply)
        yield* expect(Exit.isSuccess(exit), () => `the stream ended with ${describeExit(exit)}`)
        const came = Exit.isSuccess(exit) ? exit.value : []
        if (mayChangeAnswers === true) {
          const odd = came.find(({ data, json }) => !saysTheSame(data, json))
          yield* expect(odd === undefined, () => `an event's data says something else than its JSON: ${odd?.data}`)
          yield* expect(came.length > 0, () => `no event came of the ${bare.length} sent`)
        } else {
          yield* expect(
            dataOf(came) === dataOf(bare),
            () => `${came.length} events came, other than the ${bare.length} sent`
          )
        }
        yield* expect(subject.stub.outcomes[0]?._tag === "Completed", () => `outcomes ${outcomeTags(subject.stub)}`)
        yield* nothingOpen(subject)
      })
  ]
]
