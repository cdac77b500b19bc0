import { CallerUsage } from "@switchyard/router/CallerWindows"
import * as Concern from "@switchyard/router/Concern"
import { Breakers } from "@switchyard/router/CooldownState"
import { Registry } from "@switchyard/router/DeploymentRegistry"
import { Statistics } from "@switchyard/router/DeploymentStats"
import { Latencies } from "@switchyard/router/LatencyTracker"
import { Prices } from "@switchyard/router/PriceBook"
import { Spending } from "@switchyard/router/SpendWindows"
import { type AnyStack, statesOf } from "@switchyard/router/Stack"
import { DeploymentUsage } from "@switchyard/router/UsageWindows"
import { Effect } from "effect"

const shown = [Registry, Statistics, Breakers, Latencies, DeploymentUsage, Spending, CallerUsage, Prices]

/** The stack with all state that the admin endpoints show, also where none of its concerns has it. */
export const withControlState = (stack: AnyStack): AnyStack => {
  const known = new Set(statesOf(stack.concerns).map(({ tag }) => tag.key))
  const missing = shown.filter(({ tag }) => !known.has(tag.key))
  if (missing.length === 0) return stack
  class ControlState extends Concern.beside({
    name: "controlState",
    about: "Keeps the state that the admin endpoints show",
    state: missing,
    make: () => Effect.void
  }) {}
  return stack.append(ControlState)
}
