import type { LedgerGroup, LedgerKey } from "../../src/keys/LedgerKey.js"
import type { UsageRecord } from "../../src/record/UsageRecord.js"

/** 2026-11-29, 10:00 UTC. */
export const morning = Date.UTC(2026, 10, 29, 10)

export const hour = 3_600_000

export const record = (of: Partial<UsageRecord> = {}): UsageRecord => ({
  id: "req-1",
  time: morning,
  caller: "alice",
  team: "blue",
  user: undefined,
  tags: [],
  operation: "chat",
  model: "fast",
  group: "fast",
  deployment: "openai-1",
  provider: "openai",
  attempts: 1,
  stream: false,
  isHit: false,
  input: 10,
  cacheRead: 2,
  cacheWrite: 3,
  output: 20,
  reasoning: 4,
  cost: 1_000,
  ending: "success",
  status: 200,
  reason: undefined,
  latency: 120,
  firstContent: 40,
  session: undefined,
  ...of
})

const terms = {
  models: undefined,
  allowance: undefined,
  rpm: undefined,
  tpm: undefined,
  maxParallel: undefined,
  isBlocked: false
}

export const key = (of: Partial<LedgerKey> = {}): LedgerKey => ({
  ...terms,
  hash: "a1",
  name: "alice",
  alias: "alice",
  hint: "sk-...1a2b",
  team: undefined,
  user: undefined,
  aliases: {},
  tags: [],
  metadata: {},
  expiresAt: undefined,
  createdAt: morning,
  updatedAt: morning,
  ...of
})

export const group = (of: Partial<LedgerGroup> = {}): LedgerGroup => ({
  ...terms,
  kind: "team",
  id: "blue",
  alias: undefined,
  metadata: {},
  createdAt: morning,
  updatedAt: morning,
  ...of
})
