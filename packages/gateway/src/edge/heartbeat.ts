import * as Background from "@switchyard/core/Background"
import { Roster, type Seated } from "@switchyard/core/Roster"
import { nowMs } from "@switchyard/core/Time"
import { Effect, type Scope } from "effect"

/** Something that wants to know how time goes by. `now` is monotonic ms. */
export interface Pulse extends Seated {
  readonly beat: (now: number) => void
}

/** Ms between two beats: how exact keep-alives and header waits are. */
const interval = 250

/** One timer for all open streams, in place of one fiber and one timer each. */
export class Heartbeat {
  private readonly pulses = new Roster<Pulse>()

  add(pulse: Pulse): void {
    this.pulses.enter(pulse)
  }

  delete(pulse: Pulse): void {
    this.pulses.leave(pulse)
  }

  get size(): number {
    return this.pulses.size
  }

  /** Beats until the scope closes. */
  readonly run: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(
    Background.run(
      Effect.forever(
        Effect.zipRight(
          Effect.sleep(interval),
          Effect.clockWith((clock) =>
            Effect.sync(() => {
              const now = nowMs(clock)
              for (const pulse of this.pulses.members()) pulse.beat(now)
            })
          )
        )
      )
    )
  )
}
