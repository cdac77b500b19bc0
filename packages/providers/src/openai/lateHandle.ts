import type { TransportHandle } from "../transport/Transport.js"

/** A request that is yet to be sent: what is asked of it is done once it is. */
export class LateHandle implements TransportHandle {
  private handle: TransportHandle | undefined
  private isPaused = false
  isAborted = false

  /** It has been sent. */
  is(handle: TransportHandle): void {
    this.handle = handle
    if (this.isAborted) handle.abort()
    else if (this.isPaused) handle.pause()
  }

  pause(): void {
    this.isPaused = true
    this.handle?.pause()
  }

  resume(): void {
    this.isPaused = false
    this.handle?.resume()
  }

  abort(): void {
    this.isAborted = true
    this.handle?.abort()
  }
}
