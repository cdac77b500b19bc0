import { type Engine, EngineError } from "@switchyard/router/Engine"
import { Effect } from "effect"

const away = new EngineError({ reason: "away", description: "nobody there" })

type Operation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, EngineError>

/** An engine whose connection the test holds in its hand: each of its operations fails while it is away. */
export const reachable = (engine: Engine) => {
  const state = { isAway: false }
  const gated = (value: unknown): unknown =>
    typeof value === "function"
      ? (...args: ReadonlyArray<unknown>) =>
          Effect.suspend(() => (state.isAway ? Effect.fail(away) : (value as Operation)(...args)))
      : typeof value === "object" && value !== null
        ? Object.fromEntries(
            Object.entries(value).map(([name, member]) => [name, name === "listen" ? member : gated(member)])
          )
        : value
  return { engine: gated(engine) as Engine, state }
}
