/** The callers: some patient, some who leave, stall or half-close, some with bodies that nobody should serve. */
import { Dice, seedOf } from "@switchyard/testing/Dice"
import { type Ask, bodyOf, type Kind, pathOf, requestIdOf } from "./ask.js"
import { makeAgent, nobodyListens, type Observed, patience, type Sending, send } from "./exchange.js"
import type { Gateway } from "./gateway.js"
import * as HostileBodies from "./hostileBodies.js"
import type { Journal } from "./journal.js"
import { judge, judgeHostile, type Verdict } from "./verdict.js"

/**
 * Most calls at once beside bursts. Node takes one new connection in each turn of its loop, so on a machine that has no time
 * for the gateway more of them would only wait to be taken.
 */
const most = 80

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** How a caller behaves, with its share of all. */
const manners = [
  { name: "", weight: 84 },
  { name: "leaves early", weight: 6 },
  { name: "does not read", weight: 1 },
  { name: "half-closes", weight: 3 },
  { name: "hostile body", weight: 3 },
  { name: "big prompt", weight: 3 }
] as const

const kinds = [
  { kind: "chat", weight: 45 },
  { kind: "stream", weight: 45 },
  { kind: "embedding", weight: 10 }
] as const satisfies ReadonlyArray<{ readonly kind: Kind; readonly weight: number }>

/** Ms that a caller who does not read stays: longer than `stallTimeout`. */
const stalls = 6_000

const untaken: Observed = {
  status: undefined,
  headers: {},
  text: "",
  isComplete: false,
  failure: nobodyListens,
  isReused: false,
  left: false
}

export class Callers {
  inFlight = 0
  private readonly agent = makeAgent()
  private readonly dice: Dice
  private id = 0

  constructor(
    private readonly gateways: ReadonlyArray<Gateway>,
    private readonly journal: Journal,
    seed: number
  ) {
    this.dice = new Dice(seedOf(seed, "callers"))
  }

  /** Calls at about so many a second until told to stop; resolves when the last has ended. */
  async callUntil(isOver: () => boolean, perSecond: number): Promise<void> {
    const calls = new Set<Promise<void>>()
    while (!isOver()) {
      if (this.inFlight < most) {
        const call: Promise<void> = this.callOnce().finally(() => calls.delete(call))
        calls.add(call)
      }
      await sleep((-Math.log(1 - this.dice.roll()) * 1000) / perSecond)
    }
    await Promise.all(calls)
  }

  /** So many calls at once. */
  async burst(calls: number): Promise<void> {
    await Promise.all(Array.from({ length: calls }, () => this.callOnce()))
  }

  /** So many calls by callers who behave. */
  wellBehaved(calls: number): Promise<ReadonlyArray<Verdict>> {
    return Promise.all(
      Array.from({ length: calls }, async () => {
        const ask = this.next()
        return judge(ask, await this.deliver(ask.id, this.sendingOf(ask)))
      })
    )
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.agent.destroy()
  }

  private next(): Ask {
    const { dice } = this
    const isLong = dice.roll() < 0.02
    return {
      id: ++this.id,
      kind: dice.weighted(kinds).kind,
      words: isLong ? 5_000 + dice.below(20_000) : 2 + dice.below(60),
      padding: 0
    }
  }

  private sendingOf(ask: Ask): Sending {
    return { path: pathOf(ask), body: bodyOf(ask), fresh: this.dice.roll() < 0.3 }
  }

  private async callOnce(): Promise<void> {
    this.inFlight++
    try {
      await this.inTheManner(this.dice.weighted(manners).name)
    } finally {
      this.inFlight--
    }
  }

  private async inTheManner(manner: (typeof manners)[number]["name"]): Promise<void> {
    const { dice, journal } = this
    const from = journal.now()
    const ask = this.next()
    if (manner === "hostile body") {
      const { name, sending } = HostileBodies.pick(dice)
      const verdict = judgeHostile(await this.deliver(ask.id, sending))
      return journal.ended({ id: ask.id, what: `hostile body: ${name}`, from, verdict })
    }
    const odd: Ask =
      manner === "big prompt"
        ? { ...ask, padding: 100_000 + dice.below(300_000) }
        : manner === "does not read"
          ? { ...ask, kind: dice.pick(["chat", "stream"]), words: 200_000 }
          : ask
    const how: Partial<Sending> =
      manner === "leaves early"
        ? { leaveAfter: dice.below(600) }
        : manner === "does not read"
          ? { leaveAfter: stalls, unread: true }
          : manner === "half-closes"
            ? { halfClose: true }
            : {}
    const observed = await this.deliver(ask.id, { ...this.sendingOf(odd), ...how })
    const isAway = observed.left || manner === "does not read"
    const verdict = isAway ? ({ outcome: "left" } as const) : judge(odd, observed)
    journal.ended({ id: ask.id, what: manner === "" ? ask.kind : manner, from, verdict })
  }

  /** A gateway that takes requests; else one that at least listens. */
  private choose(): Gateway | undefined {
    const listening = this.gateways.filter(({ url }) => url !== undefined)
    const ready = listening.filter(({ isReady }) => isReady)
    const among = ready.length > 0 ? ready : listening
    return among[this.dice.below(among.length)]
  }

  /**
   * Sends until somebody takes it. A connection that is refused is no loss, nor one that closes without a byte when no
   * upstream has heard of the call and it was either an old connection or the gateway was about to leave: nothing was taken.
   */
  private async deliver(id: number, sending: Sending): Promise<Observed> {
    const until = performance.now() + patience
    for (;;) {
      const gateway = this.choose()
      const { url } = gateway ?? {}
      if (gateway !== undefined && url !== undefined) {
        const headers = { ...sending.headers, "x-request-id": requestIdOf(id) }
        const observed = await send(url, { ...sending, headers }, this.agent)
        if (!this.mayRepeat(id, observed, gateway.isLeaving || gateway.url !== url)) return observed
      }
      if (performance.now() > until) return untaken
      await sleep(50)
    }
  }

  private mayRepeat(id: number, { failure, isReused, left, status }: Observed, isLeaving: boolean): boolean {
    if (status !== undefined || left || failure === undefined || failure === "NO_ANSWER_IN_TIME") return false
    if (failure === "ECONNREFUSED") {
      this.journal.refused++
      return true
    }
    if (this.journal.wasReached(id) || !(isReused || isLeaving)) return false
    this.journal.stale++
    return true
  }
}
