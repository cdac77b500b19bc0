/**
 * Shows what the router of a configuration is made of: its concerns from the outermost down to the base, and whose each
 * state is.
 */
import type { GatewayConfig } from "@switchyard/gateway/GatewayConfig"
import type { ConcernView, StackView } from "@switchyard/router/StackView"
import { Effect } from "effect"
import { CommandError, type Paint, plain } from "./output.js"
import { table } from "./table.js"

/** Builds the tower as `serve` does, over a base that is never called, and looks at it. */
export const look = (config: GatewayConfig): Effect.Effect<StackView, CommandError> =>
  Effect.gen(function* () {
    const [StackView, Generations, Service] = yield* Effect.promise(() =>
      Promise.all([
        import("@switchyard/router/StackView"),
        import("@switchyard/gateway/Generations"),
        import("@switchyard/core/Service")
      ])
    )
    const base = Service.attempt(() => Effect.dieMessage("a stack is shown, not called"))
    const tower = yield* Effect.mapError(
      Generations.towerOf(config, { ...Generations.routerOptions(config), healthProbes: false }, base),
      ({ message }) => new CommandError({ message: `route: ${plain(message)}` })
    )
    return StackView.view(tower)
  }).pipe(Effect.scoped)

const tiers = { request: "request", turn: "the turn", attempt: "attempt", beside: "beside" } as const

const rowOf = (paint: Paint, { healthProbes }: { readonly healthProbes: boolean }) => {
  let before: ConcernView["tier"] | undefined
  return (concern: ConcernView): ReadonlyArray<string> => {
    const tier = concern.tier === before ? "" : tiers[concern.tier]
    before = concern.tier
    const isThere = concern.isThere || (concern.name === "healthProbes" && healthProbes)
    return [
      tier,
      plain(concern.name),
      isThere ? paint("green", "on") : "off",
      concern.key === concern.name ? "" : plain(concern.key),
      plain(concern.about ?? "")
    ]
  }
}

/** The stack as text. */
export const render = ({ concerns, state }: StackView, config: GatewayConfig, paint: Paint): string => {
  const { healthProbes } = config.router
  const isProbing = healthProbes !== false && healthProbes?.interval !== undefined
  return [
    "From the outermost concern down to the base service, and what stands in no call's way:",
    table(
      [{ title: "tier" }, { title: "concern" }, { title: "" }, { title: "options" }, { title: "about" }],
      concerns.map(rowOf(paint, { healthProbes: isProbing }))
    ),
    "",
    "What they remember:",
    table(
      [{ title: "state" }, { title: "whose" }, { title: "options" }, { title: "read by" }],
      state.map(({ keys, name, owner, readBy }) => [
        plain(name),
        owner,
        plain(keys.join(", ")),
        plain(readBy.join(", "))
      ])
    )
  ].join("\n")
}
