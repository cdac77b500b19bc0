import type { AdmitAsk } from "@switchyard/router/Engine"
import { LentBlock } from "@switchyard/router/LentBlock"
import type { Room, Told } from "@switchyard/router/UsageLoans"
import type { Borrowing, Heard, Word } from "./usage.js"

/** A word goes out after so many ms though there is nothing to say: its answer may ask for what is lent. */
const silence = 250

/** After a word that was not answered the next is said so many ms later. */
const patience = 500

/** Whether room for one may be used for the other. */
export const sameTerms = (a: AdmitAsk, b: AdmitAsk): boolean =>
  a.limits.rpm === b.limits.rpm &&
  a.limits.tpm === b.limits.tpm &&
  a.limits.maxParallel === b.limits.maxParallel &&
  a.window === b.window &&
  a.lease === b.lease

/**
 * A loan of this process, and what is said of it. One word is on its way at a time, and is said again as it was until it is
 * answered: the server takes it once. Times are monotonic ms.
 */
export class Debt {
  readonly block: LentBlock
  /** The server has forfeited it: the room of its calls went to others. */
  isLost = false
  private granted: Room = { requests: 0, tokens: 0, calls: 0 }
  private said = 0
  private unheard: Told | undefined
  private isTelling = false
  private saidAt: number
  private quietUntil = Number.NEGATIVE_INFINITY
  private readonly moments = new Map<number, { readonly moment: number; readonly at: number }>()

  constructor(
    readonly name: string,
    number: number,
    private readonly ask: AdmitAsk,
    now: number
  ) {
    const { key, lease, limits, window } = ask
    this.block = new LentBlock(key, number, limits, window, lease)
    this.saidAt = now
  }

  /** Whether it was lent under the same terms. */
  fits(ask: AdmitAsk): boolean {
    return sameTerms(this.ask, ask)
  }

  /** All that was ever lent, by an answer to a question of `asked`: answers may come late, or not at all. */
  grant(room: Room, use: Heard["use"], asked: number, now: number): void {
    const by = (kind: keyof Room) => Math.max(0, room[kind] - this.granted[kind])
    const more: Room = { requests: by("requests"), tokens: by("tokens"), calls: by("calls") }
    if (more.requests + more.tokens + more.calls === 0) return this.block.heard(use, now)
    const most = (kind: keyof Room) => this.granted[kind] + more[kind]
    this.granted = { requests: most("requests"), tokens: most("tokens"), calls: most("calls") }
    this.block.more(more, use, asked, now)
  }

  /** What is to be said now, if anything; it has to be `answered` or `unanswered`. */
  word(borrowers: number, now: number): Word | undefined {
    if (this.isTelling || this.isLost || now < this.quietUntil) return undefined
    if (this.unheard === undefined) {
      const isDue = now - this.saidAt >= (this.block.isClosed ? this.ask.lease / 3 : silence)
      this.unheard = this.block.word(now, isDue)
      if (this.unheard === undefined) return undefined
      this.said++
    }
    this.isTelling = true
    this.saidAt = now
    const { lease, limits, tokens, window } = this.ask
    const loan: Borrowing = { name: this.name, isKnown: true, borrowers }
    const momentOf = (moment: number) => this.moments.get(moment)?.moment
    return { told: this.unheard, number: this.said, loan, limits, tokens, lease, window, momentOf }
  }

  /** Takes the answer to the word that was said last. */
  answered(heard: Heard | undefined, asked: number, now: number): void {
    const told = this.unheard
    this.isTelling = false
    this.unheard = undefined
    if (heard === undefined) {
      this.lose()
      return
    }
    if (told !== undefined && told.requests > 0) this.moments.set(told.moment, { moment: heard.moment, at: now })
    for (const [name, { at }] of this.moments) {
      if (now - at <= this.ask.window) break
      this.moments.delete(name)
    }
    if (heard.isRecalled) this.block.close()
    this.grant(heard.granted, heard.use, asked, now)
  }

  unanswered(now: number): void {
    this.isTelling = false
    this.quietUntil = now + patience
  }

  lose(): void {
    this.isLost = true
    this.block.close()
  }

  /** A word is due whether there is anything to say or not: its answer tells whether it is still lent. */
  hurry(): void {
    this.saidAt = Number.NEGATIVE_INFINITY
    this.quietUntil = Number.NEGATIVE_INFINITY
  }

  /** Nothing is to be said of it any more: of one that is lost not even what was said in vain. */
  get isOver(): boolean {
    return this.isLost ? !this.isTelling : this.unheard === undefined && this.block.isOver
  }
}
