/**
 * A gateway as a process of its own, with windows as short as a test wants them. Its requests to upstreams bear what their
 * admission was told: `x-admission` (its number, and when it was asked for and answered, in ms of the machine's clock), and
 * `x-gateway`, which of the processes sends them.
 */
import { randomUUID } from "node:crypto"
import * as Gateway from "@switchyard/gateway/Gateway"
import { decode } from "@switchyard/gateway/GatewayConfig"
import * as Transport from "@switchyard/providers/UndiciTransport"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as SharedStates from "@switchyard/router/SharedStates"
import { Effect, Either, Fiber, FiberRef, Option } from "effect"
import type { Asked } from "./gatewayProcesses.js"

const { config: settings, name, redis, skew, ...windows } = JSON.parse(process.argv[2] ?? "{}") as Asked

const machineNow = (): number => performance.timeOrigin + performance.now()

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

const stamp = FiberRef.unsafeMake("")

const stamping = (engine: Engine): Engine => ({
  ...engine,
  usage: {
    ...engine.usage,
    admit: (ask) =>
      Effect.suspend(() => {
        const asked = machineNow()
        return Effect.tap(engine.usage.admit(ask), (answer) =>
          answer._tag === "Admitted" ? FiberRef.set(stamp, `${answer.number} ${asked} ${machineNow()}`) : Effect.void
        )
      })
  }
})

const stampHere = (): string =>
  Option.match(Fiber.getCurrentFiber(), {
    onNone: () => "",
    onSome: (fiber) => (fiber as Fiber.RuntimeFiber<unknown, unknown>).getFiberRef(stamp)
  })

const program = Effect.gen(function* () {
  const config = Either.getOrThrowWith(decode(settings), (error) => error)
  const engine = yield* RedisEngine.make(redis)
  const told = (change: EngineGuard.ModeChange) =>
    process.stderr.write(`${change.mode} ${change.error?.message ?? ""}\n`)
  const guard = yield* EngineGuard.make(stamping(engine), { id: randomUUID(), onChange: told })
  const { send } = yield* Transport.make()
  const transport = {
    send: ((request, handlers) => {
      const headers = { ...request.headers, "x-gateway": name, "x-admission": stampHere() }
      return send({ ...request, headers }, handlers)
    }) satisfies typeof send
  }
  const shared = { guard, states: yield* SharedStates.make(guard, windows) }
  const { url } = yield* Gateway.make({ config }, { shared, transport })
  process.stdout.write(`${url}\n`)
  return yield* Effect.never
}).pipe(Effect.scoped)

Effect.runPromise(program).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
