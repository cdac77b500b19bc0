/**
 * A program that starts itself once more by `node:cluster`, and has the second process hold the engine of the first, behind the
 * pipe between them, to what every engine must do. Prints a line of JSON for each check.
 */
import cluster from "node:cluster"
import * as EngineDesk from "@switchyard/gateway/EngineDesk"
import * as Lending from "@switchyard/gateway/Lending"
import * as Peer from "@switchyard/gateway/Peer"
import * as ProcessChannel from "@switchyard/gateway/ProcessChannel"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as EngineContract from "@switchyard/testing/EngineContract"
import { Effect } from "effect"
import { within, workerEngine } from "./workerEngine.js"

const primary = Effect.gen(function* () {
  const engine = yield* MemoryEngine.make()
  cluster.setupPrimary({ serialization: "advanced" })
  const forked = cluster.fork()
  let served: EngineDesk.Served | undefined
  const peer = yield* Peer.make(
    ProcessChannel.toWorker(forked),
    {
      answer: (name, args) => served?.answer(name, args) ?? Peer.unknown(name),
      hear: (topic, value) => served?.hear(topic, value)
    },
    { name: "the worker", within }
  )
  served = EngineDesk.serve(engine, peer, Lending.make(engine))
  yield* Effect.async<void>((resume) => void forked.once("exit", () => resume(Effect.void)))
})

const worker = Effect.gen(function* () {
  const { engine } = yield* workerEngine
  yield* Effect.forEach(
    EngineContract.checks,
    ({ check, name }, index) =>
      Effect.match(check({ engine, pass: (ms) => Effect.sleep(ms), window: 3_000, run: `run ${index}` }), {
        onFailure: ({ message }) => console.log(JSON.stringify({ name, failure: message })),
        onSuccess: () => console.log(JSON.stringify({ name }))
      }),
    { concurrency: "unbounded", discard: true }
  )
})

await Effect.runPromise(Effect.scoped(cluster.isPrimary ? primary : worker))
process.exit(0)
