/**
 * A gateway for a target of the fuzzer, before a transport that is scripted, and all that it says of its own faults.
 */
import * as Gateway from "@switchyard/gateway/Gateway"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import { decode, deploymentOf, holdsNothing, inFlight, masterKey } from "../support/gateways.js"
import { ScriptedTransport } from "./scriptedTransport.js"
import { Violation } from "./target.js"

export interface Running {
  readonly gateway: Gateway.Gateway
  readonly upstream: ScriptedTransport
  /** Throws when the gateway has told its log of a defect, or the process of an error that nobody caught, since the last time. */
  readonly noDefects: () => void
  /** Throws when anything is under way. */
  readonly isIdle: () => Promise<void>
  /** Throws when anything is kept of what is over, or a metric is no number. */
  readonly settle: () => Promise<void>
  readonly close: () => Promise<void>
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Turns of the event loop after which what has ended must have been given back. */
const patience = 2_000

export const run = async (settings: object): Promise<Running> => {
  const upstream = new ScriptedTransport()
  const faults: Array<string> = []
  const log = Logger.make(({ cause, logLevel, message }) => {
    if (LogLevel.greaterThanEqual(logLevel, LogLevel.Error)) faults.push(`${String(message)} ${String(cause)}`)
  })
  const uncaught = (error: unknown): void => {
    faults.push(`nobody caught ${error instanceof Error ? error.stack : String(error)}`)
  }
  process.on("unhandledRejection", uncaught)
  process.on("uncaughtException", uncaught)
  const scope = Effect.runSync(Scope.make())
  const config = decode({
    deployments: [deploymentOf({ name: "one", url: "http://upstream.invalid/v1" })],
    masterKey,
    cooldown: false,
    retry: { attempts: 1 },
    deadline: { deadline: "10 seconds" },
    ...settings,
    server: { port: 0, drainTimeout: "1 second", ...("server" in settings ? (settings.server as object) : {}) }
  })
  const gateway = await Effect.runPromise(
    Gateway.make({ config }, { transport: upstream.service }).pipe(
      Scope.extend(scope),
      Effect.provide(Logger.replace(Logger.defaultLogger, log))
    )
  )
  const noDefects = (): void => {
    const [first] = faults.splice(0)
    if (first !== undefined) throw new Violation("a defect", first)
  }
  const isIdle = async (): Promise<void> => {
    for (let turns = 0; turns < patience; turns++) {
      if (upstream.open === 0 && Object.keys(inFlight(gateway)).length === 0) return
      await turn()
    }
    throw new Violation(
      "under way after the end",
      `${upstream.open} answers, attempts ${JSON.stringify(inFlight(gateway))}`
    )
  }
  const settle = async (): Promise<void> => {
    await isIdle()
    await Effect.runPromise(holdsNothing(gateway)).catch((error: unknown) => {
      throw new Violation("kept after the end", String(error))
    })
    const metrics = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${masterKey}` } })
    const bad = (await metrics.text()).split("\n").find((line) => !line.startsWith("#") && / (NaN|[+-]Inf)$/.test(line))
    if (bad !== undefined) throw new Violation("a metric is no number", bad)
    if (Object.keys(Object.prototype).length > 0) throw new Violation("polluted", Object.keys(Object.prototype).join())
    noDefects()
  }
  const close = async (): Promise<void> => {
    process.off("unhandledRejection", uncaught)
    process.off("uncaughtException", uncaught)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return { gateway, upstream, noDefects, isIdle, settle, close }
}
