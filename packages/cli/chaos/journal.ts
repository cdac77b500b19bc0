/** Everything that a run sees, for its report. Times are ms since its begin. */
import { requestIdOf } from "./ask.js"
import type { Verdict } from "./verdict.js"

/** What the probe inside says: ms that the event loop was held up, since the start and lately (the longest), and bytes. */
export interface Probe {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly lately: number
  readonly heap: number
}

/** What can be seen of a process from outside. */
export interface Seen extends Probe {
  readonly rss: number
  readonly fds: number
}

/** How calls ended. */
type Outcome = Verdict["outcome"] | "left"

/** One call, from its first byte to its end. */
export interface Finished {
  readonly id: number
  /** What the caller did: a plain call, a hostile body, leaving. */
  readonly what: string
  readonly from: number
  readonly to: number
  readonly verdict: Verdict | { readonly outcome: "left" }
}

/** Something that was done to the processes. */
interface Moment {
  readonly name: string
  readonly from: number
  to: number
}

/** Gateways at one time. */
export interface Sample {
  readonly at: number
  readonly gateways: ReadonlyArray<readonly [name: string, seen: Seen]>
}

/** Counts by outcome. */
export type Counts = { [outcome in Outcome]: number }

const none = (): Counts => ({ whole: 0, error: 0, "in-band": 0, refused: 0, lost: 0, left: 0 })

/** Lines of logs that are kept, at least. */
const lines = 50_000

/** Ms after its end for which something that was done still counts as near. */
const aftermath = 1_000

export class Journal {
  readonly moments: Array<Moment> = []
  readonly samples: Array<Sample> = []
  readonly problems: Array<string> = []
  readonly finished: Array<Finished> = []
  /** The latest words of each gateway process about its event loop. */
  readonly loops = new Map<string, Probe>()
  /** Ms that `/health/live` took. */
  readonly pings: Array<number> = []
  /** Connections that were refused: nobody had taken anything, so the caller asks again. */
  refused = 0
  /** Connections that closed before the gateway had read the request: likewise. */
  stale = 0
  private readonly log: Array<string> = []
  private readonly faults = new Map<number, Array<string>>()
  private begin = performance.now()

  /** Everything is up: time begins. */
  start(): void {
    this.begin = performance.now()
    this.samples.length = 0
    this.pings.length = 0
  }

  now(): number {
    return performance.now() - this.begin
  }

  /** An upstream got a call. */
  reached(id: number, fault: string | undefined): void {
    const known = this.faults.get(id)
    const name = fault ?? ""
    if (known === undefined) this.faults.set(id, [name])
    else known.push(name)
  }

  wasReached(id: number): boolean {
    return this.faults.has(id)
  }

  ended(call: Omit<Finished, "to">): void {
    this.finished.push({ ...call, to: this.now() })
  }

  problem(text: string): void {
    this.problems.push(`${(this.now() / 1000).toFixed(1)} s: ${text}`)
  }

  /** Runs something that is done to the processes, and remembers when. */
  async moment(name: string, run: () => Promise<void>): Promise<void> {
    const moment = { name, from: this.now(), to: Number.POSITIVE_INFINITY }
    this.moments.push(moment)
    try {
      await run()
    } catch (error) {
      this.problem(`${name}: ${String(error)}`)
    }
    moment.to = this.now()
  }

  /** A gateway wrote a line. */
  logged(line: string): void {
    this.log.push(line)
    if (this.log.length > 2 * lines) this.log.splice(0, lines)
  }

  /** The latest lines of the gateways about a call. */
  linesAbout(id: number): ReadonlyArray<string> {
    const requestId = `"${requestIdOf(id)}"`
    return this.log.filter((line) => line.includes(requestId))
  }

  loop(gateway: string, probe: Probe): void {
    this.loops.set(gateway, probe)
  }

  /** What was done to the processes while a call was under way, or shortly before. */
  near({ from, to }: Finished): ReadonlyArray<string> {
    return [
      ...new Set(
        this.moments.filter((moment) => moment.from < to && moment.to + aftermath > from).map(({ name }) => name)
      )
    ]
  }

  /** What upstreams did with a call. */
  faultsOf(id: number): ReadonlyArray<string> {
    return this.faults.get(id) ?? []
  }

  totals(): Counts {
    return this.countBy(() => ["all"]).get("all") ?? none()
  }

  /** Calls by outcome under each of the names that are given to a call; one with several names counts under each. */
  countBy(namesOf: (call: Finished) => ReadonlyArray<string>): Map<string, Counts> {
    const counts = new Map<string, Counts>()
    for (const call of this.finished) {
      for (const name of new Set(namesOf(call))) {
        const known = counts.get(name) ?? none()
        known[call.verdict.outcome]++
        counts.set(name, known)
      }
    }
    return counts
  }
}
