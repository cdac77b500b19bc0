/**
 * Where the state that a request carries comes from: thoughts that are encrypted or signed mean something to the account that
 * issued them, and nothing to any other. Who sends the request elsewhere leaves them out.
 */
import { type Deployment, isSameAccount } from "../deployment/Deployment.js"

/** Which deployment issued what, by the value of each state, the newest last. */
export type StateOrigins = ReadonlyMap<string, Deployment>

/** A request, as far as its state goes. */
interface Stateful {
  readonly origins?: StateOrigins | undefined
}

/** The deployment that issued the newest state of a request; undefined when nobody knows one. */
export const newest = ({ origins }: Stateful): Deployment | undefined => {
  let last: Deployment | undefined
  if (origins !== undefined) for (const origin of origins.values()) last = origin
  return last
}

const none: ReadonlySet<string> = new Set()

/** The states that a deployment cannot read, since another account issued them. Of what nobody remembers it may be its own. */
export const foreignTo = ({ origins }: Stateful, deployment: Deployment): ReadonlySet<string> => {
  if (origins === undefined) return none
  const foreign = new Set<string>()
  for (const [value, origin] of origins) if (!isSameAccount(origin, deployment)) foreign.add(value)
  return foreign
}
