/** The first module of the ledger's thread: it waits to be told what for, and for questions from then on. */
import { parentPort } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type { Question, ThreadOptions } from "./protocol.js"
import { run } from "./work.js"

const port = parentPort
if (port !== null) {
  port.once("message", (options: ThreadOptions) => {
    // Questions may come before there is a store to ask.
    const early: Array<Question> = []
    let heard = (question: Question): void => void early.push(question)
    port.on("message", (question: Question) => heard(question))
    void Effect.runPromise(
      run(options, {
        say: (news) => port.postMessage(news),
        listen: (listener) => {
          heard = listener
          for (const question of early.splice(0)) listener(question)
        }
      })
    ).finally(() => port.close())
  })
}
