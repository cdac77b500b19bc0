import type { JsonObject } from "../json/Json.js"

/**
 * The index of a choice of an answer, 0 where none is said. One that JavaScript's numbers do not hold (`1e999`) is the largest
 * that there is, so that such a choice stays apart from the first, and its words with it.
 */
export const choiceIndex = ({ index }: JsonObject): number =>
  typeof index === "number" ? Math.max(Math.min(index, Number.MAX_SAFE_INTEGER), Number.MIN_SAFE_INTEGER) : 0

const open = 1
const finished = 2
const resumed = 4
const trailing = 8

/**
 * Which choices of an answer have begun, said why they end, and gone on all the same. Nearly every answer has one alone, the
 * first, and that one's state is a number: a collection of each kind for each stream was a thirtieth of all that a call allocates.
 */
export class ChoiceStates {
  private first = 0
  private others: Map<number, number> | undefined
  private openOnes = 0
  private resumedOnes = 0
  private trailingOnes = 0

  private of(choice: number): number {
    return choice === 0 ? this.first : (this.others?.get(choice) ?? 0)
  }

  private set(choice: number, was: number, is: number): void {
    if (was === is) return
    this.openOnes += (is & open) - (was & open)
    this.resumedOnes += ((is & resumed) - (was & resumed)) / resumed
    this.trailingOnes += ((is & trailing) - (was & trailing)) / trailing
    if (choice === 0) {
      this.first = is
      return
    }
    this.others ??= new Map()
    this.others.set(choice, is)
  }

  /** Some have begun, and not said why they end. */
  get areOpen(): boolean {
    return this.openOnes > 0
  }

  /** Some went on after they had said why they end: some providers say it in every chunk. */
  get haveResumed(): boolean {
    return this.resumedOnes > 0
  }

  /** Some of those have not said it again since. */
  get areTrailing(): boolean {
    return this.trailingOnes > 0
  }

  /** Those that have begun, and not said why they end. */
  get openChoices(): ReadonlyArray<number> {
    const first = (this.first & open) === 0 ? [] : [0]
    const others = [...(this.others ?? [])].flatMap(([choice, state]) => ((state & open) === 0 ? [] : [choice]))
    return [...first, ...others]
  }

  /** One has begun, and is to say why it ends. */
  began(choice: number): void {
    const was = this.of(choice)
    if ((was & finished) === 0) this.set(choice, was, was | open)
  }

  /** One says why it ends. */
  ended(choice: number): void {
    const was = this.of(choice)
    this.set(choice, was, (was & resumed) | finished)
  }

  /** Content of one came: it has begun, or goes on. */
  content(choice: number): void {
    const was = this.of(choice)
    this.set(choice, was, was | ((was & finished) === 0 ? open : resumed | trailing))
  }

  /** Content of one came, which goes on if it has ended. */
  wentOn(choice: number): void {
    const was = this.of(choice)
    if ((was & finished) !== 0) this.set(choice, was, was | resumed | trailing)
  }
}
