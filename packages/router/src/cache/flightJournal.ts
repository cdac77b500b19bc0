import type { DeploymentId } from "@switchyard/core/Deployment"
import { type FallbackHop, Journal, type JournalEntry } from "@switchyard/core/Journal"
import { abandoned, type Outcome } from "@switchyard/core/Outcome"

/** An attempt as its bearer's journal shows it. The bearer does not own what the attempt holds open. */
class BorrowedEntry implements JournalEntry {
  private isGivenUp = false

  constructor(readonly entry: JournalEntry) {}

  get number() {
    return this.entry.number
  }
  get deployment() {
    return this.entry.deployment
  }
  get target() {
    return this.entry.target
  }
  get provider() {
    return this.entry.provider
  }
  get group() {
    return this.entry.group
  }
  get model() {
    return this.entry.model
  }
  get startedAt() {
    return this.entry.startedAt
  }
  get endedAt() {
    return this.entry.endedAt
  }
  get outcome(): Outcome | undefined {
    return this.isGivenUp ? abandoned : this.entry.outcome
  }
  get rejected() {
    return this.entry.rejected
  }
  get cost() {
    return this.outcome?.cost
  }

  release(): void {}

  /** The bearer leaves, and somebody else bears the rest: to the one who left, the attempt is abandoned. */
  giveUp(): void {
    this.isGivenUp = true
  }
}

/**
 * The journal of a call that several requests wait for. Everything in it is shown to one of them as well, its bearer, so
 * that each attempt is counted in one report and no more.
 */
export class FlightJournal extends Journal {
  private shown: Array<BorrowedEntry> = []

  constructor(private bearer: Journal) {
    super(bearer.requestedGroup, bearer.startedAt)
    bearer.cache = "miss"
  }

  /** Whether the attempts are shown to this journal. */
  isBorneBy(journal: Journal): boolean {
    return this.bearer === journal
  }

  /** From now on another request shows what happens: the attempts that still run, and those to come. */
  passTo(journal: Journal): void {
    this.bearer = journal
    journal.cache = "miss"
    const running = this.shown.filter((entry) => entry.outcome === undefined)
    this.shown = []
    for (const borrowed of running) {
      borrowed.giveUp()
      this.show(borrowed.entry)
    }
  }

  override append(entry: JournalEntry): void {
    super.append(entry)
    this.show(entry)
  }

  override noteRejected(): void {
    super.noteRejected()
    this.bearer.noteRejected()
  }

  override noteClosed(deployment: DeploymentId): void {
    super.noteClosed(deployment)
    this.bearer.noteClosed(deployment)
  }

  override hop(hop: FallbackHop): void {
    super.hop(hop)
    this.bearer.hop(hop)
  }

  private show(entry: JournalEntry): void {
    const borrowed = new BorrowedEntry(entry)
    this.shown.push(borrowed)
    this.bearer.append(borrowed)
  }
}
