import type { FallbackKind, LlmError } from "@switchyard/core/LlmError"
import type { FallbackTarget, LlmRequest } from "@switchyard/core/LlmRequest"
import { type Chain, type FallbackChains, toTarget } from "./FallbackChains.js"
import { type Names, Places } from "./places.js"

/** What is known about a model name before it is asked. */
export interface Plan {
  /** It has no chain of any kind. */
  readonly isEmpty: boolean
  /** Targets that an outage of it could lead to: no prompt or answer changes what they are. */
  readonly outage: ReadonlyArray<FallbackTarget>
  /** How many of them are other places than the model itself. */
  readonly ahead: number
  /** An answer that a content filter stopped leads somewhere. */
  readonly contentPolicy: boolean
}

/** Which errors may use `general` though they have no claim to it. */
export interface Exceptions {
  readonly contentPolicyUsesGeneral: boolean
  readonly invalidRequestUsesGeneral: boolean
}

const maxPlans = 1000

/** The request's own list for failures of this kind. */
const typedList = ({ overrides }: LlmRequest, kind: FallbackKind) =>
  kind === "contextWindow"
    ? overrides.contextWindowFallbacks
    : kind === "contentPolicy"
      ? overrides.contentPolicyFallbacks
      : undefined

/** The chains as one request sees them: its own list of fallbacks stands in for the configured ones. */
export class FallbackPlans {
  /** By name, in bounded number since callers choose the names, and until the registry changes. */
  private readonly plans = new Map<string, Plan>()
  private version = -1

  constructor(
    private readonly chains: FallbackChains,
    private readonly names: Names,
    private readonly exceptions: Exceptions
  ) {}

  /** The plan for a model that this request is about to ask. */
  plan(request: LlmRequest, model: string): Plan {
    const { contentPolicyFallbacks, contextWindowFallbacks, fallbacks } = request.overrides
    const plan = fallbacks === undefined ? this.configuredPlan(model) : this.ownPlan(fallbacks, model)
    if (contentPolicyFallbacks === undefined && contextWindowFallbacks === undefined) return plan
    return {
      ...plan,
      isEmpty: plan.isEmpty && !contentPolicyFallbacks?.length && !contextWindowFallbacks?.length,
      contentPolicy: contentPolicyFallbacks === undefined ? plan.contentPolicy : contentPolicyFallbacks.length > 0
    }
  }

  /**
   * The chain that a failure leads to. A list of the request's own replaces every chain but `contentPolicy`: a refusal is
   * no outage; an empty list replaces that too.
   */
  chain(request: LlmRequest, model: string, error: LlmError): Chain | undefined {
    const { contentPolicyUsesGeneral, invalidRequestUsesGeneral } = this.exceptions
    const kind = error.reason === "InvalidRequest" && invalidRequestUsesGeneral ? "general" : error.fallback
    const typed = typedList(request, kind)
    if (typed !== undefined) return typed.length === 0 ? undefined : { kind, targets: typed.map(toTarget) }
    const own = request.overrides.fallbacks
    if (own === undefined || kind === "none") return this.configured(kind, model)
    if (own.length === 0) return undefined
    if (kind === "contentPolicy") {
      const chain = this.chains.lookup(kind, model)
      if (chain !== undefined || !contentPolicyUsesGeneral) return chain
    }
    return { kind, targets: own.map(toTarget) }
  }

  private configured(kind: FallbackKind, model: string): Chain | undefined {
    const chain = this.chains.lookup(kind, model)
    return chain === undefined && kind === "contentPolicy" && this.exceptions.contentPolicyUsesGeneral
      ? this.chains.lookup("general", model)
      : chain
  }

  private configuredPlan(model: string): Plan {
    const version = this.names.version()
    if (version !== this.version || this.plans.size >= maxPlans) {
      this.plans.clear()
      this.version = version
    }
    const known = this.plans.get(model)
    if (known !== undefined) return known
    const made = this.makePlan(model)
    this.plans.set(model, made)
    return made
  }

  private makePlan(model: string): Plan {
    const targets = (kind: FallbackKind) => this.configured(kind, model)?.targets ?? []
    const here = this.at(model)
    const general = targets("general")
    const rateLimit = targets("rateLimit")
    const outage = here.countNew(general) >= here.countNew(rateLimit) ? general : rateLimit
    const contentPolicy = targets("contentPolicy").length > 0
    return {
      isEmpty: outage.length === 0 && !contentPolicy && targets("contextWindow").length === 0,
      outage,
      ahead: here.countNew(outage),
      contentPolicy
    }
  }

  private ownPlan(own: ReadonlyArray<string | FallbackTarget>, model: string): Plan {
    const outage = own.map(toTarget)
    return {
      isEmpty: own.length === 0,
      outage,
      ahead: this.at(model).countNew(outage),
      contentPolicy:
        own.length > 0 && (this.exceptions.contentPolicyUsesGeneral || this.configuredPlan(model).contentPolicy)
    }
  }

  private at(model: string): Places {
    const here = new Places(this.names)
    here.add(model)
    return here
  }
}
