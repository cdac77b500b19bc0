/** What the tower costs per call and per chunk, over a stub that answers at once. */
import type { Attempt } from "@switchyard/core/Attempt"
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { EventStream } from "@switchyard/core/EventStream"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Clock, Effect } from "effect"
import { isShort, measure, print, subject } from "./harness.js"

const chunks = 100

const event = (json: StreamEvent["json"]): StreamEvent => ({ data: JSON.stringify(json), json })
const role = event({ id: "bench", choices: [{ index: 0, delta: { role: "assistant" }, finish_reason: null }] })
const content = event({ id: "bench", choices: [{ index: 0, delta: { content: "word " }, finish_reason: null }] })
const finish = event({ id: "bench", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })

/** Pushes one chunk a turn, as a socket does. */
const feed = (events: EventQueue): Effect.Effect<void> => {
  let sent = 0
  return Effect.whileLoop({
    while: () => sent <= chunks,
    body: () => Effect.yieldNow(),
    step: () => {
      sent++
      if (sent <= chunks) return events.push(content)
      events.push(finish)
      events.end()
    }
  })
}

const openStream = (attempt: Attempt, clock: Clock.Clock): Effect.Effect<EventQueue> => {
  const events = new EventQueue({ clock, startedAt: attempt.startedAt, estimateInputTokens: () => 1 })
  attempt.adopt(events)
  events.push(role)
  return Effect.as(Effect.forkDaemon(feed(events)), events)
}

const streamingBase = Service.attempt((attempt) =>
  Effect.clockWith((clock) =>
    Effect.map(openStream(attempt, clock), (events) => ({
      _tag: "Streaming" as const,
      status: 200,
      headers: {},
      events,
      journal: attempt.request.route.journal
    }))
  )
)

const readAll = (events: EventStream): Effect.Effect<void, unknown> =>
  Effect.flatMap(events.pull, (batch) => (batch.length === 0 ? Effect.void : readAll(events)))

const options: Router.Options = {
  deployments: ["a", "b", "c", "d"].map((id) => ({
    id,
    group: "m",
    model: "gpt-4o",
    rpm: 1_000_000_000,
    tpm: 1_000_000_000_000,
    maxParallel: 1000
  }))
}

/** Prints the costs. */
export const run = async (): Promise<void> => {
  const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
  const streaming = { ...request, stream: true }
  const slot = StubLlm.slot("bare")
  const bareAttempt = StubLlm.attempt(request, slot)
  const answer = (await Effect.runPromise(StubLlm.make().attempts.call(bareAttempt))) as CompleteResponse
  const base = Service.attempt((attempt) => Effect.succeed({ ...answer, journal: attempt.request.route.journal }))
  const tower = (more: Partial<Router.Options>, inner = base) =>
    Effect.runPromise(Effect.map(Effect.scoped(Router.make({ ...options, ...more }, inner)), ({ service }) => service))

  const bare = Service.request(() => base.call(bareAttempt))
  const full = await tower({})
  const unlimited = await tower({
    deployments: options.deployments.map(({ group, id, model }) => ({ group, id, model }))
  })
  const every = await tower({
    hedge: { delay: "1 minute" },
    queue: {},
    callerBudget: { everyCaller: { limit: 1e12, window: "1 day" } },
    spendLimits: { providers: { openai: { limit: 1e12, window: "1 day" } } }
  })
  const lean = await tower({
    metrics: false,
    limits: false,
    retry: false,
    pinning: false,
    cooldown: false,
    strategy: "round-robin"
  })
  const plain = await measure(
    [
      subject("bare stub", LlmService.complete(bare, request)),
      subject("full default tower, with limits", LlmService.complete(full, request)),
      subject("full default tower, no limits configured", LlmService.complete(unlimited, request)),
      subject("the same with hedge, queue and budgets on", LlmService.complete(every, { ...request, caller: "bench" })),
      subject("without metrics, limits, breaker, retry, pinning", LlmService.complete(lean, request))
    ],
    isShort ? 3_000 : 20_000
  )
  print("A plain call", "µs per call", plain, plain[0])

  const read = (call: Service.Call) =>
    Effect.flatMap(call, (response) => (response._tag === "Streaming" ? readAll(response.events) : Effect.void))
  const through = (service: Service.RequestService) =>
    read(Effect.suspend(() => service.call(LlmRequest.begin(streaming, 0))))
  const streams = await measure(
    [
      subject(
        "bare stream",
        read(Effect.suspend(() => streamingBase.call(StubLlm.attempt(LlmRequest.begin(streaming, 0), slot))))
      ),
      subject("full default tower", through(await tower({}, streamingBase))),
      subject(
        "full default tower, recovery: error",
        through(await tower({ recovery: { policy: "error" } }, streamingBase))
      )
    ],
    isShort ? 300 : 2_000
  )
  print(`A stream of ${chunks} chunks`, "µs per stream", streams, streams[0])
  const [first, second] = streams
  if (first !== undefined && second !== undefined) {
    console.log(`  per chunk: +${((second.median - first.median) / chunks).toFixed(3)} µs over the bare stream`)
  }
}
