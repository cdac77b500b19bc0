import * as Background from "@switchyard/core/Background"
import { Effect, type Scope } from "effect"
import type { Cluster, Redis } from "ioredis"

/** How long after a subscription that was refused or lost the next try is made. */
const pause = "1 second"

/** What is heard of channels. */
export interface Subscriptions {
  readonly listen: (channel: string, hear: (text: string) => void) => Effect.Effect<void, never, Scope.Scope>
  readonly close: () => void
}

/**
 * A connection that subscribes can do nothing else, so it is one of its own, made with the first listener; a cluster's client
 * has it inside. The client subscribes again by itself after it was away.
 */
export const make = (client: Redis | Cluster): Subscriptions => {
  const channels = new Map<string, Set<(text: string) => void>>()
  let subscriber: Redis | Cluster | undefined
  const hearAll = (channel: string, text: string): void => {
    for (const hear of channels.get(channel) ?? []) hear(text)
  }
  const connected = (): Redis | Cluster => {
    if (subscriber !== undefined) return subscriber
    const made = client.isCluster ? client : (client as Redis).duplicate({ lazyConnect: false })
    // What is wrong with the server is told by commands; one that nobody hears would end the process.
    if (made !== client) made.on("error", () => {})
    made.on("message", hearAll)
    subscriber = made
    return made
  }
  const subscribe = (channel: string): Effect.Effect<void> =>
    Effect.tryPromise(async () => connected().subscribe(channel)).pipe(
      Effect.catchAll(() => Effect.zipRight(Effect.sleep(pause), subscribe(channel))),
      Effect.asVoid
    )
  const unsubscribe = (channel: string): void => {
    connected()
      .unsubscribe(channel)
      .catch(() => {})
  }
  return {
    listen: (channel, hear) => {
      const listener = (text: string): void => hear(text)
      const add = Effect.sync(() => {
        const listeners = channels.get(channel) ?? new Set()
        channels.set(channel, listeners.add(listener))
      })
      const remove = Effect.sync(() => {
        const listeners = channels.get(channel)
        listeners?.delete(listener)
        if (listeners?.size !== 0) return
        channels.delete(channel)
        if (subscriber !== undefined) unsubscribe(channel)
      })
      return Effect.acquireRelease(add, () => remove).pipe(
        // Whoever can't be interrupted while it is opened would wait at its end for a server that never comes.
        Effect.zipRight(Background.run(subscribe(channel))),
        Effect.asVoid
      )
    },
    close: () => {
      subscriber?.off("message", hearAll)
      if (subscriber !== client) subscriber?.disconnect()
    }
  }
}
