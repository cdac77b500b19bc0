/**
 * Workers behind one port, with windows as short as a test wants them, and the primary that keeps what they share. Their requests to
 * upstreams bear `x-admission`, when their admission was asked for and answered, in ms of the machine's clock, and `x-worker`, whose
 * they are. Prints the address and the workers' processes as a line of JSON once all serve.
 */
import cluster from "node:cluster"
import { randomUUID } from "node:crypto"
import * as BorrowedUsage from "@switchyard/gateway/BorrowedUsage"
import * as EngineDesk from "@switchyard/gateway/EngineDesk"
import * as Gateway from "@switchyard/gateway/Gateway"
import { decode } from "@switchyard/gateway/GatewayConfig"
import * as IpcEngine from "@switchyard/gateway/IpcEngine"
import * as Lending from "@switchyard/gateway/Lending"
import * as Peer from "@switchyard/gateway/Peer"
import * as ProcessChannel from "@switchyard/gateway/ProcessChannel"
import * as Transport from "@switchyard/providers/UndiciTransport"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedStates from "@switchyard/router/SharedStates"
import { Deferred, Effect, Either, Exit, Fiber, FiberRef, Option, Scope } from "effect"
import type { Asked } from "./workerProcesses.js"

const { config: settings, count, ...windows } = JSON.parse(process.argv[2] ?? "{}") as Asked

/** Ms for an answer, where many other programs run as well. */
const within = 20_000

const machineNow = (): number => performance.timeOrigin + performance.now()

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

const stamp = FiberRef.unsafeMake("")

const stamping = (engine: Engine): Engine => ({
  ...engine,
  usage: {
    ...engine.usage,
    admit: (ask) =>
      Effect.suspend(() => {
        const asked = machineNow()
        return Effect.tap(engine.usage.admit(ask), ({ _tag }) =>
          _tag === "Admitted" ? FiberRef.set(stamp, `${asked} ${machineNow()}`) : Effect.void
        )
      })
  }
})

const stampHere = (): string =>
  Option.match(Fiber.getCurrentFiber(), {
    onNone: () => "",
    onSome: (fiber) => (fiber as Fiber.RuntimeFiber<unknown, unknown>).getFiberRef(stamp)
  })

const worker = Effect.gen(function* () {
  process.on("disconnect", () => process.exit())
  let heard = (_: unknown): void => {}
  let recall = (_: number): Effect.Effect<void> => Effect.void
  const peer = yield* Peer.make(
    ProcessChannel.toPrimary(),
    {
      answer: (name, args) => (name === BorrowedUsage.recallQuestion ? recall(Number(args[0])) : Peer.unknown(name)),
      hear: (topic, value) => {
        if (topic === IpcEngine.newsTopic) heard(value)
      }
    },
    { name: "the primary", within }
  )
  const ipc = IpcEngine.make(peer)
  heard = ipc.heard
  const { engine, recall: giveBack } = yield* BorrowedUsage.make(ipc.engine, peer)
  recall = giveBack
  const guard = yield* EngineGuard.make(stamping(engine), { id: randomUUID() })
  const { send } = yield* Transport.make()
  const transport = {
    send: ((request, handlers) => {
      const headers = { ...request.headers, "x-worker": `${process.pid}`, "x-admission": stampHere() }
      return send({ ...request, headers }, handlers)
    }) satisfies typeof send
  }
  // As workers have it: breakers of others are told of, and looked up seldom.
  const states = yield* SharedStates.make(guard, { ...windows, breakersEvery: "5 seconds", retriesEvery: "2 seconds" })
  const config = Either.getOrThrowWith(decode(settings), (error) => error)
  const { url } = yield* Gateway.make({ config }, { shared: { guard, states }, transport })
  yield* peer.ask("ready", [url])
  return yield* Effect.never
})

Effect.runPromise(Effect.scoped(cluster.isPrimary ? primary : worker)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
