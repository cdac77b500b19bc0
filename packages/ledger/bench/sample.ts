import type { UsageRecord } from "../src/record/UsageRecord.js"

/** Nano-USD of every record. */
export const cost = 1_000

/** 2026-11-29, 10:00 UTC. */
const start = Date.UTC(2026, 10, 29, 10)

/** As in a gateway names are the same texts again and again. */
const names = (what: string, count: number) => Array.from({ length: count }, (_, at) => `${what}-${at}`)
const keys = names("key", 10)
const teams = names("team", 3)
const models = names("model", 4)
const deployments = names("deployment", 8)
const tags = ["production"]

/** The nth record: of ten callers, four models and eight deployments. */
export const recordOf = (n: number, time = start + n): UsageRecord => ({
  id: `req-${n.toString(36).padStart(10, "0")}`,
  time,
  caller: keys[n % 10],
  team: teams[n % 3],
  user: undefined,
  tags,
  operation: "chat",
  model: models[n % 4],
  group: models[n % 4],
  deployment: deployments[n % 8],
  provider: "openai",
  attempts: 1,
  stream: true,
  isHit: false,
  input: 1_200,
  cacheRead: 800,
  cacheWrite: 0,
  output: 350,
  reasoning: 40,
  cost,
  ending: "success",
  status: 200,
  reason: undefined,
  latency: 1_834,
  firstContent: 412,
  session: "9f3a51c07d2e"
})
