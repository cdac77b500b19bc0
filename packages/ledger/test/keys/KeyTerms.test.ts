import { assert, describe, it } from "@effect/vitest"
import * as KeyTerms from "@switchyard/ledger/KeyTerms"
import type { LedgerGroup, LedgerKey } from "@switchyard/ledger/LedgerKey"
import { groupOf, keyOf } from "./keyStore.js"

const bookOf = (key: LedgerKey, ...groups: ReadonlyArray<LedgerGroup>) => ({
  named: (name: string) => (name === key.name ? key : undefined),
  group: (kind: string, id: string) => groups.find((group) => group.kind === kind && group.id === id)
})

const allowance = { max: 2_500_000_000, window: 86_400_000, soft: 2_000_000_000 }

describe("KeyTerms", () => {
  it("are the key's, its team's and its user's together, in USD", () => {
    const key = keyOf("h", { name: "k", team: "t", user: "u", rpm: 3, allowance })
    const team = groupOf("team", "t", { allowance: { max: 0, window: undefined, soft: undefined }, maxParallel: 2 })
    const terms = KeyTerms.of(bookOf(key, team, groupOf("user", "u", { tpm: 100 })))
    assert.deepStrictEqual(terms.of("k"), {
      budgets: [
        { scope: "caller", key: "k", limit: 2.5, window: 86_400_000, soft: 2 },
        { scope: "team", key: "t", limit: 0, window: Number.POSITIVE_INFINITY }
      ],
      limits: [
        { scope: "caller", key: "k", limit: { maxParallel: undefined, rpm: 3, tpm: undefined } },
        { scope: "team", key: "t", limit: { maxParallel: 2, rpm: undefined, tpm: undefined } },
        { scope: "user", key: "u", limit: { maxParallel: undefined, rpm: undefined, tpm: 100 } }
      ]
    })
    assert.isUndefined(terms.of("other"))
  })

  it("are nothing for a key that is held to nothing; one with a soft budget alone is refused nothing", () => {
    assert.isUndefined(KeyTerms.of(bookOf(keyOf("h", { name: "k", team: "gone" }))).of("k"))
    const soft = { max: KeyTerms.noMax, window: undefined, soft: 1_000_000_000 }
    assert.deepStrictEqual(KeyTerms.of(bookOf(keyOf("h", { name: "k", allowance: soft }))).of("k")?.budgets, [
      { scope: "caller", key: "k", limit: Number.POSITIVE_INFINITY, window: Number.POSITIVE_INFINITY, soft: 1 }
    ])
  })

  it("are made once while nothing changes, and anew when a team does", () => {
    const key = keyOf("h", { name: "k", team: "t", rpm: 1 })
    let team = groupOf("team", "t", { rpm: 5 })
    const terms = KeyTerms.of({ named: () => key, group: () => team })
    assert.strictEqual(terms.of("k"), terms.of("k"))
    team = groupOf("team", "t", { rpm: 6 })
    assert.deepStrictEqual(
      terms.of("k")?.limits.map(({ limit }) => limit.rpm),
      [1, 6]
    )
  })
})
