import type { BreakerEngine, BreakerWord, SharedHold } from "@switchyard/router/BreakerEngine"
import { Effect } from "effect"
import type { RedisConnection, Reply, Script } from "../connection/RedisConnection.js"
import * as scripts from "../scripts/breakers.js"

const script = (name: string, text: string): Script => ({ name: `switchyardBreaker${name}`, keys: 4, text })

const openScript = script("Open", scripts.open)
const probeScript = script("Probe", scripts.probe)
const concludeScript = script("Conclude", scripts.conclude)
const closeScript = script("Close", scripts.close)
const holdScript = script("Hold", scripts.hold)
const isolateScript = script("Isolate", scripts.isolate)
const renewScript = script("Renew", scripts.renew)
const lookScript = script("Look", scripts.look)

const circuits = ["closed", "open", "halfOpen"] as const

const list = (reply: Reply | undefined): ReadonlyArray<Reply> => (Array.isArray(reply) ? reply : [])

const holdOf = (named: number, until: number): SharedHold | undefined => (until < 0 ? undefined : { named, until })

const wordOf = (reply: Reply | undefined): BreakerWord => {
  const parts = list(reply)
  const text = (place: number): string => String(parts[place] ?? "")
  const number = (place: number): number => Number(parts[place] ?? 0)
  return {
    key: text(0),
    version: number(1),
    epoch: number(2),
    circuit: circuits[number(3)] ?? "closed",
    lasts: number(4),
    reason: text(5),
    trips: number(6),
    successes: number(7),
    permits: number(8),
    probes: number(9),
    recovered: number(10) === 1,
    cleared: number(11),
    limit: holdOf(number(12), number(13)),
    outage: holdOf(number(14), number(15)),
    isolated: number(16) === 1
  }
}

/** The parts of a word. */
const parts = 17

const wordsOf = (reply: Reply): ReadonlyArray<BreakerWord> => {
  const all = list(reply)
  return Array.from({ length: all.length / parts }, (_, place) => wordOf(all.slice(place * parts, (place + 1) * parts)))
}

/** Whole ms, and never less than was meant. */
const ms = (time: number): number => Math.max(0, Math.ceil(time))

const flag = (is: boolean | undefined): number => (is === true ? 1 : 0)

/** Breakers in Redis: all of them in one place of a cluster, as they are seldom asked about. */
export const make = ({ keysOf, run }: RedisConnection): BreakerEngine => {
  const keys = keysOf("breakers", ["state", "versions", "permits", "said"])
  const ask = (asked: Script, ...args: ReadonlyArray<string | number>) => run(asked, keys, args)
  const told = (asked: Script, ...args: ReadonlyArray<string | number>) => Effect.map(ask(asked, ...args), wordOf)
  return {
    open: ({ attempt = "", key, lasts, permits, reason, trips }) =>
      told(openScript, key, reason, ms(lasts), trips, permits, attempt),
    probe: ({ attempt, epoch, key, lease, made, permits, reason, trips }) =>
      Effect.map(ask(probeScript, key, attempt, ms(lease), permits, epoch, trips, reason, flag(made)), (reply) => {
        const [admitted, word] = list(reply)
        return { admitted: admitted === 1, word: wordOf(word) }
      }),
    conclude: ({ attempt, enough, forced, key, succeeded }) =>
      told(concludeScript, key, attempt, flag(succeeded), enough, flag(forced)),
    close: (key, epoch) => told(closeScript, key, epoch ?? -1),
    hold: (key, kind, named, until) => told(holdScript, key, kind, ms(named), ms(until)),
    isolate: (key, isolated) => told(isolateScript, key, flag(isolated)),
    renew: (held, lease) =>
      held.length === 0
        ? Effect.succeed([])
        : Effect.map(ask(renewScript, ms(lease), ...held.flatMap(({ attempt, key }) => [key, attempt])), (lost) =>
            list(lost).flatMap((place) => held[Number(place)] ?? [])
          ),
    look: (since) => Effect.map(ask(lookScript, since), wordsOf)
  }
}
