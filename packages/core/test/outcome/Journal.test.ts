import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@switchyard/core/Attempt"
import { EventStream } from "@switchyard/core/EventStream"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Outcome from "@switchyard/core/Outcome"
import { estimate, zero } from "@switchyard/core/Usage"
import { deployment, slot } from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

const requestAt = (now: number) => LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [] }), now)
const failure = new LlmError({ reason: "Unavailable", description: "down", status: 500 })
const completed: Outcome.Completed = {
  _tag: "Completed",
  usage: { ...zero, inputTokens: 10, outputTokens: 5 },
  timeToFirstToken: 1,
  duration: 2
}

const begin = (request: LlmRequest.LlmRequest, id: string, at: number, group = "m") => {
  const { journal } = request.route
  const attempt = new Attempt(
    journal.entries.length + 1,
    request,
    slot(id, { group, provider: `p-${id}` }),
    at,
    false,
    false
  )
  journal.append(attempt)
  return attempt
}

describe("Journal", () => {
  it("an empty one reports the group that was asked for and nothing else", () => {
    assert.deepInclude(requestAt(5).route.journal.report(), {
      requestedGroup: "m",
      group: "m",
      deployment: undefined,
      provider: undefined,
      usedFallback: false,
      fallbackKind: undefined,
      fallbacks: [],
      attempts: [],
      latency: 0,
      usage: undefined,
      cost: undefined
    })
  })

  it("reports every attempt with its outcome, and who answered, with sums over all of them", () => {
    const request = requestAt(1000)
    const { journal } = request.route
    const first = begin(request, "a", 1000)
    first.settle({ ...Outcome.failed(failure, estimate(3, 4)), cost: 0.5 }, 1200)
    const second = begin(request, "b", 1200)
    second.settle({ _tag: "Abandoned", usage: undefined }, 1300)
    const third = begin(request, "c", 1300)
    third.settle({ ...completed, cost: 0.25 }, 2000)
    const report = journal.report()
    assert.deepStrictEqual(report.attempts, [
      {
        number: 1,
        deployment: "a",
        provider: "p-a",
        group: "m",
        outcome: "failed",
        reason: "Unavailable",
        status: 500,
        startedAfter: 0,
        duration: 200
      },
      {
        number: 2,
        deployment: "b",
        provider: "p-b",
        group: "m",
        outcome: "abandoned",
        startedAfter: 200,
        duration: 100
      },
      {
        number: 3,
        deployment: "c",
        provider: "p-c",
        group: "m",
        outcome: "completed",
        startedAfter: 300,
        duration: 700
      }
    ])
    assert.strictEqual(report.deployment, third.deployment)
    assert.strictEqual(report.provider, "p-c")
    assert.strictEqual(report.latency, 1000)
    assert.deepInclude(report.usage, { inputTokens: 13, outputTokens: 9, estimated: true })
    assert.strictEqual(report.cost, 0.75)
  })

  it("a running attempt is pending, and is the one that answers", () => {
    const request = requestAt(0)
    begin(request, "a", 0).settle(Outcome.failed(failure), 10)
    begin(request, "b", 10)
    const report = request.route.journal.report()
    assert.strictEqual(report.attempts[1]?.outcome, "pending")
    assert.isUndefined(report.attempts[1]?.duration)
    assert.strictEqual(report.deployment, deployment("b").id)
    assert.strictEqual(report.latency, 10)
  })

  it("when all failed nobody answered, and the group is the last one tried", () => {
    const request = requestAt(0)
    begin(request, "a", 0).settle(Outcome.failed(failure), 10)
    request.route.journal.hop({ kind: "general", from: "m", to: "other" })
    begin(request, "b", 10, "other").settle(Outcome.failed(failure), 20)
    const report = request.route.journal.report()
    assert.isUndefined(report.deployment)
    assert.strictEqual(report.group, "other")
    assert.isFalse(report.usedFallback)
    assert.isUndefined(report.fallbackKind)
    assert.strictEqual(report.fallbacks.length, 1)
  })

  it("an abandoned hedge after the winner does not take its place", () => {
    const request = requestAt(0)
    const winner = begin(request, "a", 0)
    const loser = begin(request, "b", 5)
    loser.settle(Outcome.abandoned, 10)
    winner.settle(completed, 10)
    assert.strictEqual(request.route.journal.report().deployment, winner.deployment)
  })

  it("an attempt that a local limit turned away spends no budget", () => {
    const request = requestAt(0)
    const { journal } = request.route
    const first = begin(request, "a", 0)
    assert.strictEqual(journal.spent, 1)
    first.rejected = true
    first.settle(Outcome.failed(new LlmError({ reason: "Rejected", description: "full" })), 0)
    journal.noteRejected()
    assert.strictEqual(journal.spent, 0)
    assert.strictEqual(journal.report().attempts[0]?.outcome, "rejected")
    begin(request, "b", 0)
    assert.strictEqual(journal.spent, 1)
    assert.strictEqual(journal.last?.deployment, deployment("b").id)
  })

  it("counts each deployment once that was found closed", () => {
    const { journal } = requestAt(0).route
    assert.strictEqual(journal.report().cooldownsMet, 0)
    for (const id of ["a", "b", "a"]) journal.noteClosed(deployment(id).id)
    assert.deepStrictEqual([journal.cooldownsMet, journal.report().cooldownsMet], [2, 2])
  })

  it("a report that was given out does not change any more", () => {
    const request = requestAt(0)
    const report = request.route.journal.report()
    request.route.journal.hop({ kind: "general", from: "a", to: "b" })
    begin(request, "a", 0)
    assert.deepStrictEqual([report.fallbacks, report.attempts], [[], []])
  })

  it.effect("releaseAll closes every stream that attempts left open, and leaves ended ones alone", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const request = requestAt(0)
      const stream = () => new EventStream({ clock, startedAt: 0, estimateInputTokens: () => 0 })
      const running = stream()
      const ended = stream()
      begin(request, "a", 0).adopt(running)
      begin(request, "b", 0).adopt(ended)
      begin(request, "c", 0)
      ended.push({ data: "", json: { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] } })
      ended.end()
      request.route.journal.releaseAll()
      request.route.journal.releaseAll()
      assert.strictEqual(running.settlement.outcome?._tag, "Abandoned")
      assert.strictEqual(ended.settlement.outcome?._tag, "Completed")
    })
  )
})

describe("Attempt", () => {
  it("settles once: the first outcome stays", () => {
    const attempt = begin(requestAt(0), "a", 0)
    assert.isUndefined(attempt.outcome)
    attempt.settle(completed, 5)
    attempt.settle(Outcome.abandoned, 9)
    assert.strictEqual(attempt.outcome, completed)
    assert.strictEqual(attempt.endedAt, 5)
  })

  it("asks for the deployment's model unless a wildcard filled one in", () => {
    const request = requestAt(0)
    assert.strictEqual(new Attempt(1, request, slot("a", { model: "gpt" }), 0, false, false).model, "gpt")
    assert.strictEqual(new Attempt(1, request, slot("a", { model: "*" }), 0, false, false, "gpt-5").model, "gpt-5")
  })
})
