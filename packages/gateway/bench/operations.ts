/**
 * How many Effect operations a request takes in the whole gateway, and whose they are: the tower's and its accessor's as the
 * router's bench counts them, the transport's from a base service alone, and what is left is the edge's.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import { now } from "@switchyard/core/Time"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Operations from "@switchyard/testing/Operations"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Layer } from "effect"
import { count } from "../../router/bench/operations.js"

const repeats = 200

const startUpstream = async (): Promise<{ readonly child: ChildProcess; readonly url: string }> => {
  const child = fork(fileURLToPath(new URL("upstream.ts", import.meta.url)))
  const port = await new Promise<number>((resolve) => {
    child.once("message", (message: { readonly port: number }) => resolve(message.port))
  })
  return { child, url: `http://127.0.0.1:${port}/v1` }
}

const body = JSON.stringify({ model: "smart", messages: [{ role: "user", content: "Hello?" }] })

const ask = async (url: string): Promise<void> => {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer sk-bench" },
    body
  })
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
  await answer.text()
}

/** Takes one operation, as the router's bench has it, and no time. */
const nothing = Service.attemptWithin(() => Effect.succeed(undefined as never))

/** Operations of the base service for one attempt, beyond one. */
const transportAlone = (baseUrl: string) =>
  Effect.gen(function* () {
    const base = yield* DeploymentService
    const call = Effect.flatMap(now, (at) => {
      const request = LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] }), at)
      const attempt = StubLlm.attempt(request, StubLlm.slot("a", { baseUrl }), at)
      const entered = (service: Service.AttemptService) =>
        Effect.uninterruptibleMask((region) => Service.entry(service)(attempt, region))
      // As a tower enters it: what the region itself takes is the tower's.
      return Effect.zipWith(
        Operations.countOperations(entered(base)),
        Operations.countOperations(entered(nothing)),
        (all, region) => all - region
      )
    })
    yield* call
    return yield* call
  }).pipe(Effect.provide(OpenAiCompatible.layer.pipe(Layer.provide(UndiciTransport.layer))), Effect.orDie)

/** Operations of whole requests, those of the gateway's own fibers included. */
const wholeRequests = (baseUrl: string) =>
  Effect.gen(function* () {
    const { operations, scheduler } = Operations.counter()
    const config = Either.getOrThrow(
      GatewayConfig.decode({
        masterKey: "sk-bench",
        log: { format: "off" },
        server: { port: 0 },
        deployments: ["a", "b", "c"].map((id) => ({
          id,
          group: "smart",
          model: "gpt-4o",
          baseUrl,
          rpm: 1e8,
          tpm: 1e9,
          maxParallel: 10_000
        }))
      })
    )
    const gateway = yield* Effect.withScheduler(Gateway.make({ config }), scheduler)
    const asked = (times: number) =>
      Effect.promise(async () => {
        for (let i = 0; i < times; i++) await ask(gateway.url)
      })
    yield* asked(20)
    const before = operations()
    yield* asked(repeats)
    return (operations() - before) / repeats
  }).pipe(Effect.scoped, Effect.orDie)

/** Prints the counts. */
export const run = async (): Promise<void> => {
  const upstream = await startUpstream()
  try {
    const [whole, transport, towers] = await Effect.runPromise(
      Effect.all([wholeRequests(upstream.url), transportAlone(upstream.url), count])
    )
    const tower = towers[1]?.tower ?? Number.NaN
    const accessor = (towers[1]?.called ?? Number.NaN) - tower
    const edge = whole - tower - accessor - transport
    console.log(
      `Effect operations a request: ${whole.toFixed(1)} (at most 40); tower ${tower - 1}, accessor ${accessor}, transport ${transport + 1}, edge ${edge.toFixed(1)}`
    )
  } finally {
    upstream.child.kill()
  }
}
