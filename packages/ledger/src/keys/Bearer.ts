/**
 * Who bears a key of the ledger, and what models that lets them ask for: what the key says, its team and its user, together.
 */
import * as Wildcard from "@switchyard/core/Wildcard"
import type { LedgerGroup, LedgerKey, Terms } from "./LedgerKey.js"

/** A key that came with a request. */
export interface Bearer {
  readonly key: LedgerKey
  /** Whether it may ask for a model by this name, as its key, its team and its user are now. */
  readonly mayUse: (model: string) => boolean
}

/** LiteLLM's words for every model, and for those of the key's team. */
const allModels = "all-proxy-models"
const allOfTeam = "all-team-models"

/** Whether a list of models lets one be asked for; no list, and an empty one, let all. */
export const lets = ({ models }: Pick<Terms, "models">, model: string): boolean =>
  models === undefined ||
  models.length === 0 ||
  models.some((pattern) => pattern === allModels || pattern === allOfTeam || Wildcard.fits(pattern, model))

/** The bearer of a key. `group` is asked each time: a team changes without its keys. */
export const make = (
  key: LedgerKey,
  group: (kind: LedgerGroup["kind"], id: string) => LedgerGroup | undefined
): Bearer => {
  const letsGroup = (kind: LedgerGroup["kind"], id: string | undefined, model: string): boolean => {
    const found = id === undefined ? undefined : group(kind, id)
    return found === undefined || lets(found, model)
  }
  return {
    key,
    mayUse: (model) => lets(key, model) && letsGroup("team", key.team, model) && letsGroup("user", key.user, model)
  }
}
