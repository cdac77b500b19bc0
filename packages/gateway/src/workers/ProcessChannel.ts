/** Channels between a process and those that it has forked. */
import type { Worker } from "node:cluster"
import type { Channel } from "./Peer.js"

/** An error says only that nobody hears it, which `disconnect` says too. */
const unheard = (): void => {}

/** To a process that this one has forked. */
export const toWorker = (worker: Worker): Channel => ({
  send: (message) => {
    if (worker.isConnected()) worker.send(message as object, unheard)
  },
  isOpen: () => worker.isConnected(),
  listen: (hear, closed) => {
    worker.on("message", hear)
    worker.on("disconnect", closed)
    worker.on("exit", closed)
    return () => {
      worker.off("message", hear)
      worker.off("disconnect", closed)
      worker.off("exit", closed)
    }
  }
})

/** To the process that has forked this one. */
export const toPrimary = (): Channel => ({
  send: (message) => {
    if (process.connected) process.send?.(message, undefined, {}, unheard)
  },
  isOpen: () => process.connected,
  listen: (hear, closed) => {
    process.on("message", hear)
    process.on("disconnect", closed)
    return () => {
      process.off("message", hear)
      process.off("disconnect", closed)
    }
  }
})
