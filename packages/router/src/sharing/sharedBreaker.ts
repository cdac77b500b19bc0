import { Effect } from "effect"
import { Breaker, type Ticket } from "../breaker/breaker.js"
import type { Overrides, Policy } from "../breaker/breakerPolicy.js"
import type { BreakerSnapshot } from "../breaker/breakerSnapshot.js"
import type { SlowStart } from "../breaker/slowStart.js"
import type { RouterEvent } from "../events/RouterEvents.js"
import type { BreakerEngine, BreakerWord } from "../fleet/BreakerEngine.js"
import type { EngineError } from "../fleet/EngineError.js"
import type { Trial } from "./trial.js"

/** What a breaker needs of those who share it. */
export interface Sharing {
  readonly engine: BreakerEngine
  /** ms */
  readonly lease: number
  /** Whether the engine is asked at all. */
  readonly isShared: () => boolean
  /** Asks it, and notes how that went. */
  readonly ask: <A>(question: Effect.Effect<A, EngineError>) => Effect.Effect<A, EngineError>
  /** Runs what nobody waits for. */
  readonly run: (question: Effect.Effect<void>) => void
  /** Names a call among those of all processes. */
  readonly name: () => string
  /** Heard of any breaker. */
  readonly hear: (word: BreakerWord) => void
  /** Lets others know that there is something to look at. */
  readonly spread: () => void
  /** The engine does not know what this breaker does. */
  readonly untold: (breaker: SharedBreaker) => void
}

/** Differences of times that are none: answers take their time. ms */
const tolerance = 50

const isLater = (until: number, known: number): boolean => until > known + tolerance

/**
 * The breaker of one deployment, shared by many processes: it decides as one of a single process does, tells the others, and
 * follows them. Only a call on trial is asked for first.
 */
export class SharedBreaker extends Breaker {
  /** Calls on trial that this process makes. */
  readonly trials = new Map<Ticket, Trial>()
  /** The version that was heard last. */
  version = 0
  /** The epoch of the engine that this breaker is in. */
  private turned = 0
  private cleared = 0
  private isUntold = false
  /** Answers that are waited for: until the last one is there, nothing else is news. */
  private waiting = 0
  private isFollowing = false
  private failing: Trial | undefined
  private changes = 0
  private ramp = 0

  constructor(
    deployment: string,
    random: () => number,
    publish: (event: RouterEvent) => void,
    slowStart: SlowStart,
    private readonly sharing: Sharing
  ) {
    super(deployment, random, publish, slowStart)
  }

  /** Whether an engine that knows nothing of it has lost what it was told. */
  isMissed(version: number): boolean {
    return this.circuit !== "closed" && !this.isUntold && this.waiting === 0 && this.version <= version
  }

  admitTogether(
    policy: Policy,
    now: number,
    forced: boolean,
    named: boolean
  ): Effect.Effect<Ticket | undefined> | undefined {
    this.ramp = policy.slowStart
    if (this.circuit === "closed" || this.unhealthyBy !== undefined || now < this.holds.until) return undefined
    if ((this.circuit === "open" && now < this.openUntil) || !this.sharing.isShared()) return undefined
    const { engine, lease, name } = this.sharing
    const call: Trial = { key: this.deployment, attempt: name(), place: "shared" }
    const known = { epoch: this.turned, trips: this.trips, reason: this.openedBy ?? "" }
    const asked = engine.probe({ ...call, ...known, lease, permits: policy.permits })
    return Effect.match(this.sharing.ask(asked), {
      onFailure: () => {
        // It may have been admitted all the same: then its permit comes back, now or with its lease.
        this.tell(() => this.conclusion(call, false, policy, false))
        return this.admit(policy, now, forced, named)
      },
      onSuccess: ({ admitted, word }) => {
        this.sharing.hear(word)
        const isClosed = (this.circuit as string) === "closed"
        if (!admitted) {
          if (isClosed) return this.admit(policy, now, forced, named)
          return forced ? this.onTrial(false, named, { ...call, place: "here" }) : undefined
        }
        return this.onTrial(true, false, call)
      }
    })
  }

  override admit(policy: Policy, now: number, forced: boolean, named = false): Ticket | undefined {
    this.ramp = policy.slowStart
    const ticket = super.admit(policy, now, forced, named)
    if (ticket?.onTrial === true) {
      this.trials.set(ticket, { key: this.deployment, attempt: this.sharing.name(), place: "here" })
      if (ticket.permit) this.noteUntold()
    }
    return ticket
  }

  override succeeded(by: Ticket, policy: Policy, now: number): void {
    const trial = this.over(by)
    if (trial === undefined) return super.succeeded(by, policy, now)
    if (trial.place === "lost") return super.undecided(by)
    const isNews = !by.decided && by.epoch === this.epoch
    const isForced = trial.place === "here"
    this.quietly(() => super.succeeded(by, policy, now))
    if (isNews || !isForced) this.tell(() => this.conclusion(trial, isNews, policy, isForced))
  }

  override failed(by: Ticket, reason: string, atOnce: boolean, own: Overrides, policy: Policy, now: number): void {
    const trial = this.over(by)
    if (trial?.place === "lost") return super.undecided(by)
    const before = this.changes
    this.failing = trial?.place === "here" ? undefined : trial
    super.failed(by, reason, atOnce, own, policy, now)
    this.failing = undefined
    if (this.changes === before) this.giveBack(trial, policy)
  }

  override undecided(by: Ticket): void {
    const trial = this.over(by)
    super.undecided(by)
    this.giveBack(trial, undefined)
  }

  override retryAfter(wait: number, policy: Policy, now: number, kind: "limit" | "outage" = "limit"): void {
    const before = this.holds.snapshot(now)[kind]?.until ?? 0
    super.retryAfter(wait, policy, now, kind)
    const hold = this.holds.snapshot(now)[kind]
    if (hold === undefined || !isLater(hold.until, before)) return
    this.tell(() => this.sharing.engine.hold(this.deployment, kind, hold.named, hold.until))
  }

  override reset(now: number): void {
    this.quietly(() => super.reset(now))
    this.tell(() => this.sharing.engine.close(this.deployment, undefined))
  }

  override restore(saved: BreakerSnapshot, now: number): void {
    super.restore(saved, now)
    this.noteUntold()
  }

  /** Goes on from what all processes know. */
  follow(word: BreakerWord, now: number): void {
    if (this.isUntold || this.waiting > 0 || word.version < this.version) return
    this.version = word.version
    if (word.epoch < this.turned) {
      // It has lost what it knew, and is told again.
      if (this.circuit !== "closed") this.noteUntold()
      return
    }
    this.followHolds(word, now)
    this.isFollowing = true
    this.followCircuit(word, now)
    this.isFollowing = false
    this.turned = word.epoch
  }

  /** Others keep this anew: what was counted so far is not of them. */
  forget(): void {
    this.version = 0
    this.turned = 0
    this.cleared = 0
    if (this.circuit !== "closed") this.noteUntold()
  }

  /** Tells what the engine may not know: it did not answer, or was away. */
  retell(now: number): Effect.Effect<void, EngineError> {
    return Effect.suspend(() => {
      this.isUntold = false
      this.waiting++
      return Effect.matchEffect(Effect.all([...this.wishes(now), ...this.state(now)]), {
        onFailure: (error) => {
          this.waiting--
          this.noteUntold()
          return Effect.fail(error)
        },
        onSuccess: (words) => {
          this.waiting--
          for (const word of words) this.sharing.hear(word)
          this.sharing.spread()
          return Effect.void
        }
      })
    })
  }

  /** What of its state others have to know: a trial that goes on is found out by the next call. */
  private state(now: number): ReadonlyArray<Effect.Effect<BreakerWord, EngineError>> {
    const { engine, lease } = this.sharing
    const { deployment: key, openedBy: reason = "", permits, trips, turned: epoch } = this
    if (this.circuit === "closed") return [engine.close(key, epoch)]
    const lasts = this.openUntil - now
    if (this.circuit === "open" && lasts > 0) return [engine.open({ key, reason, trips, permits, lasts })]
    return [...this.trials].flatMap(([ticket, trial]) =>
      ticket.permit && trial.place === "here"
        ? [
            Effect.map(
              engine.probe({ ...trial, lease, permits, trips, reason, epoch, made: true }),
              ({ admitted, word }) => {
                if (admitted) trial.place = "shared"
                return word
              }
            )
          ]
        : []
    )
  }

  private wishes(now: number): ReadonlyArray<Effect.Effect<BreakerWord, EngineError>> {
    const known = this.holds.snapshot(now)
    return (["limit", "outage"] as const).flatMap((kind) => {
      const hold = known[kind]
      return hold === undefined ? [] : [this.sharing.engine.hold(this.deployment, kind, hold.named, hold.until)]
    })
  }

  protected override openFor(reason: string, duration: number, now: number): void {
    super.openFor(reason, duration, now)
    this.changes++
    if (this.isFollowing) return
    const attempt = this.failing?.attempt
    const { deployment: key, permits, trips } = this
    this.tell(() => this.sharing.engine.open({ key, reason, lasts: duration, trips, permits, attempt }))
  }

  protected override close(now: number): void {
    super.close(now)
    this.changes++
    if (!this.isFollowing) this.tell(() => this.sharing.engine.close(this.deployment, this.turned))
  }

  private onTrial(permit: boolean, decided: boolean, trial: Trial): Ticket {
    const made: Ticket = { epoch: this.epoch, onTrial: true, permit, decided }
    this.trials.set(made, trial)
    return made
  }

  private over(by: Ticket): Trial | undefined {
    const trial = this.trials.get(by)
    this.trials.delete(by)
    return trial
  }

  private conclusion({ attempt, key }: Trial, succeeded: boolean, policy: Policy | undefined, forced: boolean) {
    return this.sharing.engine.conclude({
      key,
      attempt,
      succeeded,
      forced,
      enough: policy?.successThreshold ?? Number.MAX_SAFE_INTEGER
    })
  }

  private giveBack(trial: Trial | undefined, policy: Policy | undefined): void {
    if (trial?.place === "shared") this.tell(() => this.conclusion(trial, false, policy, false))
  }

  /** What happens is told with what led to it. */
  private quietly(step: () => void): void {
    this.isFollowing = true
    step()
    this.isFollowing = false
  }

  private noteUntold(): void {
    this.isUntold = true
    this.sharing.untold(this)
  }

  private tell(question: () => Effect.Effect<BreakerWord, EngineError>): void {
    if (!this.sharing.isShared()) return this.noteUntold()
    this.waiting++
    this.sharing.run(
      Effect.match(this.sharing.ask(Effect.suspend(question)), {
        onFailure: () => {
          this.waiting--
          this.noteUntold()
        },
        onSuccess: (word) => {
          this.waiting--
          this.sharing.hear(word)
          this.sharing.spread()
        }
      })
    )
  }

  private followHolds(word: BreakerWord, now: number): void {
    if (word.cleared > this.cleared) {
      this.cleared = word.cleared
      this.holds.clear()
      this.makeStatuses()
    }
    const known = this.holds.snapshot(now)
    for (const kind of ["limit", "outage"] as const) {
      const hold = word[kind]
      if (hold === undefined || !isLater(hold.until, known[kind]?.until ?? 0)) continue
      this.holds.restore({ [kind]: hold }, now)
      this.makeStatuses()
    }
  }

  private followCircuit({ circuit, epoch, ...word }: BreakerWord, now: number): void {
    if (circuit === "closed") {
      if (this.circuit === "closed") return
      if (word.recovered) this.slowStart.begin(this.ramp, now)
      this.close(now)
      if (word.recovered) this.note("Recovered")
      return
    }
    const { lasts, reason, trips } = word
    if (circuit === "open") {
      const left = this.openUntil - now
      if (this.circuit !== "open" || (left <= 0 && lasts > tolerance)) this.opens(reason, lasts, now)
      else if (Math.abs(left - lasts) > tolerance && Math.max(left, lasts) > 0) {
        this.openUntil = Number.NEGATIVE_INFINITY
        this.openFor(reason, lasts, now)
      }
      this.trips = trips
      return
    }
    if (this.circuit === "closed") this.opens(reason, 0, now)
    else if (this.circuit === "halfOpen" && epoch !== this.turned) this.newEpoch()
    if (this.circuit === "open") this.halfOpens(now)
    this.trips = trips
    this.permits = word.permits
    this.consecutiveSuccesses = word.successes
    this.inUse = word.probes
    for (const [{ epoch: own, permit }, { place }] of this.trials) {
      if (permit && place === "here" && own === this.epoch) this.inUse++
    }
  }
}
