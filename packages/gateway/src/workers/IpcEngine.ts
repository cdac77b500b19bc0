/**
 * An engine that another process keeps: what a worker shares with the others by way of the process that started it. It forwards
 * any operation of any member as it is, so that it knows of none by name but the one that calls back.
 */
import type { Engine } from "@switchyard/router/Engine"
import { Effect, type Scope } from "effect"
import type { Peer } from "./Peer.js"

/** The name by which questions for the engine go. */
export const prefix = "engine."

/** The topic of what is published by that channel. */
export const newsTopic = "engine.news"

/** The engine, and what hears of news for it. */
export interface IpcEngine {
  readonly engine: Engine
  /** Takes what was published; to be called with what is told under `newsTopic`. */
  readonly heard: (value: unknown) => void
}

type Operation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, Scope.Scope>

/** Remembers what it made of a name. Promises are known by a name that no member has. */
const named = (make: (name: string) => unknown) => {
  const made = new Map<string, unknown>()
  return (_: unknown, name: string | symbol): unknown => {
    if (typeof name !== "string" || name === "then") return undefined
    let found = made.get(name)
    if (found === undefined) {
      found = make(name)
      made.set(name, found)
    }
    return found
  }
}

/** The engine behind a peer. */
export const make = (peer: Peer): IpcEngine => {
  const listeners = new Map<string, Set<(text: string) => void>>()
  const forward =
    (operation: string): Operation =>
    (...args) =>
      peer.ask(`${prefix}${operation}`, args)

  const listen = (channel: string, f: (text: string) => void): Effect.Effect<void, never, Scope.Scope> =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend(() => {
          const known = listeners.get(channel)
          if (known !== undefined) return Effect.sync(() => void known.add(f))
          listeners.set(channel, new Set([f]))
          return Effect.ignore(forward("news.listen")(channel))
        }) as Effect.Effect<void>,
        () =>
          Effect.suspend(() => {
            const known = listeners.get(channel)
            known?.delete(f)
            if (known?.size !== 0) return Effect.void
            listeners.delete(channel)
            return Effect.ignore(forward("news.leave")(channel)) as Effect.Effect<void>
          })
      )
    )

  const member = (name: string): unknown => {
    // What an engine lends is no question: nothing of it can be forwarded.
    if (name === "lent") return undefined
    return name === "name"
      ? "primary"
      : new Proxy(forward(name), {
          get: named((operation) =>
            name === "news" && operation === "listen" ? listen : forward(`${name}.${operation}`)
          )
        })
  }

  return {
    engine: new Proxy({}, { get: named(member) }) as Engine,
    heard: (value) => {
      const [channel, text] = value as readonly [string, string]
      for (const f of listeners.get(channel) ?? []) f(text)
    }
  }
}
