/**
 * Deployments as `/admin/deployments` shows them.
 */
import type { DeploymentView } from "@switchyard/gateway/Admin"

const times = { meanMs: null, p50Ms: null, p95Ms: null, samples: 0 }

/** One that nothing has happened to, but for what is given. */
export const view = (given: Partial<DeploymentView> & { readonly id: string }): DeploymentView => ({
  group: "smart",
  provider: "openai",
  model: "gpt-4o",
  host: "api.openai.com",
  weight: null,
  tags: [],
  state: "healthy",
  isolated: false,
  cooldown: null,
  limitedBy: null,
  rampFactor: 1,
  stream: times,
  plain: times,
  inFlight: 0,
  requests: 0,
  successes: 0,
  failures: 0,
  blameless: 0,
  abandoned: 0,
  tokens: 0,
  lastMinute: null,
  limits: { rpm: null, tpm: null, maxParallel: null },
  headroom: null,
  spend: null,
  lastErrors: [],
  lastError: null,
  lastRequestAgeMs: null,
  ...given
})
