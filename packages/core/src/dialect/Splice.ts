/**
 * The text of an answer that comes a second time, from a restart.
 */

/** Characters of text that are held for a restart, half of 1 MiB, since a character may take two bytes. */
export const longestRepeated = 512 * 1024

/** Text that comes a second time: swallows what is known, and says what is new, or that it is another text. */
export class Splice {
  private position = 0

  constructor(private readonly known: string) {}

  /** All that was known has come again. */
  get isDone(): boolean {
    return this.position === this.known.length
  }

  /** Takes the next piece of the repeated text: its part that goes beyond the known text; undefined when it differs. */
  take(piece: string): string | undefined {
    if (this.isDone) return piece
    const repeated = Math.min(piece.length, this.known.length - this.position)
    if (!this.known.startsWith(piece.slice(0, repeated), this.position)) return undefined
    this.position += repeated
    return piece.slice(repeated)
  }
}
