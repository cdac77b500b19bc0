import { Effect } from "effect"
import type { NewsEngine } from "./NewsEngine.js"

/** News in this process. */
export const make = (): NewsEngine => {
  const channels = new Map<string, Set<(text: string) => void>>()
  return {
    publish: (channel, text) =>
      Effect.sync(() => {
        for (const hear of channels.get(channel) ?? []) hear(text)
      }),
    listen: (channel, hear) => {
      // The same function may listen twice.
      const listener = (text: string): void => hear(text)
      return Effect.acquireRelease(
        Effect.sync(() => {
          const listeners = channels.get(channel) ?? new Set()
          channels.set(channel, listeners.add(listener))
        }),
        () =>
          Effect.sync(() => {
            const listeners = channels.get(channel)
            listeners?.delete(listener)
            if (listeners?.size === 0) channels.delete(channel)
          })
      )
    }
  }
}
