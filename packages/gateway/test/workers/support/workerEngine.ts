import * as BorrowedUsage from "@switchyard/gateway/BorrowedUsage"
import * as IpcEngine from "@switchyard/gateway/IpcEngine"
import * as Peer from "@switchyard/gateway/Peer"
import * as ProcessChannel from "@switchyard/gateway/ProcessChannel"
import { Effect } from "effect"

/** Ms for an answer, where many other programs run as well. */
export const within = 20_000

/** What a worker has: the engine of the primary that started this process, and the primary itself. */
export const workerEngine = Effect.gen(function* () {
  let heard = (_: unknown): void => {}
  let recall = (_: number): Effect.Effect<void> => Effect.void
  const primary = yield* Peer.make(
    ProcessChannel.toPrimary(),
    {
      answer: (name, args) => (name === BorrowedUsage.recallQuestion ? recall(Number(args[0])) : Peer.unknown(name)),
      hear: (topic, value) => {
        if (topic === IpcEngine.newsTopic) heard(value)
      }
    },
    { name: "the primary", within }
  )
  const ipc = IpcEngine.make(primary)
  heard = ipc.heard
  const { engine, recall: giveBack } = yield* BorrowedUsage.make(ipc.engine, primary)
  recall = giveBack
  return { engine, primary }
})
