/**
 * LiteLLM's rows as keys, teams, users and what they have spent.
 */
import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmKeys from "@switchyard/ledger/LiteLlmKeys"

const now = Date.parse("2026-11-29T12:00:00Z")
const day = 86_400_000
const token = (digit: string) => digit.repeat(64)

const tables = (more: Partial<LiteLlmKeys.Tables>): LiteLlmKeys.Tables => ({
  keys: [],
  teams: [],
  users: [],
  budgets: [],
  ...more
})

const read = (more: Partial<LiteLlmKeys.Tables>, taken: ReadonlyArray<string> = []) =>
  LiteLlmKeys.read(tables(more), now, (name) => taken.includes(name))

describe("keys of LiteLLM", () => {
  it("come as their hash, with models, limits, budget, aliases, tags, expiry and block", () => {
    const { keys, notes, spent } = read({
      keys: [
        {
          token: token("a"),
          key_name: "sk-...wxyz",
          key_alias: "blog",
          models: ["smart"],
          aliases: { gpt: "smart" },
          metadata: { tags: ["web"], owner: "joe" },
          team_id: "t1",
          user_id: "u1",
          spend: 2.5,
          max_budget: 10,
          soft_budget: 8,
          budget_duration: "30d",
          budget_reset_at: "2026-12-09T12:00:00",
          rpm_limit: "100",
          tpm_limit: 5000,
          max_parallel_requests: 3,
          blocked: true,
          expires: "2027-01-01T00:00:00",
          created_at: "2026-01-01T00:00:00"
        }
      ]
    })
    assert.deepStrictEqual(keys, [
      {
        hash: `sha256:${token("a")}`,
        name: "blog",
        alias: "blog",
        hint: "sk-...wxyz",
        team: "t1",
        user: "u1",
        models: ["smart"],
        aliases: { gpt: "smart" },
        tags: ["web"],
        metadata: { tags: ["web"], owner: "joe" },
        allowance: { max: 10_000_000_000, window: 30 * day, soft: 8_000_000_000 },
        rpm: 100,
        tpm: 5000,
        maxParallel: 3,
        isBlocked: true,
        expiresAt: Date.parse("2027-01-01T00:00:00Z"),
        createdAt: Date.parse("2026-01-01T00:00:00Z"),
        updatedAt: now
      }
    ])
    const began = Date.parse("2026-12-09T12:00:00Z") - 30 * day
    assert.deepStrictEqual(spent, [
      { scope: "caller", key: "blog", length: 30 * day, cost: 2_500_000_000, time: began }
    ])
    assert.deepStrictEqual(notes, [])
  })

  it("have spent what is in a window that has not ended, or never ends; teams and users too", () => {
    const budget = { max_budget: 1, spend: 0.5 }
    const { groups, spent } = read({
      keys: [
        {
          token: token("a"),
          key_alias: "over",
          ...budget,
          budget_duration: "1d",
          budget_reset_at: "2026-11-29T11:00:00Z"
        },
        { token: token("b"), key_alias: "endless", ...budget },
        { token: token("c"), key_alias: "unlimited", spend: 3 }
      ],
      teams: [{ team_id: "t1", team_alias: "Blog", ...budget }],
      users: [{ user_id: "u1", ...budget, budget_duration: "7d" }]
    })
    assert.deepStrictEqual(
      spent.map(({ key, length, scope }) => [scope, key, length]),
      [
        ["caller", "endless", Number.POSITIVE_INFINITY],
        ["team", "t1", Number.POSITIVE_INFINITY],
        ["user", "u1", 7 * day]
      ]
    )
    assert.deepStrictEqual(
      groups.map(({ alias, id, kind }) => [kind, id, alias]),
      [
        ["team", "t1", "Blog"],
        ["user", "u1", undefined]
      ]
    )
  })

  it("that cannot be carried over as they are say so, without a hash", () => {
    const { keys, notes } = read(
      {
        keys: [
          { token: token("a"), key_alias: "joe", organization_id: "o1", budget_id: "b1" },
          { token: token("b"), key_alias: "joe", permissions: { x: 1 }, budget_id: "gone", budget_duration: "soon" },
          { token: token("d"), key_alias: "there" },
          { token: "sk-plain-text-key" }
        ],
        budgets: [{ budget_id: "b1", max_budget: 4, budget_duration: "1d" }]
      },
      ["there"]
    )
    assert.deepStrictEqual(
      keys.map(({ name }) => name),
      ["joe", `key-${"b".repeat(12)}`, `key-${"d".repeat(12)}`]
    )
    assert.deepStrictEqual(keys[0]?.allowance, { max: 4_000_000_000, window: day, soft: undefined })
    assert.deepStrictEqual(notes, [
      "organization_id of a key means nothing here: 1 time",
      "permissions of a key means nothing here: 1 time",
      "a key names a budget that is not there: 1 time",
      "a key's alias is another key's name here, so it has a name of its own: 2 times",
      "a budget_duration is no length of time that is known: its budget never starts anew: 1 time",
      "a key is kept in another way than as its SHA-256, and is left out: 1 time"
    ])
    assert.notMatch(notes.join(), /[0-9a-f]{20}|sk-plain/)
  })
})
