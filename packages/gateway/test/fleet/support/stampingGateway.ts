/**
 * A gateway as a process of its own, with windows as short as a test wants them. Its requests to upstreams bear the
 * stamp of their admission, and `x-gateway`, which of the processes sends them.
 */
import { randomUUID } from "node:crypto"
import * as Gateway from "@switchyard/gateway/Gateway"
import { decode } from "@switchyard/gateway/GatewayConfig"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as SharedStates from "@switchyard/router/SharedStates"
import { Effect, Either } from "effect"
import { stampedTransport, stamping } from "../../support/stamps.js"
import type { Asked } from "./gatewayProcesses.js"

const { config: settings, name, redis, skew, ...windows } = JSON.parse(process.argv[2] ?? "{}") as Asked

// A clock that is wrong by so much, as everything in this process reads it.
const RightDate = Date
const wrongNow = (): number => RightDate.now() + skew
globalThis.Date = class extends RightDate {
  constructor(...given: ReadonlyArray<unknown>) {
    if (given.length === 0) super(wrongNow())
    else super(...(given as [number]))
  }
  static override now = wrongNow
} as DateConstructor

const program = Effect.gen(function* () {
  const config = Either.getOrThrowWith(decode(settings), (error) => error)
  const engine = yield* RedisEngine.make(redis)
  const told = (change: EngineGuard.ModeChange) =>
    process.stderr.write(`${change.mode} ${change.error?.message ?? ""}\n`)
  const guard = yield* EngineGuard.make(stamping(engine), { id: randomUUID(), onChange: told })
  const transport = yield* stampedTransport({ "x-gateway": name })
  const shared = { guard, states: yield* SharedStates.make(guard, windows) }
  const { url } = yield* Gateway.make({ config }, { shared, transport })
  process.stdout.write(`${url}\n`)
  return yield* Effect.never
}).pipe(Effect.scoped)

Effect.runPromise(program).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
