import { Roster, type Seated } from "@switchyard/core/Roster"

/** An exchange that waits. */
export interface Waiting extends Seated {
  /** Its turn: who has a smaller one has waited longer. Only `Lingering` writes it. */
  waitsSince: number
  readonly abort: () => void
}

/**
 * Connections whose answer is over and whose response is not: normally the response ends an instant later and the
 * connection is free for the next request. A server that never ends it must not collect sockets, so there is a bound.
 */
export class Lingering {
  private readonly waiting = new Roster<Waiting>()
  private turn = 0

  constructor(private readonly limit: number) {}

  /** Waits for one more; beyond the bound, the one that has waited longest is broken off. */
  add(exchange: Waiting): void {
    exchange.waitsSince = this.turn++
    this.waiting.enter(exchange)
    if (this.waiting.size <= this.limit) return
    const oldest = this.waiting.members().reduce((a, b) => (b.waitsSince < a.waitsSince ? b : a))
    this.waiting.leave(oldest)
    oldest.abort()
  }

  /** Its response has ended. */
  delete(exchange: Waiting): void {
    this.waiting.leave(exchange)
  }
}
