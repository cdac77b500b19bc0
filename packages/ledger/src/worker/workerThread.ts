/** The ledger's thread, as the thread that serves sees it: begun anew when it dies, and every answer bounded in time. */
import type { Worker } from "node:worker_threads"
import { Effect } from "effect"
import { LedgerError } from "../errors/LedgerError.js"
import { take } from "./LedgerThread.js"
import { type News, type Question, received, type ThreadOptions, type Word } from "./protocol.js"

/** How long an answer is waited for. */
const patience = "5 seconds"

const away = (description: string): LedgerError => new LedgerError({ reason: "away", description })

type Waiting = (answer: Effect.Effect<unknown, LedgerError>) => void

/** One thread. */
export class WorkerThread {
  private readonly worker: Worker
  private readonly waiting = new Map<number, Waiting>()
  private next = 0
  /** How much it has said: who says something is not silent. */
  private heard = 0
  private isOver = false

  constructor(
    options: ThreadOptions,
    /** What comes unasked. */
    told: (news: News) => void,
    /** It is no more. */
    ended: (why: string) => void
  ) {
    this.worker = take()
    this.worker.postMessage(options)
    let why = "it ended"
    this.worker.on("message", (news: News) => {
      this.heard++
      if (news.tag === "answer") this.settle(news.id, Effect.succeed(news.value))
      else if (news.tag === "refusal") this.settle(news.id, received(news.error))
      else told(news)
    })
    this.worker.on("error", (error) => {
      why = String(error)
    })
    this.worker.on("exit", () => {
      this.isOver = true
      const gone = away(`The ledger's thread is gone: ${why}`)
      for (const id of [...this.waiting.keys()]) this.settle(id, gone)
      ended(why)
    })
  }

  /** Asks; `silent` is told when nothing is heard in time. One that is busy with a long journal is waited for by `settle` alone. */
  ask(
    word: Word,
    values: ReadonlyArray<unknown>,
    upTo: number,
    silent: () => void
  ): Effect.Effect<unknown, LedgerError> {
    const answer = Effect.async<unknown, LedgerError>((resume) => {
      if (this.isOver) return resume(away("The ledger's thread is gone"))
      const id = this.next++
      this.waiting.set(id, resume)
      this.worker.postMessage({ id, word, values, upTo } satisfies Question)
      return Effect.sync(() => this.waiting.delete(id))
    })
    const impatience = (heard: number): Effect.Effect<never, LedgerError> =>
      Effect.delay(
        Effect.suspend(() => {
          if (this.heard === heard) {
            silent()
            return away(`The ledger's store did not answer within ${patience}`)
          }
          return word === "settle"
            ? impatience(this.heard)
            : away("The ledger's thread is busy with a long journal: try again")
        }),
        patience
      )
    // Where nothing interrupts, as at the end of a gateway, what has lost the race is waited for.
    return Effect.suspend(() => Effect.raceFirst(answer, Effect.interruptible(impatience(this.heard))))
  }

  /**
   * Waits until it has ended by itself, as it does after the word `end`, or for as long as for an answer, and ends it then. One that
   * is ended in the middle of its driver's own code may take the process with it.
   */
  readonly leave: Effect.Effect<void> = Effect.suspend(() =>
    Effect.timeoutTo(Effect.interruptible(this.exited), {
      duration: patience,
      onSuccess: () => Effect.void,
      onTimeout: () => this.terminate
    })
  ).pipe(Effect.flatten)

  /** Ends it, whatever it does. */
  readonly terminate: Effect.Effect<void> = Effect.promise(() => this.worker.terminate().then(() => undefined))

  private readonly exited = Effect.async<void>((resume) => {
    if (this.isOver) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    this.worker.once("exit", done)
    return Effect.sync(() => this.worker.off("exit", done))
  })

  private settle(id: number, answer: Effect.Effect<unknown, LedgerError>): void {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    waiting?.(answer)
  }
}
