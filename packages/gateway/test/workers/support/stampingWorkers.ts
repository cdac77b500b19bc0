/**
 * Workers behind one port, with windows as short as a test wants them, and the primary that keeps what they share. Their requests to
 * upstreams bear the stamp of their admission, and `x-worker`, whose they are. Prints the address and the workers' processes as a line of JSON once all serve.
 */
import cluster from "node:cluster"
import { randomUUID } from "node:crypto"
import * as EngineDesk from "@switchyard/gateway/EngineDesk"
import * as Gateway from "@switchyard/gateway/Gateway"
import { decode } from "@switchyard/gateway/GatewayConfig"
import * as Lending from "@switchyard/gateway/Lending"
import * as Peer from "@switchyard/gateway/Peer"
import * as ProcessChannel from "@switchyard/gateway/ProcessChannel"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedStates from "@switchyard/router/SharedStates"
import { Deferred, Effect, Either, Exit, Scope } from "effect"
import { stampedTransport, stamping } from "../../support/stamps.js"
import { within, workerEngine } from "./workerEngine.js"
import type { Asked } from "./workerProcesses.js"

const { config: settings, count, ...windows } = JSON.parse(process.argv[2] ?? "{}") as Asked

const forked = (engine: MemoryEngine.MemoryEngine, lending: Lending.Lending) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const ready = yield* Deferred.make<string>()
    const worker = cluster.fork()
    let served: EngineDesk.Served | undefined
    const peer = yield* Scope.extend(
      Peer.make(
        ProcessChannel.toWorker(worker),
        {
          answer: (name, args) =>
            name === "ready"
              ? Deferred.succeed(ready, String(args[0]))
              : (served?.answer(name, args) ?? Peer.unknown(name)),
          hear: (topic, value) => served?.hear(topic, value)
        },
        { name: "a worker", within }
      ),
      scope
    )
    served = EngineDesk.serve(engine, peer, lending)
    const { end } = served
    worker.once("exit", () => void Effect.runFork(Effect.zipRight(end, Scope.close(scope, Exit.void))))
    return { pid: worker.process.pid, url: yield* Deferred.await(ready) }
  })

const primary = Effect.gen(function* () {
  const engine = yield* MemoryEngine.make()
  const lending = Lending.make(engine)
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ serialization: "advanced" })
  const workers = yield* Effect.replicateEffect(forked(engine, lending), count)
  process.stdout.write(`${JSON.stringify({ url: workers[0]?.url, pids: workers.map(({ pid }) => pid) })}\n`)
  return yield* Effect.never
})

const worker = Effect.gen(function* () {
  process.on("disconnect", () => process.exit())
  const { engine, primary } = yield* workerEngine
  const guard = yield* EngineGuard.make(stamping(engine), { id: randomUUID() })
  const transport = yield* stampedTransport({ "x-worker": `${process.pid}` })
  // As workers have it: breakers of others are told of, and looked up seldom.
  const states = yield* SharedStates.make(guard, { ...windows, breakersEvery: "5 seconds", retriesEvery: "2 seconds" })
  const config = Either.getOrThrowWith(decode(settings), (error) => error)
  const { url } = yield* Gateway.make({ config }, { shared: { guard, states }, transport })
  yield* primary.ask("ready", [url])
  return yield* Effect.never
})

Effect.runPromise(Effect.scoped(cluster.isPrimary ? primary : worker)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
