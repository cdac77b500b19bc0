/**
 * The bytes of all bodies that are held: from when they come until their requests end, since a retry may need them.
 */
import { nowMs } from "@switchyard/core/Time"
import type { Clock } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"

/** What one request holds. */
export interface Hold {
  /** Counts more bytes; a refusal where there is no room for them. */
  readonly grow: (bytes: number) => Refusal | undefined
  /** So many of them are held no more. */
  readonly shrink: (bytes: number) => void
  /** All of them are let go. */
  readonly release: () => void
}

/** The part of the bound that a caller may have while others want some. */
const share = 1 / 4
/** The part of the bound that is left to any request, however much its caller has. */
const crumb = 1 / 4096
/** Ms for which a caller who was turned away counts as waiting. */
const waits = 5000

interface Held {
  bytes: number
  requests: number
  /** When it was turned away; monotonic ms. */
  refusedAt: number
}

/** Counts bytes by caller. */
export class BytesInFlight {
  private total = 0
  private readonly callers = new Map<string | undefined, Held>()

  constructor(
    private readonly max: number,
    private readonly clock: Clock.Clock
  ) {}

  /** Bytes held by all requests. */
  get bytes(): number {
    return this.total
  }

  /** For a request of a caller. */
  enter({ name: caller }: { readonly name: string | undefined }): Hold {
    let held = this.callers.get(caller)
    if (held === undefined) {
      held = { bytes: 0, requests: 0, refusedAt: Number.NEGATIVE_INFINITY }
      this.callers.set(caller, held)
    }
    const mine = held
    mine.requests++
    let own = 0
    const letGo = (bytes: number): void => {
      this.total -= bytes
      mine.bytes -= bytes
      own -= bytes
    }
    return {
      grow: (bytes) => {
        if (this.total + bytes > this.max || this.isGreedy(mine, own + bytes, bytes)) {
          mine.refusedAt = nowMs(this.clock)
          return this.refusal()
        }
        own += bytes
        mine.bytes += bytes
        this.total += bytes
        return undefined
      },
      shrink: (bytes) => letGo(Math.min(bytes, own)),
      release: () => {
        letGo(own)
        mine.requests--
        this.forget(caller, mine)
      }
    }
  }

  private isGreedy(mine: Held, own: number, bytes: number): boolean {
    if (mine.bytes + bytes <= this.max * share || own <= this.max * crumb || this.callers.size < 2) return false
    const now = nowMs(this.clock)
    for (const [caller, other] of this.callers) {
      if (other === mine) continue
      if (other.bytes > 0 || now - other.refusedAt < waits) return true
      this.forget(caller, other)
    }
    return false
  }

  private forget(caller: string | undefined, held: Held): void {
    if (held.requests === 0 && nowMs(this.clock) - held.refusedAt >= waits) this.callers.delete(caller)
  }

  private refusal(): Refusal {
    return {
      status: 503,
      code: "overloaded",
      message: "the gateway holds as many bytes of requests as it may, and takes no more for the moment",
      retryAfter: 1000
    }
  }
}
