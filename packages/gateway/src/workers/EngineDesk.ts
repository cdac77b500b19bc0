/**
 * An engine as the process that keeps it serves it to others: each operation by its name, and what a process holds given back
 * when it is gone.
 */
import { type AdmitAsk, type Engine, EngineError } from "@switchyard/router/Engine"
import type { SpendAsk } from "@switchyard/router/SpendEngine"
import type { Lent, Told } from "@switchyard/router/UsageLoans"
import { Effect, Exit, Scope } from "effect"
import { renewQuestion, toldTopic } from "./BorrowedUsage.js"
import { newsTopic, prefix } from "./IpcEngine.js"
import type { Lending } from "./Lending.js"
import { type Peer, type Services, unknown } from "./Peer.js"

/** What is served to one process. */
export interface Served extends Pick<Services, "answer"> {
  /** Whether a question is one for the engine. */
  readonly knows: (operation: string) => boolean
  /** Hears what the process tells of what it was lent. */
  readonly hear: (topic: string, value: unknown) => void
  /** The process is gone: what it held comes back. */
  readonly end: Effect.Effect<void>
}

/** How long a call's room is known by a name of its own. */
interface Held {
  readonly key: string
  readonly attempt: string
}

type Operation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, EngineError, Scope.Scope>

/** An operation by its name, `member.operation`; undefined where the engine has none like it. */
const operationOf = (engine: object, name: string): Operation | undefined => {
  let owner: unknown = engine
  let found: unknown = engine
  for (const part of name.split(".")) {
    if (typeof found !== "object" || found === null || part in Object.prototype || !(part in found)) return undefined
    owner = found
    found = (found as Readonly<Record<string, unknown>>)[part]
  }
  return typeof found === "function" ? (found.bind(owner) as Operation) : undefined
}

/** What is held by leases, by the operation that asks for it: whose it is to renew them. */
const takes: ReadonlyMap<string, "usage" | "breakers"> = new Map([
  ["usage.admit", "usage"],
  ["breakers.probe", "breakers"]
])

/** Operations that give it back. */
const gives: ReadonlyMap<string, "usage" | "breakers"> = new Map([
  ["usage.settle", "usage"],
  ["usage.release", "usage"],
  ["breakers.conclude", "breakers"],
  ["breakers.open", "breakers"]
])

const isHeld = (value: unknown): value is Held => {
  const { attempt, key } = (value ?? {}) as Partial<Held>
  return typeof key === "string" && typeof attempt === "string"
}

/** The engine answered that there is no room, and no permit. */
const isRefused = (answer: unknown): boolean => {
  const { _tag, admitted } = (answer ?? {}) as { readonly _tag?: unknown; readonly admitted?: unknown }
  return _tag === "Refused" || admitted === false
}

/** Serves an engine to the process behind a peer; with something to lend, calls that fit are let in there. */
export const serve = (engine: Engine, peer: Pick<Peer, "ask" | "tell">, lending?: Lending): Served => {
  const borrower = lending?.join(peer)
  const operations = new Map<string, Operation | undefined>()
  const held = { usage: new Map<string, Held>(), breakers: new Map<string, Held>() }
  const leased = new Map<string, SpendAsk>()
  const channels = new Map<string, Scope.CloseableScope>()

  const operation = (name: string): Operation | undefined => {
    if (!operations.has(name)) operations.set(name, operationOf(engine, name))
    return operations.get(name)
  }
  const leave = (channel: string): Effect.Effect<void> => {
    const scope = channels.get(channel)
    channels.delete(channel)
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  }
  const listen = (channel: string): Effect.Effect<void, EngineError> =>
    Effect.suspend(() => {
      const found = operation("news.listen")
      if (found === undefined) return unknown("news.listen")
      if (channels.has(channel)) return Effect.void
      return Effect.flatMap(Scope.make(), (scope) => {
        channels.set(channel, scope)
        const tell = (text: string) => peer.tell(newsTopic, [channel, text])
        return Effect.asVoid(Scope.extend(found(channel, tell), scope))
      })
    })
  const noted = (name: string, [first]: ReadonlyArray<unknown>): void => {
    if (name === "spend.lease") {
      for (const ask of first as ReadonlyArray<SpendAsk>) {
        if (ask.amount === 0) leased.delete(ask.key)
        else if (ask.amount !== undefined) leased.set(ask.key, ask)
      }
    }
    if (!isHeld(first)) return
    const { attempt, key } = first
    const [taken, given] = [takes.get(name), gives.get(name)]
    if (taken !== undefined) held[taken].set(`${key} ${attempt}`, { key, attempt })
    else if (given !== undefined) held[given].delete(`${key} ${attempt}`)
  }
  const refusedOne = (name: string, [first]: ReadonlyArray<unknown>): void => {
    const taken = takes.get(name)
    if (taken !== undefined && isHeld(first)) held[taken].delete(`${first.key} ${first.attempt}`)
  }

  /** What was settled counts already, as far as it was told; the rest is nobody's any more. */
  const unleased = Effect.suspend(() => {
    const given = [...leased.values()].map((ask): SpendAsk => ({ ...ask, amount: 0, settled: ask.confirmed, known: 0 }))
    return given.length === 0 ? Effect.void : Effect.ignore(engine.spend.lease(given))
  })

  const asked = (name: string, found: Operation, args: ReadonlyArray<unknown>) =>
    borrower !== undefined && name === "usage.admit" ? borrower.admit(args[0] as AdmitAsk) : found(...args)

  return {
    knows: (name) => name.startsWith(prefix),
    hear: (topic, value) => {
      if (topic === toldTopic) borrower?.told(value as ReadonlyArray<Told>)
    },
    answer: (question, args) => {
      const name = question.slice(prefix.length)
      if (question === renewQuestion) {
        const [lent, lease] = args as readonly [ReadonlyArray<Lent>, number]
        return borrower?.renew(lent, lease) ?? unknown(question)
      }
      if (name === "news.listen") return listen(String(args[0]))
      if (name === "news.leave") return leave(String(args[0]))
      const found = operation(name)
      if (found === undefined) return unknown(question)
      noted(name, args)
      const answered = Effect.map(asked(name, found, args) as Effect.Effect<unknown, EngineError>, (answer) => {
        if (isRefused(answer)) refusedOne(name, args)
        return answer
      })
      return Effect.catchAllDefect(answered, (defect) =>
        Effect.fail(new EngineError({ reason: "refused", description: `${name}: ${String(defect)}` }))
      )
    },
    end: Effect.suspend(() => {
      const members = ["usage", "breakers"] as const
      return Effect.zipRight(
        Effect.forEach([...channels.keys()], leave, { discard: true }).pipe(
          Effect.zipRight(borrower?.end ?? Effect.void),
          Effect.zipRight(unleased)
        ),
        // Leases of no length: what the calls held counts as used, as with those that have run out.
        Effect.forEach(
          members.filter((member) => held[member].size > 0),
          (member) => Effect.ignore(engine[member].renew([...held[member].values()], 0)),
          { discard: true }
        )
      )
    })
  }
}
