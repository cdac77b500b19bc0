/** All benches in process. BENCH_SHORT=1 is the short form. */
import * as Call from "./call.js"
import * as Concerns from "./concerns.js"
import * as Lifetime from "./lifetime.js"
import * as Memory from "./memory.js"
import * as Metrics from "./metrics.js"
import * as Operations from "./operations.js"
import * as Selection from "./selection.js"
import * as Tracing from "./tracing.js"

await Operations.run()
await Call.run()
await Concerns.run()
await Metrics.run()
await Tracing.run()
await Lifetime.run()
await Selection.run()
await Memory.run()
