import type { Channel } from "@switchyard/gateway/Peer"

interface End {
  readonly heard: Set<(message: unknown) => void>
  readonly gone: Set<() => void>
}

/** Two ends of a channel within one process: what is said is cloned, as between processes. `close` ends it. */
export const pipe = (): { readonly left: Channel; readonly right: Channel; readonly close: () => void } => {
  const ends: readonly [End, End] = [
    { heard: new Set(), gone: new Set() },
    { heard: new Set(), gone: new Set() }
  ]
  let isOpen = true
  const channel = (own: End, other: End): Channel => ({
    send: (message) => {
      const copy: unknown = structuredClone(message)
      setImmediate(() => {
        if (isOpen) for (const hear of other.heard) hear(copy)
      })
    },
    isOpen: () => isOpen,
    listen: (hear, closed) => {
      own.heard.add(hear)
      own.gone.add(closed)
      return () => {
        own.heard.delete(hear)
        own.gone.delete(closed)
      }
    }
  })
  return {
    left: channel(ends[0], ends[1]),
    right: channel(ends[1], ends[0]),
    close: () => {
      isOpen = false
      for (const { gone } of ends) for (const closed of [...gone]) closed()
    }
  }
}
