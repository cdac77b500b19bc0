import * as Defect from "@switchyard/core/Defect"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { Cause, Runtime } from "effect"

/**
 * Runs what a timer or an ending attempt sets off, in which code of others has a say (the `openings` of layers, what hears of
 * events). It runs in no fiber: what it throws would end the process, and the call that it was for would never end. So it is
 * logged, and `otherwise` holds.
 */
export const unharmed = <A>(runtime: Runtime.Runtime<never>, request: LlmRequest, run: () => A, otherwise: A): A => {
  try {
    return run()
  } catch (defect) {
    const died = "a layer died while it was decided whether another deployment is asked beside a slow one"
    Runtime.runFork(runtime)(Defect.told(died, request, Cause.die(defect)))
    return otherwise
  }
}
