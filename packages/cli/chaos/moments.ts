/** What is done to the processes, by the dice: restarts, reloads, frozen and killed upstreams, full and broken log pipes. */
import { writeFile } from "node:fs/promises"
import { Dice, seedOf } from "@switchyard/testing/Dice"
import type { Callers } from "./callers.js"
import type { Gateway } from "./gateway.js"
import type { Journal } from "./journal.js"
import * as Settings from "./settings.js"
import type { Upstream } from "./upstreams.js"

/** Everything that things can be done to. */
export interface World {
  readonly gateways: readonly [Gateway, ...ReadonlyArray<Gateway>]
  readonly upstreams: readonly [Upstream, ...ReadonlyArray<Upstream>]
  readonly callers: Callers
  readonly journal: Journal
  readonly config: string
  readonly seed: number
}

interface Moment {
  readonly name: string
  /** Left out of short runs, most of which it would be. */
  readonly isLong?: boolean
  readonly run: (world: World, dice: Dice) => Promise<void>
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Restarts wait for each other: a gateway that starts is not told to end. */
let restarting: Promise<void> = Promise.resolve()

const restart = (...gateways: ReadonlyArray<Gateway>): Promise<void> => {
  const next = async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()))
    await Promise.all(gateways.map((gateway) => gateway.start()))
  }
  restarting = restarting.then(next, next)
  return restarting
}

const reload = async ({ config, gateways }: World, text: string, dice: Dice): Promise<void> => {
  if (dice.roll() < 0.3) {
    // As editors do that do not swap files: readers may see the half of it.
    await writeFile(config, text.slice(0, text.length >> 1))
    await sleep(30)
  }
  await writeFile(config, text)
  if (dice.roll() < 0.5) for (const gateway of gateways) gateway.hangUp()
  await sleep(500)
}

const moments: ReadonlyArray<Moment> = [
  { name: "gateway restarted", run: ({ gateways }, dice) => restart(dice.pick(gateways)) },
  { name: "all gateways restarted", isLong: true, run: ({ gateways }) => restart(...gateways) },
  {
    name: "gateway frozen for 1 s",
    run: async ({ gateways }, dice) => {
      const gateway = dice.pick(gateways)
      gateway.signal("SIGSTOP")
      await sleep(1_000)
      gateway.signal("SIGCONT")
    }
  },
  { name: "reload", run: (world, dice) => reload(world, Settings.good(world.upstreams, dice), dice) },
  {
    name: "bad reload",
    run: async (world, dice) => {
      await reload(world, Settings.bad(world.upstreams, dice), dice)
      await reload(world, Settings.good(world.upstreams, dice), dice)
    }
  },
  {
    name: "five SIGHUPs",
    run: async ({ gateways }) => {
      for (let times = 0; times < 5; times++) {
        for (const gateway of gateways) gateway.hangUp()
        await sleep(60)
      }
    }
  },
  {
    name: "upstream frozen",
    run: async ({ upstreams }, dice) => {
      const upstream = dice.pick(upstreams)
      upstream.freeze()
      await sleep(2_000 + dice.below(2_000))
      upstream.thaw()
    }
  },
  {
    name: "upstream killed",
    run: async ({ upstreams }, dice) => {
      const upstream = dice.pick(upstreams)
      await upstream.kill()
      await sleep(1_000 + dice.below(2_000))
      await upstream.revive()
    }
  },
  {
    name: "all upstreams killed",
    run: async ({ upstreams }) => {
      await Promise.all(upstreams.map((upstream) => upstream.kill()))
      await sleep(500)
      await Promise.all(upstreams.map((upstream) => upstream.revive()))
    }
  },
  {
    name: "log not read",
    run: async ({ gateways }, dice) => {
      const { log } = dice.pick(gateways)
      log?.stopReading()
      await sleep(4_000)
      log?.goOnReading()
    }
  },
  {
    name: "log reader left",
    run: async ({ gateways }, dice) => {
      dice.pick(gateways).log?.leave()
      await sleep(2_000)
    }
  },
  {
    name: "stdout's reader left",
    run: async ({ gateways }, dice) => {
      dice.pick(gateways).leaveStdout()
      await sleep(500)
    }
  },
  { name: "burst of 60 calls", run: ({ callers }) => callers.burst(60) }
]

/** Does one after the other, in another order each time round, until it is over. All have ended when it resolves. */
export const runUntil = async (world: World, isOver: () => boolean, isShort: boolean): Promise<void> => {
  const gap = isShort ? 1_300 : 3_000
  const dice = new Dice(seedOf(world.seed, "moments"))
  const under: Array<Promise<void>> = []
  while (!isOver()) {
    for (const { name, run } of dice.shuffled(moments.filter(({ isLong }) => !(isShort && isLong === true)))) {
      if (isOver()) break
      under.push(world.journal.moment(name, () => run(world, dice)))
      await sleep(gap * (0.5 + dice.roll()))
    }
  }
  await Promise.all(under)
}
