import { assert, describe, it } from "@effect/vitest"
import { toStream } from "@switchyard/core/EventStream"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as MetricsSink from "@switchyard/router/MetricsSink"
import * as Router from "@switchyard/router/Router"
import { type RouterEvent, RouterEvents } from "@switchyard/router/RouterEvents"
import * as ManualClock from "@switchyard/testing/ManualClock"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Clock, Effect, Stream } from "effect"
import { memoryTracer } from "../support/memoryTracer.js"

/** A clock that goes on by 1 ms whenever somebody looks at it: two readings are never the same. */
const ticking = (): Clock.Clock => {
  const { advance, clock } = ManualClock.make()
  return {
    ...clock,
    unsafeCurrentTimeNanos: () => {
      advance(1)
      return clock.unsafeCurrentTimeNanos()
    }
  }
}

/** What each histogram was given, by its name. */
const remembering = () => {
  const seen = new Map<string, Array<number>>()
  const ignored = () => () => {}
  const sink: MetricsSink.Sink = {
    counter: ignored,
    upDown: ignored,
    histogram:
      ({ name }) =>
      (seconds) =>
        seen.set(name, [...(seen.get(name) ?? []), Math.round(seconds * 1e6) / 1e3]),
    expose: () => Effect.succeed({ contentType: "", text: "" })
  }
  return { sink, ms: (end: string) => [...seen].filter(([name]) => name.endsWith(end)).map(([, values]) => values) }
}

const wholeWay = (stream: boolean) =>
  Effect.gen(function* () {
    const { ms, sink } = remembering()
    const tracer = memoryTracer()
    const events: Array<RouterEvent> = []
    const stub = StubLlm.make({ text: "a b c" })
    // A layer of an app between those that observe and the rest takes time of its own.
    const base = Service.mapAttempt((call) => Effect.tap(call, () => Effect.repeatN(Effect.clockWith(tick), 3)))(
      stub.attempts
    )
    const { service } = yield* Router.make(
      { deployments: [{ id: "a", group: "m", model: "gpt-4o", rpm: 100 }], tracing: {} },
      base
    ).pipe(
      Effect.provideService(MetricsSink.MetricsSink, sink),
      Effect.provideService(RouterEvents, {
        publish: (event) => events.push(event),
        isActive: () => true,
        stream: Stream.empty
      })
    )
    const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], stream })
    const journal = yield* LlmService.using(service, request, (response) =>
      Effect.as(
        response._tag === "Streaming" ? Stream.runDrain(toStream(response.events)) : Effect.void,
        response.journal
      )
    ).pipe(Effect.withTracer(tracer.tracer))
    const of = <Tag extends RouterEvent["_tag"]>(tag: Tag) =>
      events.find((event): event is Extract<RouterEvent, { readonly _tag: Tag }> => event._tag === tag)
    const spans = tracer.spans.map(({ endedAt, startedAt }) => (endedAt ?? Number.NaN) - startedAt)
    const ttft = tracer.spans[0]?.attributes["switchyard.time_to_first_token_ms"]
    return { ms, ended: of("RequestEnded"), attempt: of("AttemptEnded"), spans, ttft, journal }
  }).pipe(Effect.scoped, Effect.withClock(ticking()))

const tick = (clock: Clock.Clock): Effect.Effect<bigint> => Effect.sync(() => clock.unsafeCurrentTimeNanos())

describe.each([
  ["a whole answer", false],
  ["a stream", true]
])("metrics, events, spans and journal tell the same times of %s", (_, stream) => {
  it.live("however often the clock has moved between them", () =>
    Effect.gen(function* () {
      const { attempt, ended, journal, ms, spans, ttft } = yield* wholeWay(stream)
      const entry = journal.entries[0]
      const attemptTook = (entry?.endedAt ?? Number.NaN) - (entry?.startedAt ?? Number.NaN)
      assert.isAbove(attemptTook, 0)
      assert.strictEqual(attempt?.duration, attemptTook)
      assert.deepStrictEqual(ms("attempt_latency_seconds"), [[attemptTook]])
      const took = journal.report().latency
      assert.isAtLeast(took, attemptTook)
      assert.strictEqual(ended?.latency, took)
      assert.deepStrictEqual(ms("request_latency_seconds"), [[took]])
      assert.deepStrictEqual(spans, [took, attemptTook])
      assert.deepStrictEqual(
        ms("_ttft_seconds"),
        ended?.timeToFirstToken === undefined ? [] : [[ended.timeToFirstToken]]
      )
      assert.strictEqual(ended?.timeToFirstToken, ttft)
      assert.strictEqual(ttft !== undefined, stream)
    })
  )
})
