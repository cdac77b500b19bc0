/** The first module of the ledger's thread. */
import { parentPort, workerData } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type { Question, ThreadOptions } from "./protocol.js"
import { run } from "./work.js"

const port = parentPort
if (port !== null) {
  void Effect.runPromise(
    run(workerData as ThreadOptions, {
      say: (news) => port.postMessage(news),
      listen: (heard) => {
        port.on("message", (question: Question) => heard(question))
      }
    })
  ).finally(() => port.close())
}
