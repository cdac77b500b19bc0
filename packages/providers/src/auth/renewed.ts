/**
 * Something that expires, fetched once for all who ask for it.
 */

/** Milliseconds before its end in which something is fetched anew. */
const early = 60_000
/** Milliseconds for which it is good where nobody says. */
const unsaid = 300_000

/** A value, and until when it is good (Unix ms); undefined where nobody says. */
export interface Lasting<A> {
  readonly value: A
  readonly until: number | undefined
}

/** Keeps a value until shortly before it expires. Who asks while it is fetched gets what is being fetched. */
export class Renewed<A> {
  private kept: { readonly value: A; readonly until: number; readonly end: number } | undefined
  private fetching: Promise<A> | undefined

  constructor(private readonly fetch: () => Promise<Lasting<A>>) {}

  /** The value, where it is good at `now` (Unix ms). */
  known(now: number): A | undefined {
    return this.kept !== undefined && now < this.kept.until ? this.kept.value : undefined
  }

  /**
   * The value. A failure is told to all who wait, and the next who asks fetches again; while the value before is still good, it
   * stands in for what cannot be fetched.
   */
  get(now: number): Promise<A> {
    const known = this.known(now)
    if (known !== undefined) return Promise.resolve(known)
    const before = this.kept
    this.fetching ??= this.fetch()
      .then(
        ({ until, value }) => {
          const end = until ?? now + unsaid
          this.kept = { value, until: until === undefined ? end : end - early, end }
          return value
        },
        (error: unknown) => {
          if (before === undefined || now >= before.end) throw error
          return before.value
        }
      )
      .finally(() => {
        this.fetching = undefined
      })
    return this.fetching
  }

  /** The value was refused: the next who asks fetches another one, if nobody has done so since. */
  forget(refused: A): void {
    if (this.kept?.value === refused) this.kept = undefined
  }
}
