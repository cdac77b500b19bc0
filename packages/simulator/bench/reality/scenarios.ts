const router = `
router:
  deployments:
    - { id: a, group: chat, model: gpt-4o }
    - { id: b, group: chat, model: gpt-4o }
    - { id: c, group: chat, model: gpt-4o }
    - { id: d, group: chat, model: gpt-4o }
`
const workload = `
workload:
  - { model: chat, rate: 14, inputTokens: 100, outputTokens: { median: 40, p95: 90 } }
`

/** Short enough to be waited for, and slow enough that a busy machine's own milliseconds hardly count. */
export const scenarios: Readonly<Record<string, string>> = {
  heterogeneous: `
name: heterogeneous
about: Four deployments, each with a speed of its own; two have few slots, and queues.
duration: 28 seconds
warmUp: 4000
${router}
upstreams:
  a: { firstToken: { median: 250, p95: 400 }, tokensPerSecond: 100, slots: 6 }
  b: { firstToken: { median: 400, p95: 700 }, tokensPerSecond: 80, slots: 6 }
  c: { firstToken: { median: 700, p95: 1200 }, tokensPerSecond: 60 }
  d: { firstToken: { median: 1000, p95: 2000 }, tokensPerSecond: 40 }
${workload}`,
  "one-slow": `
name: one-slow
about: One of four takes five times as long for everything.
duration: 28 seconds
warmUp: 4000
${router}
upstreams:
  "*": { firstToken: { median: 400, p95: 800 }, tokensPerSecond: { median: 80, p95: 110 }, slots: 10 }
  d: { firstToken: { median: 2000, p95: 4000 }, tokensPerSecond: { median: 16, p95: 22 }, slots: 40 }
${workload}`,
  outage: `
name: outage
about: Two of four answer 503 for eight seconds, and are slow for four more.
duration: 30 seconds
warmUp: 4000
${router}
upstreams:
  "*": { firstToken: { median: 400, p95: 800 }, tokensPerSecond: { median: 80, p95: 110 }, slots: 8 }
incidents:
  - { deployments: [a, b], from: 8000, lasts: 8000, down: 503 }
  - { deployments: [a, b], from: 16000, lasts: 4000, slower: 2.5 }
${workload}`
}
