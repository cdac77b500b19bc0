import { describe, expect, it } from "vitest"
import { simulate, simulateOne } from "../support/simulate.js"

const share = (
  result: { readonly deployments: ReadonlyArray<{ readonly id: string; readonly share: number }> },
  id: string
) => result.deployments.find((one) => one.id === id)?.share ?? 0

describe("Simulation", () => {
  it("comes to the same bytes with the same seed, and to others with another", async () => {
    const parts = {
      requests: 200,
      upstreams: { "*": { errors: { "500": 0.05 } } },
      incidents: [{ deployments: ["a"], from: 3000, lasts: 2000, down: 503 }]
    }
    const texts = await Promise.all([1, 1, 2].map(async (seed) => JSON.stringify(await simulateOne(parts, { seed }))))
    expect(texts[0]).toBe(texts[1])
    expect(texts[0]).not.toBe(texts[2])
  })

  it("takes as long as the upstream's model says", async () => {
    const result = await simulateOne({
      upstreams: { "*": { firstToken: 300, perThousandInput: 1000, tokensPerSecond: 50 } },
      workload: [{ model: "m", rate: 20, inputTokens: 2000, outputTokens: 100 }]
    })
    expect(result).toMatchObject({ requests: 500, completed: 500, errors: {}, attemptsPerRequest: 1 })
    expect(result.firstToken.p50).toBeCloseTo(2300, 3)
    expect(result.latency.p99).toBeCloseTo(4300, 3)
    expect(result.goodput).toBeCloseTo(500 / (result.lasted / 1000), 6)
  })

  it("queues what finds no slot, and is answered in order", async () => {
    const parts = {
      requests: 100,
      router: { deployments: [{ id: "a", group: "m", model: "x" }] },
      upstreams: { "*": { firstToken: 100, tokensPerSecond: 1000, slots: 1, queue: 1000 } },
      workload: [{ model: "m", rate: 5, arrivals: "regular", outputTokens: 300 }]
    }
    const result = await simulateOne(parts)
    // 400 ms each, and one comes every 200 ms: the last waits 99 × 200 ms.
    expect(result.latency.p50).toBeCloseTo(400 + 49 * 200, 0)
    expect(result.completed).toBe(100)
  })

  it("gives slots that are back after an incident to those who wait, before those who come", async () => {
    const parts = {
      requests: 20,
      router: { deployments: [{ id: "a", group: "m", model: "x" }] },
      upstreams: { "*": { firstToken: 1000, tokensPerSecond: 100, slots: 10, queue: 100 } },
      incidents: [{ deployments: ["a"], from: 0, lasts: "9500 millis", slots: 1 }],
      workload: [{ model: "m", rate: 1, arrivals: "regular", outputTokens: 900 }]
    }
    const result = await simulateOne(parts)
    // The one slot is free after 11 s; at 10 s, when the other nine are back, those of seconds 2 to 10 begin, not that one alone.
    expect(result.latency.p99).toBeLessThan(18_100)
    expect(result.completed).toBe(20)
  })

  it("sends at equal distances through bursts and nights as many as the rate says", async () => {
    const sent = async (source: object) => {
      const { requests } = await simulateOne({
        requests: undefined,
        duration: "10 minutes",
        workload: [{ model: "m", arrivals: "regular", outputTokens: 10, ...source }]
      })
      return requests
    }
    expect(await sent({ rate: 1 })).toBe(599)
    const bursts = { every: "1 minute", lasts: "6 seconds", times: 10 }
    expect(Math.abs((await sent({ rate: 0.05, bursts })) - 10 * (0.05 * 54 + 0.5 * 6))).toBeLessThanOrEqual(1)
    expect(Math.abs((await sent({ rate: 1, day: { length: "10 minutes", low: 0 } })) - 300)).toBeLessThanOrEqual(2)
  })

  it("answers 429 beyond a limit, which the router learns from its headers", async () => {
    const limited = (announces: boolean) =>
      simulateOne({
        requests: 1000,
        router: {
          deployments: [
            { id: "a", group: "m", model: "x" },
            { id: "b", group: "m", model: "x" }
          ]
        },
        upstreams: { a: { rpm: 120, announces }, b: { firstToken: 300 } }
      })
    const told = await limited(true)
    expect(told.limited).toBeGreaterThan(0)
    expect(told.completed).toBe(1000)
    const hidden = await limited(false)
    expect(hidden.limited).toBeGreaterThan(told.limited)
  })

  it("notices an outage, goes elsewhere, and comes back", async () => {
    const result = await simulateOne({
      requests: 1600,
      incidents: [{ deployments: ["a"], from: "30 seconds", lasts: "20 seconds", down: 503 }]
    })
    expect(result.errors).toEqual({})
    const [incident] = result.incidents
    expect(incident?.detected).toBeLessThanOrEqual(5000)
    expect(incident?.recovered).toBeLessThanOrEqual(30_000)
    expect(share(result, "a")).toBeLessThan(0.5)
  })

  it("leaves an upstream that is silent, and one of which streams break off is recovered from", async () => {
    const silent = await simulateOne({ incidents: [{ deployments: ["a"], from: 0, down: "silent" }] })
    expect(silent).toMatchObject({ errors: {}, completed: 500 })
    expect(share(silent, "b")).toBeGreaterThan(0.9)
    const cut = await simulateOne({ incidents: [{ deployments: ["a"], from: 0, cut: 0.5 }] })
    expect(cut.failedAttempts).toBeGreaterThan(5)
    const stalled = await simulateOne({ requests: 200, incidents: [{ deployments: ["a"], from: 0, stall: 1 }] })
    expect(stalled.latency.p99).toBeGreaterThan(10_000)
  })

  it("has no silence in a stream that is written for minutes", async () => {
    const result = await simulateOne({
      requests: 20,
      upstreams: { "*": { firstToken: 300, tokensPerSecond: 10 } },
      workload: [{ model: "m", rate: 1, outputTokens: 1000 }]
    })
    expect(result).toMatchObject({ completed: 20, errors: {}, attemptsPerRequest: 1 })
    expect(result.latency.p50).toBeCloseTo(100_300, 3)
  })

  it("lets replicas that share hear of an outage that others saw", async () => {
    const parts = { replicas: 8, requests: 1000, incidents: [{ deployments: ["a"], from: "10 seconds", down: 503 }] }
    const alone = await simulateOne(parts)
    const [shared, again] = await Promise.all([1, 2].map(() => simulateOne({ ...parts, shares: true })))
    expect(shared).toMatchObject({ completed: 1000 })
    expect(shared?.failedAttempts).toBeLessThan(alone.failedAttempts)
    expect(JSON.stringify(again)).toBe(JSON.stringify(shared))
  })

  it("befalls a whole region, and falls back to another group", async () => {
    const result = await simulateOne({
      router: {
        deployments: [
          { id: "a", group: "m", model: "x", region: "eu" },
          { id: "b", group: "m", model: "x", region: "eu" },
          { id: "c", group: "spare", model: "x", region: "us" }
        ],
        fallback: { chains: { general: { m: ["spare"] } } }
      },
      incidents: [{ region: "eu", from: "8 seconds", lasts: "10 seconds", down: "refuse" }]
    })
    expect(result.errors).toEqual({})
    expect(share(result, "c")).toBeGreaterThan(0.1)
  })

  it("serves the prompts of a session from the cache of the deployment that knows them", async () => {
    const parts = {
      upstreams: {
        "*": {
          firstToken: 100,
          perThousandInput: 500,
          tokensPerSecond: 200,
          promptCache: "5 minutes",
          inputPrice: 2,
          cachedInputPrice: 0.2,
          outputPrice: 8
        }
      },
      workload: [
        {
          model: "m",
          rate: 2,
          sessions: { turns: 6, think: 2000 },
          inputTokens: 500,
          outputTokens: 50,
          prefix: { tokens: 1000 }
        }
      ]
    }
    const [sticky, shuffled] = await simulate(parts, { compare: ["sticky", "simple-shuffle"] })
    const cached = (result: typeof sticky) => result?.deployments.reduce((sum, one) => sum + one.cachedTokens, 0) ?? 0
    expect(cached(sticky)).toBeGreaterThan(1.1 * cached(shuffled))
    expect(sticky?.cost).toBeLessThan(shuffled?.cost ?? 0)
  })

  it("starts anew what was idle for long", async () => {
    const parts = (rate: number) => ({
      requests: 20,
      router: { deployments: [{ id: "a", group: "m", model: "x" }] },
      upstreams: { "*": { firstToken: 100, tokensPerSecond: 1000, coldAfter: "10 seconds", coldStart: "3 seconds" } },
      workload: [{ model: "m", rate, arrivals: "regular", outputTokens: 10 }]
    })
    expect((await simulateOne(parts(0.02))).firstToken.p50).toBeCloseTo(3100, 3)
    expect((await simulateOne(parts(1))).firstToken.p50).toBeCloseTo(100, 3)
  })

  it("gives every variant the same requests, and each replica a view of its own", async () => {
    const [one, other] = await simulate({ replicas: 4 }, { compare: ["peak-ewma", "round-robin"] })
    const tokens = (result: typeof one) => result?.deployments.reduce((sum, { inputTokens }) => sum + inputTokens, 0)
    expect(tokens(one)).toBe(tokens(other))
  })

  it("follows bursts, days and ends of its sources", async () => {
    const result = await simulateOne({
      requests: undefined,
      duration: "100 seconds",
      workload: [
        { model: "m", rate: 10, bursts: { every: "20 seconds", lasts: "2 seconds", times: 10 }, outputTokens: 10 },
        { model: "m", rate: 20, from: "50 seconds", lasts: "10 seconds", outputTokens: 10, streams: 0 },
        { model: "m", rate: 10, day: { length: "100 seconds", low: 0 }, outputTokens: 10, maxTokens: true }
      ]
    })
    // 10 × 0.9 + 100 × 0.1 per second, 200 in between, and half of 10 per second.
    expect(result.requests).toBeGreaterThan(2400)
    expect(result.requests).toBeLessThan(2800)
  })

  it("tells what was simulated so far when it is stopped", async () => {
    let asked = 0
    const result = await simulateOne({ requests: 100_000 }, { shouldStop: () => ++asked === 2 })
    expect(result.isPartial).toBe(true)
    expect(result.completed).toBeGreaterThan(200)
    expect(result.completed).toBeLessThan(100_000)
  })

  it("sends a trace's requests when they came", async () => {
    const entry = { model: undefined, inputTokens: 10, outputTokens: 50, stream: false, session: undefined }
    const trace = Array.from({ length: 50 }, (_, i) => ({ ...entry, at: i * 1000 }))
    const [result] = await simulate({ requests: undefined, workload: undefined, traceModel: "m" }, { trace })
    expect(result).toMatchObject({ requests: 50, completed: 50, lasted: 49_000 })
    expect(result?.latency.p50).toBeCloseTo(1300, 3)
  })

  it("sends a trace's request to the group that its name is, were it by a wildcard, and any other to the one that is said", async () => {
    const entry = { inputTokens: 10, outputTokens: 50, stream: false, session: undefined }
    const trace = ["x/large", "nobody's", undefined].map((model, i) => ({ ...entry, model, at: i * 1000 }))
    const router = {
      deployments: [
        { id: "a", group: "x/*", model: "*" },
        { id: "b", group: "m", model: "gpt-4o" }
      ]
    }
    const parts = { router, requests: undefined, workload: undefined, traceModel: "m" }
    const [result] = await simulate(parts, { trace })
    expect(result?.deployments.map(({ completed, id }) => [id, completed])).toEqual([
      ["a", 1],
      ["b", 2]
    ])
  })

  it.each([
    "litellm-simple-shuffle",
    "litellm-least-busy",
    "litellm-usage-based-v2",
    "litellm-latency-based",
    "finagle-peak-ewma",
    "lowest-average",
    "lowest-ema",
    "oracle"
  ])("routes by %s", async (rule) => {
    const [result] = await simulate(
      { requests: 200, upstreams: { a: { firstToken: 300 }, b: { firstToken: 1500 } } },
      { compare: [rule] }
    )
    expect(result).toMatchObject({ variant: rule, strategy: rule, completed: 200 })
    if (/latency|ewma|ema|average|oracle/.test(rule))
      expect(share(result as NonNullable<typeof result>, "a")).toBeGreaterThan(0.6)
  })
})
