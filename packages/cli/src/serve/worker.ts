/**
 * A worker: a gateway in a process that another one has started, and that ends with it.
 */
import cluster from "node:cluster"
import { url as debuggedAt } from "node:inspector"
import * as BorrowedUsage from "@switchyard/gateway/BorrowedUsage"
import type { Contents, LoadedConfig } from "@switchyard/gateway/ConfigFile"
import * as IpcEngine from "@switchyard/gateway/IpcEngine"
import * as Peer from "@switchyard/gateway/Peer"
import * as ProcessChannel from "@switchyard/gateway/ProcessChannel"
import type { RequestLog } from "@switchyard/gateway/RequestLog"
import type { Answer, Siblings } from "@switchyard/gateway/Siblings"
import type { Engine, EngineError } from "@switchyard/router/Engine"
import { Deferred, Effect, type Scope } from "effect"
import type { CommandError } from "../output.js"
import type { Serving } from "./gateway.js"
import * as OrphanWatch from "./orphanWatch.js"
import { asks, type Beginning, orders, siblingNews, type Well } from "./protocol.js"
import { siblingWithin } from "./siblings.js"

/** Ms that a primary may take to say how to begin, and to hear a last word: machines are busy when many processes begin. */
const patience = 60_000

/**
 * Ms that it may take for any other answer. Where it is late a worker decides by itself, and limits don't hold exactly: on a
 * machine with ten times the work that it has time for answers took more than one second. A primary that is gone is noticed at once.
 */
const answerWithin = 5_000

/** How long a worker whose place is taken serves those who have a connection to it. */
const handover = "10 seconds"

/** A worker's ties to its primary. */
export interface Tied extends Beginning {
  readonly peer: Peer.Peer
  /** What all workers share, as the primary keeps it. */
  readonly engine: Engine
  readonly siblings: Siblings
  /** Serves what the primary asks for; succeeds when it is to end. */
  readonly served: (
    serving: Serving,
    load: (contents: Contents) => Effect.Effect<LoadedConfig, Error>
  ) => Effect.Effect<void>
}

/** Whether this process is a worker. */
export const isWorker = (): boolean => cluster.isWorker

/** A failure of the primary is that of its workers: they have nobody any more who starts them anew, and no port. */
const orphaned = (): void => process.exit()

type Answers = (args: ReadonlyArray<unknown>) => Effect.Effect<unknown, EngineError>

/** Takes up with the primary. */
export const join: Effect.Effect<Tied, EngineError, Scope.Scope> = Effect.gen(function* () {
  // Who stops the primary stops its workers, which a terminal's Ctrl-C reaches as well: nobody is to be hurried by it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
  // Runs last: what was said until then goes out first, and a process that nobody is tied to any more ends.
  yield* Effect.addFinalizer(() => Effect.sync(() => process.connected && process.disconnect()))
  const answers = new Map<string, Answers>()
  const siblingAnswers = new Map<string, Answer>()
  const listeners = new Map<string, (value: unknown) => void>()
  let heard = (_: unknown): void => {}
  const peer = yield* Peer.make(
    ProcessChannel.toPrimary(),
    {
      answer: (operation, args) => answers.get(operation)?.(args) ?? Peer.unknown(operation),
      hear: (topic, value) => {
        if (topic === IpcEngine.newsTopic) heard(value)
        if (topic !== siblingNews) return
        const [about, said] = value as readonly [string, unknown]
        listeners.get(about)?.(said)
      }
    },
    { name: "the primary", within: answerWithin }
  )
  const ipc = IpcEngine.make(peer)
  heard = ipc.heard
  const { engine, recall } = yield* BorrowedUsage.make(ipc.engine, peer)
  answers.set(BorrowedUsage.recallQuestion, ([loan]) => recall(Number(loan)))
  process.on("disconnect", orphaned)
  OrphanWatch.begin()
  answers.set(orders.well, () => Effect.sync((): Well => ({ isDebugged: debuggedAt() !== undefined })))
  const beginning = (yield* peer.ask(asks.begin, [], patience)) as Beginning
  answers.set(orders.sibling, ([question, args]) => {
    const answer = siblingAnswers.get(String(question))
    return answer === undefined ? Peer.unknown(String(question)) : answer(args as ReadonlyArray<unknown>)
  })
  const siblings: Siblings = {
    index: beginning.index,
    ask: (question, args) =>
      Effect.match(peer.ask(asks.gather, [question, args], 2 * siblingWithin), {
        onFailure: () => [],
        onSuccess: (all) => all as ReadonlyArray<unknown>
      }),
    answer: (question, f) => void siblingAnswers.set(question, f),
    tell: (topic, value) => peer.tell(siblingNews, [topic, value]),
    hear: (topic, f) => void listeners.set(topic, f),
    metrics: (own, accept) =>
      Effect.match(peer.ask(asks.metrics, [own, accept], 2 * siblingWithin), {
        onFailure: () => own,
        onSuccess: String
      }),
    counted: (own) => Effect.ignore(peer.ask(asks.counted, [own], patience))
  }
  return {
    ...beginning,
    peer,
    engine,
    siblings,
    served: ({ gateway, told }, load) =>
      Effect.gen(function* () {
        const over = yield* Deferred.make<void>()
        answers.set(orders.reload, ([contents]) =>
          load(contents as Contents).pipe(
            Effect.flatMap((next) => gateway.reload(told(next))),
            Effect.match({ onFailure: ({ message }) => message, onSuccess: () => undefined })
          )
        )
        answers.set(orders.refuse, ([why]) => gateway.refuse(why as ReadonlyArray<string>))
        answers.set(orders.retire, () =>
          Effect.asVoid(Effect.forkDaemon(Effect.zipRight(gateway.retire(handover), Deferred.succeed(over, undefined))))
        )
        const { isOpen, url } = gateway
        yield* Effect.ignore(peer.ask(asks.ready, [{ url, isOpen }], patience))
        yield* Deferred.await(over)
      })
  }
})

/** What it can't serve for is the primary's to say. */
export const failed = ({ peer }: Pick<Tied, "peer">, { message }: CommandError): Effect.Effect<void> =>
  Effect.zipRight(
    Effect.ignore(peer.ask(asks.failed, [message], patience)),
    Effect.sync(() => {
      process.exitCode = 1
    })
  )

/** Lines that one worker writes for all. */
const ofAll: ReadonlySet<string> = new Set(["ConfigReloaded", "ConfigRefused"])

/** A log that leaves to another worker what it would say of all. */
export const quiet = (log: RequestLog): RequestLog => ({
  ...log,
  tap: (events) => {
    const logged = log.tap(events)
    return {
      publish: (event, about) => (ofAll.has(event._tag) ? events : logged).publish(event, about),
      isActive: logged.isActive,
      stream: logged.stream
    }
  }
})
