import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { Context } from "effect"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"

/** What OpenAI takes for a moderation that names no model. */
const openAis = "omni-moderation-latest"

/**
 * The model of a moderation that names none: OpenAI's own where there is one of that name, else the first group that says that
 * it moderates, of those that the caller may use. Where there is none, OpenAI's name, so that the error says what is missing.
 */
export const usualModeration = ({ tower }: Generation, { mayUse }: Pick<Caller, "mayUse">): string => {
  const registry = Context.get(tower.state, DeploymentRegistry)
  if (mayUse(openAis) && registry.resolve(openAis) !== undefined) return openAis
  const found = registry
    .slots()
    .find(({ deployment }) => deployment.operations?.has("moderation") === true && mayUse(deployment.group))
  return found?.deployment.group ?? openAis
}
