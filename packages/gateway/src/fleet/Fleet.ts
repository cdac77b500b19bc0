/**
 * Gateways that share their state tell each other what they are and how they do, on a board of the engine; each shows them
 * all. Nobody waits for it, and a gateway that can't tell others shows itself.
 */

import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import type { Posted } from "@switchyard/router/BoardEngine"
import type { EngineGuard } from "@switchyard/router/EngineGuard"
import { type Context, Effect, Option, Schema, type Scope } from "effect"
import { Card, type FleetView, type Replica } from "../api/FleetViews.js"
import type { Generation, Generations } from "../generations/Generations.js"
import { digestOf } from "./configDigest.js"
import { MinuteFigures } from "./minuteFigures.js"

/** What a fleet is made of. */
export interface Deps {
  /** What all share; undefined where nothing is. */
  readonly guard: EngineGuard | undefined
  readonly generations: Pick<Context.Tag.Service<Generations>, "current">
  /** Requests that this gateway works at. */
  readonly inFlight: () => number
}

/** This gateway among the others. */
export interface Fleet {
  /** A request has ended; `isError`: it was not answered. */
  readonly noteEnd: (isError: boolean) => void
  readonly view: Effect.Effect<FleetView>
}

const board = "gateways"

/** How often a gateway says how it does, and how long that holds, ms. */
const times = { every: 1_000, lasts: 5_000 }

const version = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string })
    .version

const encode = Schema.encodeSync(Schema.parseJson(Card))
const decode = Schema.decodeOption(Schema.parseJson(Card))

/** What others say; a word that a gateway of another version says in another way is left out. */
const replicasOf = (posted: ReadonlyArray<Posted>): ReadonlyArray<Replica> =>
  posted.flatMap(({ age, json }) =>
    Option.match(decode(json), { onNone: () => [], onSome: (card) => [{ ...card, isThis: false, ageMs: age }] })
  )

const configsOf = (replicas: ReadonlyArray<Replica>): FleetView["configs"] => {
  const found = new Map<string, Array<string>>()
  for (const { config, id } of replicas) found.set(config, [...(found.get(config) ?? []), id])
  return [...found]
    .map(([config, ids]) => ({ config, replicas: ids }))
    .sort((a, b) => b.replicas.length - a.replicas.length)
}

/** How gateways look together. */
const together = (replicas: ReadonlyArray<Replica>): Pick<FleetView, "configs" | "replicas" | "sum"> => {
  const sumOf = (name: "errors" | "inFlight" | "requests") => replicas.reduce((sum, one) => sum + one[name], 0)
  return {
    replicas: [...replicas].sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1)),
    sum: {
      replicas: replicas.length,
      requests: sumOf("requests"),
      errors: sumOf("errors"),
      inFlight: sumOf("inFlight")
    },
    configs: configsOf(replicas)
  }
}

/** A gateway that says how it does until the scope closes. */
export const make = ({ generations, guard, inFlight }: Deps): Effect.Effect<Fleet, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const figures = new MinuteFigures()
    const member = guard?.id ?? randomUUID()
    const about = {
      // Calls are named by the whole of it, which is nobody else's business.
      id: member.slice(0, 8),
      host: hostname(),
      pid: process.pid,
      version: version(),
      since: clock.unsafeCurrentTimeMillis()
    }
    let digested: { readonly of: Generation; readonly digest: string } | undefined
    const digest = (): string => {
      const current = generations.current()
      if (digested?.of !== current) digested = { of: current, digest: digestOf(current.source) }
      return digested.digest
    }
    const own = (): Card => ({
      ...about,
      config: digest(),
      generation: generations.current().number,
      ...figures.sum(nowMs(clock)),
      inFlight: inFlight(),
      mode: guard?.mode() ?? "alone"
    })
    const mine = (): Replica => ({ ...own(), isThis: true, ageMs: 0 })

    const view = Effect.suspend((): Effect.Effect<FleetView> => {
      const found: Pick<FleetView, "engine" | "mode"> = {
        engine: guard?.engine.name ?? null,
        mode: guard?.mode() ?? "alone"
      }
      const byItself = (why: string | null): FleetView => ({ ...found, error: why, ...together([mine()]) })
      if (guard === undefined) return Effect.succeed(byItself(null))
      if (guard.mode() === "local") return Effect.succeed(byItself(guard.error()?.message ?? null))
      return Effect.match(guard.ask(guard.engine.boards.read(board)), {
        onFailure: ({ message }) => byItself(message),
        onSuccess: (posted): FleetView => {
          const others = replicasOf(posted.filter((one) => one.member !== member))
          return { ...found, error: null, ...together([...others, mine()]) }
        }
      })
    })

    if (guard !== undefined) {
      const { boards } = guard.engine
      const tell = Effect.suspend(() =>
        guard.mode() === "local" ? Effect.void : guard.ask(boards.post(board, member, encode(own()), times.lasts))
      )
      yield* Effect.addFinalizer(() => Effect.ignore(boards.post(board, member, "", 0)))
      yield* Background.run(Effect.forever(Effect.zipRight(Effect.ignore(tell), Effect.sleep(times.every))))
    }
    return { view, noteEnd: (isError) => figures.note(isError, nowMs(clock)) }
  })
