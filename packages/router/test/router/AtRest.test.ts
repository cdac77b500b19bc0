/**
 * Whatever a tower is made of and however its calls end: when they have, nothing of them goes on, and when its scope has closed
 * nothing at all. Random towers, calls and interruptions, in virtual time.
 */
import { assert, describe, it } from "@effect/vitest"
import * as LlmService from "@switchyard/core/LlmService"
import type * as Service from "@switchyard/core/Service"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as Router from "@switchyard/router/Router"
import * as SharedStates from "@switchyard/router/SharedStates"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Exit, type Fiber, Logger, LogLevel, Scope, Stream, Supervisor } from "effect"
import { type Dice, forSeeds, VirtualTime } from "../support/schedules.js"
import { isProbe, randomOptions, randomProbe, randomReply, randomRequest } from "../support/towers.js"

/** A timer that many calls share waits so long for the next. */
const grace = 1_000

/** Loops that go on for as long as a tower is there, by what begins them, and how many. */
const loops = (options: Router.Options, isShared: boolean): number => {
  const ofShared = {
    "the guard of the engine": 1,
    "the use of limits, and the leases of calls": 2,
    "the leases of callers' calls": 1,
    "the states of breakers": 2,
    "figures of latency": 1,
    "the retries that may be lent": 1
  }
  const probes = typeof options.healthProbes === "object" ? 1 : 0
  return probes + (isShared ? Object.values(ofShared).reduce((sum, count) => sum + count) : 0)
}

/** One caller: sends after a while, reads as far as it likes, and leaves when its patience ends. */
const caller = (service: Service.RequestService, dice: Dice): Effect.Effect<void> => {
  const request = randomRequest(dice)
  const pulls = dice.pick([undefined, undefined, 1, 3])
  const maxOps = dice.pick([2048, 40, 31, 23, 19])
  const answer: Effect.Effect<unknown, unknown> = dice.chance(0.2)
    ? Effect.scoped(Effect.flatMap(LlmService.open(service, request), () => Effect.sleep(dice.pick([0, 100]))))
    : request.stream
      ? Stream.runDrain(
          pulls === undefined
            ? LlmService.stream(service, request)
            : Stream.take(LlmService.stream(service, request), pulls)
        )
      : LlmService.complete(service, request)
  return Effect.ignore(answer).pipe(
    Effect.delay(dice.pick([0, 0, dice.int(0, 300), dice.int(0, 3_000)])),
    Effect.withMaxOpsBeforeYield(maxOps),
    Effect.catchAllDefect(() => Effect.void)
  )
}

class World {
  readonly time: VirtualTime
  readonly fibers = Supervisor.unsafeTrack()

  constructor(dice: Dice) {
    this.time = new VirtualTime(dice.pick([2048, 64, 31, 19]))
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return this.time.fork(Effect.supervised(Logger.withMinimumLogLevel(effect, LogLevel.None), this.fibers))
  }

  /** Runs what has to be over without any time passing. */
  now<A, E>(what: string, effect: Effect.Effect<A, E>): A {
    const fiber = this.fork(effect)
    this.time.flush()
    const exit = fiber.unsafePoll()
    if (exit === null) throw new Error(`${what} does not end at once`)
    if (Exit.isFailure(exit)) throw new Error(`${what}: ${exit}`)
    return exit.value
  }

  get running(): number {
    return Effect.runSync(this.fibers.value).length
  }
}

/** Random calls, each of which ends, and what is left a moment after the last one. */
const callsOf = (world: World, service: Service.RequestService, stub: StubLlm.StubLlm, known: number, dice: Dice) => {
  const { time } = world
  const callers = Array.from({ length: dice.int(1, 16) }, () => {
    const fiber = world.fork(caller(service, dice))
    const patience = dice.pick([0, dice.int(0, 50), dice.int(0, 2_000), 60_000])
    const leaving = world.fork(
      Effect.zipRight(
        Effect.sleep(patience),
        Effect.sync(() => {
          time.flush(dice.int(0, 30))
          time.interrupt(fiber)
        })
      )
    )
    return [fiber, leaving] as const
  })
  time.pass(() => callers.every(([fiber]) => fiber.unsafePoll() !== null))
  for (const [, leaving] of callers) time.interrupt(leaving)
  time.flush()
  for (const [fiber] of callers) assert.notStrictEqual(fiber.unsafePoll(), null, "a call never ends")
  assert.strictEqual(stub.inFlight(), 0, "calls in flight")
  assert.strictEqual(stub.openStreams(), 0, "streams open")
  time.advance(time.now + grace)
  assert.isAtMost(world.running, known, "fibers when all calls have ended")
  assert.isAtMost(time.sleepers, known, "sleepers when all calls have ended")
}

/** States of an engine that processes share, or none of the app's. */
const sharedStates = Effect.flatMap(MemoryEngine.make(), (engine) =>
  Effect.flatMap(EngineGuard.make(engine, { id: "one" }), (guard) => SharedStates.make(guard))
)

const run = (dice: Dice): void => {
  const world = new World(dice)
  const { time } = world
  const stub = StubLlm.make(({ request }) => (isProbe(request) ? randomProbe(dice) : randomReply(dice)))
  const app = world.now("a scope", Scope.make())
  const isShared = dice.chance(0.3)
  const states = isShared
    ? world.now("shared states", Effect.uninterruptible(Scope.extend(sharedStates, app)))
    : (Context.empty() as Context.Context<never>)
  const close = (scope: Scope.CloseableScope) => world.now("the tower's scope", Scope.close(scope, Exit.void))
  let before: { readonly tower: Router.Built; readonly scope: Scope.CloseableScope } | undefined
  for (let generation = dice.int(1, 2); generation > 0; generation--) {
    const options = randomOptions(dice)
    const scope = world.now("a scope", Scope.make())
    const making = Router.make(options, stub.attempts, before?.tower).pipe(Effect.provide(states), Scope.extend(scope))
    const building = dice.chance(0.5) ? Effect.uninterruptible(making) : making
    if (dice.chance(0.1)) {
      // Who builds leaves, somewhere between two operations.
      const fiber = world.fork(Effect.withMaxOpsBeforeYield(building, 19))
      time.flush(dice.int(0, 40))
      time.interrupt(fiber)
      time.flush()
      assert.notStrictEqual(fiber.unsafePoll(), null, "a tower is built for ever")
      close(scope)
      break
    }
    const tower = world.now("the tower", building)
    if (before !== undefined) close(before.scope)
    before = { tower, scope }
    const known = loops(options, isShared)
    assert.strictEqual(world.running, known, "loops of a tower that has just been made")
    callsOf(world, tower.service, stub, known, dice)
  }
  if (before !== undefined) close(before.scope)
  close(app)
  time.advance(time.now + grace)
  assert.strictEqual(world.running, 0, "fibers after the scope has closed")
  assert.strictEqual(time.sleepers, 0, "sleepers after the scope has closed")
}

describe("a tower", () => {
  it("leaves nothing running when its calls have ended, nor one that it takes the place of, and ends with its scope at once", () => {
    forSeeds(1_000, run)
  })
})
