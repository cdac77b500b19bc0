// Loaded into the gateway before it: says from within how long the event loop was held up, and how large the heap is.
import { monitorEventLoopDelay } from "node:perf_hooks"

const resolution = 5
const always = monitorEventLoopDelay({ resolution })
const lately = monitorEventLoopDelay({ resolution })
always.enable()
lately.enable()

const ms = (nanos) => Math.max(0, nanos / 1e6 - resolution)

// It listens now: what its start took is no delay of anybody.
process.on("message", () => always.reset())
process.channel?.unref()

setInterval(() => {
  if (!process.connected) return
  process.send({
    p50: ms(always.percentile(50)),
    p99: ms(always.percentile(99)),
    max: ms(always.max),
    lately: ms(lately.max),
    heap: process.memoryUsage().heapUsed
  })
  lately.reset()
}, 500).unref()
