import * as BorrowedUsage from "@switchyard/gateway/BorrowedUsage"
import * as EngineDesk from "@switchyard/gateway/EngineDesk"
import * as IpcEngine from "@switchyard/gateway/IpcEngine"
import type * as Lending from "@switchyard/gateway/Lending"
import * as Peer from "@switchyard/gateway/Peer"
import type { Engine } from "@switchyard/router/Engine"
import { Effect } from "effect"
import { pipe } from "./pipe.js"

/** What a worker has of an engine that lends; `asked` counts its questions for room. */
export const worker = (engine: Engine, lending: Lending.Lending) =>
  Effect.gen(function* () {
    const { close, left, right } = pipe()
    let desk: EngineDesk.Served | undefined
    let asked = 0
    const peer = yield* Peer.make(
      left,
      {
        answer: (name, args) => {
          if (name === "engine.usage.admit") asked++
          return desk?.answer(name, args) ?? Peer.unknown(name)
        },
        hear: (topic, value) => desk?.hear(topic, value)
      },
      { name: "worker" }
    )
    desk = EngineDesk.serve(engine, peer, lending)
    let recall = (_: number): Effect.Effect<void> => Effect.void
    let heard = (_: unknown): void => {}
    const primary = yield* Peer.make(
      right,
      {
        answer: (name, args) => (name === BorrowedUsage.recallQuestion ? recall(Number(args[0])) : Peer.unknown(name)),
        hear: (_topic, value) => heard(value)
      },
      { name: "the primary" }
    )
    const ipc = IpcEngine.make(primary)
    heard = ipc.heard
    const borrowed = yield* BorrowedUsage.make(ipc.engine, primary)
    recall = borrowed.recall
    return { engine: borrowed.engine, close, end: desk.end, asked: () => asked }
  })
