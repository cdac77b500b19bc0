/**
 * Chaos over real processes: two gateways as they are installed, over upstreams that misbehave, are frozen and killed, while
 * the gateways are restarted, reloaded and robbed of their log's reader. Every call has to end in a whole answer, a typed
 * error, or an error event in the stream. Exits with 1, and says which, when one did not.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Dice, seedOf } from "@switchyard/testing/Dice"
import { Effect } from "effect"
import * as Aftermath from "./aftermath.js"
import { Callers } from "./callers.js"
import * as Children from "./children.js"
import { Gateway } from "./gateway.js"
import { Journal } from "./journal.js"
import { watch } from "./measure.js"
import { runUntil, type World } from "./moments.js"
import * as Options from "./options.js"
import * as Report from "./report.js"
import * as Settings from "./settings.js"
import { Upstream } from "./upstreams.js"

/** Calls a second, beside the bursts. */
const rate = 25

/** Seconds that a run may take longer than it was told to: starting, the last calls, and the look at what is left. */
const grace = 150

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "switchyard-chaos-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const build = (options: Options.Options, journal: Journal) =>
  Effect.gen(function* () {
    const { seed } = options
    const children = yield* Children.make
    const path = yield* folder
    const config = join(path, "switchyard.json")
    const [north, ...others] = yield* Effect.promise(() =>
      Promise.all(
        (["north", "east", "south", "spare"] as const).map((name) => Upstream.start(name, { children, journal, seed }))
      )
    )
    if (north === undefined) return yield* Effect.dieMessage("no upstream")
    const upstreams = [north, ...others] as const
    yield* Effect.promise(() => writeFile(config, Settings.good(upstreams, new Dice(seedOf(seed, "settings")))))
    const surroundings = { children, folder: path, config, journal }
    const gateways = [new Gateway("A", surroundings), new Gateway("B", surroundings)] as const
    yield* Effect.promise(() => Promise.all(gateways.map((gateway) => gateway.start())))
    yield* Effect.acquireRelease(
      Effect.sync(() => watch(gateways, journal)),
      (stop) => Effect.sync(stop)
    )
    const callers = new Callers(gateways, journal, seed)
    return { gateways, upstreams, callers, journal, config, seed } satisfies World
  })

const run = async (world: World, seconds: number): Promise<void> => {
  const { callers, gateways, journal } = world
  while (gateways.some(({ isReady, probe }) => !isReady || probe === undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const fresh = Math.max(...gateways.map((gateway) => gateway.look()?.fds ?? 0))
  journal.start()
  const until = journal.now() + seconds * 1000
  const isOver = (): boolean => journal.now() > until
  await Promise.all([callers.callUntil(isOver, rate), runUntil(world, isOver, seconds < 60)])
  await Aftermath.look(world, fresh)
  await Promise.all(gateways.map((gateway) => gateway.stop()))
}

const program = (options: Options.Options) =>
  Effect.gen(function* () {
    const journal = new Journal()
    console.log(`chaos: ${options.seconds} s of faults, --seed ${options.seed}`)
    yield* build(options, journal).pipe(
      Effect.flatMap((world) => Effect.promise(() => run(world, options.seconds))),
      Effect.timeoutTo({
        duration: (options.seconds + grace) * 1000,
        onSuccess: () => {},
        onTimeout: () => journal.problem(`the run did not end within ${grace} s of its time`)
      }),
      Effect.scoped
    )
    console.log(Report.text(journal, options))
    if (options.json !== undefined)
      yield* Effect.promise(() => writeFile(options.json ?? "", Report.json(journal, options)))
    return Report.isClean(journal)
  })

/** Ctrl-C and the like end the run as its own end would: no process is left. */
const stopped = (): AbortSignal => {
  const controller = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => controller.abort())
  return controller.signal
}

const signal = stopped()
try {
  const options = Options.read(process.argv.slice(2))
  const isClean = await Effect.runPromise(program(options), { signal })
  process.exit(isClean ? 0 : 1)
} catch (error) {
  if (signal.aborted) {
    console.error("stopped")
    process.exit(130)
  }
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
