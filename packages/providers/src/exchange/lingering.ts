/**
 * Connections whose answer is over and whose response is not: normally the response ends an instant later and the
 * connection is free for the next request. A server that never ends it must not collect sockets, so there is a bound.
 */
export class Lingering {
  private readonly waiting = new Set<{ readonly abort: () => void }>()

  constructor(private readonly limit: number) {}

  /** Waits for one more; beyond the bound, the one that has waited longest is broken off. */
  add(exchange: { readonly abort: () => void }): void {
    this.waiting.add(exchange)
    if (this.waiting.size <= this.limit) return
    for (const oldest of this.waiting) {
      this.waiting.delete(oldest)
      oldest.abort()
      return
    }
  }

  /** Its response has ended. */
  delete(exchange: { readonly abort: () => void }): void {
    this.waiting.delete(exchange)
  }
}
