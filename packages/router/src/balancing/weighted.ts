import type { Deployment } from "@switchyard/core/Deployment"
import type { Slot } from "@switchyard/core/Slot"
import { slowStartOf } from "../breaker/slowStart.js"
import type { Candidates } from "./Candidates.js"
import type { Uniform } from "./RoutingStrategy.js"

/** A deployment's weight; one that has none counts as 1. */
export const weightOf = (slot: Slot): number => slot.deployment.weight ?? 1

type Unit = "weight" | "rpm" | "tpm" | "even"

/** Sums of huge weights must not overflow: no list is as long as 2^60. */
const scale = 2 ** -60

const shareOf = (deployment: Deployment, unit: Unit, unset: number): number => {
  switch (unit) {
    case "weight":
      return deployment.weight ?? unset
    case "rpm":
      return deployment.rpm ?? unset
    case "tpm":
      return deployment.tpm ?? unset
    case "even":
      return unset
  }
}

/**
 * One open candidate at random, in proportion to its share; -1 when none is open. All candidates are measured in one unit:
 * weights when any has one (the others count as 1), else rpm, else tpm (one without a limit counts as the largest), else
 * evenly. When every open share is 0 the choice is even.
 *
 * One pass with log n random numbers: each pick stands until the sum of the shares has grown beyond a random multiple.
 */
export const weightedOpen = (candidates: Candidates, random: Uniform): number => {
  const { size } = candidates
  let unit: Unit = "even"
  let largestRpm = -1
  let largestTpm = -1
  for (let i = 0; i < size; i++) {
    const { rpm, tpm, weight } = candidates.at(i).deployment
    if (weight !== undefined) {
      unit = "weight"
      break
    }
    if (rpm !== undefined && rpm > largestRpm) largestRpm = rpm
    if (tpm !== undefined && tpm > largestTpm) largestTpm = tpm
  }
  let unset = 1
  if (unit === "even" && largestRpm >= 0) {
    unit = "rpm"
    unset = largestRpm
  } else if (unit === "even" && largestTpm >= 0) {
    unit = "tpm"
    unset = largestTpm
  }
  let picked = -1
  let sum = 0
  let next = 0
  let fallback = -1
  let worthless = 0
  let nextWorthless = 0
  for (let i = 0; i < size; i++) {
    if (!candidates.isReady(i)) continue
    const slot = candidates.at(i)
    const share = shareOf(slot.deployment, unit, unset) * slowStartOf(slot).factor(candidates.now) * scale
    if (share > 0) {
      sum += share
      if (sum < next) continue
      picked = i
      next = sum / random()
    } else if (++worthless >= nextWorthless) {
      fallback = i
      nextWorthless = worthless / random()
    }
  }
  return picked === -1 ? fallback : picked
}
