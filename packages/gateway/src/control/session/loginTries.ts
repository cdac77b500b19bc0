/**
 * How often a wrong key may be tried: a few times from one address, and a few more from all together, so that changing
 * addresses helps nobody.
 */

/** Ms that a try counts. */
const window = 60_000

/** Tries in that time from one address. */
const perAddress = 5

/** Tries in that time from all addresses. */
const inAll = 20

/** Wrong keys that were tried lately. */
export class LoginTries {
  /** The oldest first; never more than `inAll`. */
  #failed: ReadonlyArray<{ readonly address: string; readonly at: number }> = []

  /** Ms until another key may be tried; 0 when it may be now. */
  wait(address: string, now: number): number {
    this.#failed = this.#failed.filter(({ at }) => now - at < window)
    const own = this.#failed.filter((failed) => failed.address === address)
    const bars = [own.at(-perAddress), this.#failed.at(-inAll)]
    return Math.max(0, ...bars.map((bar) => (bar === undefined ? 0 : bar.at + window - now)))
  }

  /** `told` hears of each try here. */
  constructor(private readonly told: (address: string, at: number) => void = () => {}) {}

  /** A wrong key was tried here. */
  note(address: string, now: number): void {
    this.hear(address, now)
    this.told(address, now)
  }

  /** One was tried at another's. */
  hear(address: string, now: number): void {
    this.#failed = [...this.#failed, { address, at: now }].slice(-inAll)
  }
}
