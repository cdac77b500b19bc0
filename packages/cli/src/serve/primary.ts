/**
 * The process that was started where several serve: it reads the configuration, fixes the port, keeps what workers share, passes
 * on what they print, and sees to it that they are there. It serves nobody itself.
 */

import cluster, { type Worker as Forked } from "node:cluster"
import * as Background from "@switchyard/core/Background"
import { toMs } from "@switchyard/core/Time"
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import * as EngineDesk from "@switchyard/gateway/EngineDesk"
import type { Source } from "@switchyard/gateway/Generations"
import * as Lending from "@switchyard/gateway/Lending"
import * as Peer from "@switchyard/gateway/Peer"
import * as ProcessChannel from "@switchyard/gateway/ProcessChannel"
import type { RequestLog } from "@switchyard/gateway/RequestLog"
import * as WorkerCounts from "@switchyard/gateway/WorkerCounts"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { Deferred, Effect, Exit, Runtime, Scope } from "effect"
import { CommandError, hasColours, plain } from "../output.js"
import * as Heartbeat from "./heartbeat.js"
import { passOn } from "./lines.js"
import * as Port from "./port.js"
import { asks, type Beginning, newIdSecret, orders, type Ready, type Well } from "./protocol.js"
import * as Siblings from "./siblings.js"
import * as Supervisor from "./supervisor.js"

/** What is to be served. */
export interface Options {
  readonly source: Source
  readonly loaded: LoadedConfig | undefined
  /** The command line's. */
  readonly host: string | undefined
  readonly port: number | undefined
  readonly count: number
  readonly log: RequestLog
}

/** Workers that serve. */
export interface Primary extends Ready {
  /** Fails when workers end as soon as they begin. */
  readonly lasting: Effect.Effect<never, CommandError>
  readonly reload: (next: LoadedConfig) => Effect.Effect<Pick<LoadedConfig, "problems">, { readonly message: string }>
  readonly refuse: (why: ReadonlyArray<string>) => Effect.Effect<void>
  /** Replaces all workers, one by one, without a call less. */
  readonly restart: Effect.Effect<void>
}

/** A worker with what it is told and asked. */
interface Member extends Supervisor.Worker<Ready> {
  readonly peer: Peer.Peer
}

/** Ms for a configuration to come into force. */
const reloadWithin = 60_000

/** Ms beyond what a worker may take to finish. */
const slack = 10_000

/** Ms for which a worker whose place is taken serves on, and some more. */
const handover = 12_000

const asError = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({ message: `serve: ${plain(message)}` })

/** Serves until the scope closes. */
export const make = (options: Options): Effect.Effect<Primary, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const { count, loaded, log, source } = options
    const { config } = source
    const { drainDelay = 0, drainTimeout = 30_000, host: configured } = config.server
    const runFork = Runtime.runFork(yield* Background.runtime<never>())
    const host = options.host ?? configured ?? "127.0.0.1"
    const port = yield* Effect.mapError(Port.fixed(host, options.port ?? config.server.port ?? 4000), asError)
    const engine = config.redis === undefined ? yield* MemoryEngine.make() : undefined
    const lending = engine === undefined ? undefined : Lending.make(engine)
    const members = new Map<Supervisor.Worker<Ready>, Member>()
    const idSecret = newIdSecret()
    let restarts = 0
    const between = Siblings.make(
      (than) => serving().flatMap(({ peer }) => (peer === than ? [] : [peer])),
      () => WorkerCounts.text({ serving: serving().length, restarts }, config.router.metrics)
    )
    let inForce = loaded
    let contents = loaded === undefined ? undefined : yield* ConfigFile.contentsOf(loaded)
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({
      ...(process.argv[1] === undefined ? {} : { exec: process.argv[1] }),
      args: process.argv.slice(2),
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"]
    })

    // A worker asks others before the first of them is told to serve.
    let supervised = (): ReadonlyArray<Supervisor.Worker<Ready>> => []
    const serving = (): ReadonlyArray<Member> => supervised().flatMap((worker) => members.get(worker) ?? [])

    const beginning = (index: number): Beginning => ({
      index,
      port,
      idSecret,
      contents,
      sharesState: engine !== undefined,
      isTerminal: process.stderr.isTTY === true,
      hasColours: hasColours(process.stderr)
    })

    const begin = (index: number): Effect.Effect<Member> =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const ready = yield* Deferred.make<Ready, string>()
        const ended = yield* Deferred.make<Supervisor.Ended>()
        const forked: Forked = cluster.fork()
        const { process: child } = forked
        if (child.stdout !== null) passOn(child.stdout, process.stdout)
        if (child.stderr !== null) passOn(child.stderr, process.stderr)
        let served: EngineDesk.Served | undefined
        let toldOf = inForce
        const peer: Peer.Peer = yield* Scope.extend(
          Peer.make(
            ProcessChannel.toWorker(forked),
            {
              answer: (operation, args) => {
                if (served?.knows(operation) === true) return served.answer(operation, args)
                const passed = between.answer(peer, operation, args)
                if (passed !== undefined) return passed
                switch (operation) {
                  case asks.begin:
                    return Effect.map(Effect.forkIn(watched, scope), () => {
                      toldOf = inForce
                      return beginning(index)
                    })
                  case asks.ready:
                    return Effect.zipRight(
                      // A configuration may have come into force while it began.
                      Effect.suspend(() => (toldOf === inForce ? Effect.void : reloadOne(member))),
                      Deferred.succeed(ready, args[0] as Ready)
                    )
                  case asks.failed:
                    return Deferred.fail(ready, String(args[0]))
                  default:
                    return Peer.unknown(operation)
                }
              },
              hear: (topic, value) => {
                served?.hear(topic, value)
                between.heard(peer, topic, value)
              }
            },
            { name: `worker ${index}` }
          ),
          scope
        )
        if (engine !== undefined) served = EngineDesk.serve(engine, peer, lending)
        const end = served?.end ?? Effect.void
        forked.once("exit", (code: number | null, signal: string | null) =>
          runFork(
            end.pipe(
              Effect.zipRight(
                Effect.sync(() => {
                  members.delete(member)
                  between.gone(peer)
                })
              ),
              Effect.zipRight(Scope.close(scope, Exit.void)),
              Effect.zipRight(Deferred.succeed(ended, { code, signal }))
            )
          )
        )
        const member: Member = {
          peer,
          pid: child.pid,
          ready: Deferred.await(ready),
          ended: Deferred.await(ended),
          retire: Effect.ignore(peer.ask(orders.retire, [])),
          stop: Effect.sync(() => child.kill("SIGTERM")),
          kill: Effect.sync(() => child.kill("SIGKILL"))
        }
        const watched = Heartbeat.watch({
          ask: (within) => Effect.map(peer.ask(orders.well, [], within), (well) => well as Well),
          hung: Effect.zipRight(
            Effect.sync(() => log.note("error", "worker_hung", { worker: index, pid: child.pid })),
            member.kill
          )
        })
        members.set(member, member)
        return member
      })

    const reloadOne = ({ peer }: Pick<Member, "peer">): Effect.Effect<string | undefined> =>
      peer.ask(orders.reload, [contents], reloadWithin).pipe(
        Effect.map((why) => (typeof why === "string" ? why : undefined)),
        // One that is gone is replaced by one with this configuration.
        Effect.catchAll(() => Effect.succeed(undefined))
      )

    const told: Supervisor.Told = {
      ready: (index, { pid }) => log.note("info", "worker_ready", { worker: index, pid }),
      ended: (index, { pid }, { code, signal }, pause) => {
        restarts++
        log.note("error", "worker_ended", {
          worker: index,
          pid,
          code: code ?? undefined,
          signal: signal ?? undefined,
          next_in_ms: pause
        })
      }
    }
    const drain = toMs(drainDelay) + toMs(drainTimeout) + slack
    const supervisor = yield* Supervisor.make<Ready>({
      count,
      begin,
      told,
      stopWithin: drain,
      retireWithin: drain + handover
    })
    supervised = supervisor.serving
    const { isOpen, url } = yield* Effect.catchTags(supervisor.ready, {
      StartFailed: ({ message }) => Effect.fail(new CommandError({ message })),
      CrashLoop: (loop) => Effect.fail(asError(loop))
    })
    const each = <B>(ask: (member: Member) => Effect.Effect<B>) =>
      Effect.forEach([...members.values()], ask, { concurrency: "unbounded" })

    return {
      isOpen,
      url,
      lasting: Effect.mapError(supervisor.lasting, asError),
      reload: (next) =>
        Effect.gen(function* () {
          const said = yield* ConfigFile.contentsOf(next)
          // It has changed again, and is read again.
          if (said === undefined) return next
          const before = { contents, inForce }
          contents = said
          inForce = next
          for (const member of serving()) {
            const why = yield* reloadOne(member)
            if (why === undefined) continue
            contents = before.contents
            inForce = before.inForce
            return yield* Effect.fail({ message: why })
          }
          log.configure(next.config)
          return next
        }),
      refuse: (why) => Effect.asVoid(each(({ peer }) => Effect.ignore(peer.ask(orders.refuse, [why])))),
      restart: Effect.gen(function* () {
        log.note("info", "workers_restart", { workers: count })
        const isDone = yield* supervisor.replaced
        if (isDone) log.note("info", "workers_restarted", { workers: count })
        else
          log.note("error", "workers_restart_failed", {
            message: "a new worker did not begin to serve: the others stay"
          })
      })
    }
  })
