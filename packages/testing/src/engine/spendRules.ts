import type { EngineError } from "@switchyard/router/Engine"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import type { SpendAsk, SpendGrant } from "@switchyard/router/SpendEngine"
import { Effect } from "effect"
import { Dice } from "../Dice.js"
import { expect, type Harness, type Rule } from "./engineRule.js"

/** Nothing runs out within a check, unless it says so. */
const long = 60_000

/** What checks say to an engine, about one window. */
const spending = ({ engine, run }: Pick<Harness, "engine" | "run">, name: string, length = long) => {
  const usual: SpendAsk = {
    key: `${run} ${name}`,
    holder: "a",
    length,
    limit: 1_000,
    amount: 0,
    lasts: long,
    settled: 0,
    confirmed: 0,
    known: 0,
    window: 0,
    endsIn: undefined
  }
  return (holder: string, said: Partial<SpendAsk>): Effect.Effect<SpendGrant, EngineError> =>
    Effect.map(engine.spend.lease([{ ...usual, holder, ...said }]), ([grant]) => grant as SpendGrant)
}

const shown = ({ granted, leasedByOthers, spent }: SpendGrant) => [spent, granted, leasedByOthers]

/** What an engine must do with money. */
export const rules: ReadonlyArray<Rule> = [
  [
    "a window of money begins with its first lease, and ends after its length with all that was spent and leased of it",
    (harness) =>
      Effect.gen(function* () {
        const { window } = harness
        const ask = spending(harness, "window", window)
        const before = yield* ask("a", {})
        yield* expect("none has begun", [before.window, before.endsIn, ...shown(before)], [0, 0, 0, 0, 0])
        const begun = yield* ask("a", { amount: 600, settled: 100 })
        yield* expect("the first", shown(begun), [100, 600, 0])
        yield* expect("its end", begun.window > 0 && begun.endsIn > 0 && begun.endsIn <= window, true)
        const second = yield* ask("b", { amount: 600 })
        yield* expect("the second", shown(second), [100, 300, 600])
        yield* expect("the same window", second.window, begun.window)
        yield* harness.pass(window + 50)
        // The one that does not know says what it knows of the window that is over.
        const late = { amount: 600, settled: 150, confirmed: 100, known: 150, window: begun.window }
        const next = yield* ask("a", late)
        yield* expect("the next", shown(next), [0, 600, 0])
        yield* expect("another window", next.window > begun.window, true)
        yield* expect(
          "what is settled now",
          shown(yield* ask("a", { ...late, settled: 170, confirmed: 150, known: 20, window: next.window })),
          [20, 600, 0]
        )
      })
  ],
  [
    "of many processes that ask at once leases are what there is, to the last nano-USD",
    (harness) =>
      Effect.gen(function* () {
        const ask = spending(harness, "race")
        const holders = Array.from({ length: 12 }, (_, index) => `holder ${index}`)
        const grants = yield* Effect.forEach(holders, (holder) => ask(holder, { amount: 150, settled: 7 }), {
          concurrency: "unbounded"
        })
        const leased = grants.reduce((sum, { granted }) => sum + granted, 0)
        const { spent } = yield* ask("late", {})
        yield* expect("spent", spent, 12 * 7)
        // Who asked late found less spent by others than there is in the end.
        yield* expect("leased", leased <= 1_000 && leased >= 1_000 - 12 * 7, true)
      })
  ],
  [
    "money that was settled counts once, however often it is told",
    (harness) =>
      Effect.gen(function* () {
        const ask = spending(harness, "once")
        const told = { amount: 100, settled: 40 }
        const first = yield* ask("a", told)
        yield* expect("told", shown(first), [40, 100, 0])
        yield* expect("told again, by who heard no answer", shown(yield* ask("a", told)), [40, 100, 0])
        yield* expect("grown", shown(yield* ask("a", { ...told, settled: 55 })), [55, 100, 0])
        const known = { settled: 60, confirmed: 55, known: 60, window: first.window }
        yield* expect("with what was confirmed", shown(yield* ask("a", { ...told, ...known })), [60, 100, 0])
        yield* expect("twice", shown(yield* ask("a", { ...told, ...known })), [60, 100, 0])
        yield* expect("another's", shown(yield* ask("b", { settled: 5 })), [65, 0, 100])
      })
  ],
  [
    "a lease is in place of the one before, comes back with a word, and without one when it ends",
    (harness) =>
      Effect.gen(function* () {
        const ask = spending(harness, "leases")
        const { window } = harness
        yield* ask("a", { amount: 700 })
        yield* expect("less", shown(yield* ask("a", { amount: 300 })), [0, 300, 0])
        yield* expect("left as it is", shown(yield* ask("a", { amount: undefined })), [0, 300, 0])
        yield* expect("others have the rest", shown(yield* ask("b", { amount: 900 })), [0, 700, 300])
        yield* ask("b", { amount: 0 })
        yield* expect("it came back", shown(yield* ask("a", { amount: 900, lasts: window })), [0, 900, 0])
        yield* harness.pass(window + 50)
        yield* expect("it has ended", shown(yield* ask("b", { amount: 1_000 })), [0, 1_000, 0])
        yield* expect("with what it was left as", shown(yield* ask("a", { amount: undefined })), [0, 0, 1_000])
      })
  ],
  [
    "what it has lost of a window it learns again from those who know: never less than the largest sum, and nothing twice",
    (harness) =>
      Effect.gen(function* () {
        const { window } = yield* spending(harness, "another")("a", { amount: 1 })
        const ask = spending(harness, "lost")
        const told = { window, amount: 10 }
        const first = yield* ask("a", { ...told, settled: 40, confirmed: 40, known: 70 })
        yield* expect("by the first", [first.window, ...shown(first)], [window, 70, 10, 0])
        yield* expect(
          "by the second, which has settled more since",
          shown(yield* ask("b", { ...told, settled: 25, confirmed: 20, known: 65 })),
          [75, 10, 10]
        )
        yield* expect(
          "by the third, which knows more",
          shown(yield* ask("c", { ...told, settled: 5, confirmed: 5, known: 90 })),
          [90, 10, 20]
        )
        const begun = spending(harness, "begun anew")
        yield* begun("d", { amount: 10, settled: 1 })
        yield* expect(
          "also where a new one has begun",
          shown(yield* begun("a", { ...told, settled: 40, confirmed: 40, known: 70 })),
          [70, 10, 10]
        )
      })
  ],
  [
    "a window that a process knows from elsewhere ends when that one says, and has the larger sum of both",
    (harness) =>
      Effect.gen(function* () {
        const ask = spending(harness, "elsewhere")
        const first = yield* ask("a", { amount: 10, known: 300, endsIn: 20_000 })
        yield* expect("begun by it", shown(first), [300, 10, 0])
        yield* expect("its end", first.endsIn > 0 && first.endsIn <= 20_000, true)
        const second = yield* ask("b", { amount: 10, known: 200, endsIn: 50_000 })
        yield* expect("less is known", [second.window, ...shown(second)], [first.window, 300, 10, 10])
        yield* expect("more is known", shown(yield* ask("c", { amount: 10, known: 400, endsIn: 5_000 })), [400, 10, 20])
      })
  ],
  [
    "a window without an end has none, and sums of years come out exact",
    (harness) =>
      Effect.gen(function* () {
        const ask = spending(harness, "endless", Number.POSITIVE_INFINITY)
        const much = 9_000_000_000_000_000
        const first = yield* ask("a", { amount: 3, limit: much, settled: much - 10 })
        yield* expect("its end", first.endsIn === Number.POSITIVE_INFINITY && first.window > 0, true)
        const { window } = first
        const told = { limit: much, settled: much - 7, confirmed: much - 10, known: much - 7, window }
        yield* expect("to the unit", shown(yield* ask("a", { ...told, amount: 100 })), [much - 7, 7, 0])
      })
  ],
  [
    "with money it agrees with the engine in memory on any sequence of words",
    (harness) =>
      Effect.gen(function* () {
        const model = yield* MemoryEngine.make()
        const dice = new Dice(20_261_129)
        for (let round = 0; round < 4; round++) {
          const subjects = [harness.engine, model].map((engine) => ({
            ask: spending({ engine, run: `${harness.run} ${round}` }, "model"),
            windows: new Map<string, number>()
          }))
          const holders = ["a", "b", "c"] as const
          const settled = new Map<string, number>()
          const confirmed = new Map<string, number>()
          const known = new Map<string, number>()
          for (let step = 0; step < 40; step++) {
            const holder = dice.pick(holders)
            settled.set(holder, (settled.get(holder) ?? 0) + dice.below(30))
            const said = {
              amount: dice.pick([undefined, 0, 50, 400, 2_000]),
              limit: dice.pick([500, 1_000, 3_000]),
              settled: settled.get(holder) ?? 0,
              confirmed: confirmed.get(holder) ?? 0,
              known: dice.roll() < 0.1 ? (known.get(holder) ?? 0) + 20 : 0
            }
            const [found, wanted] = yield* Effect.forEach(subjects, ({ ask, windows }) =>
              Effect.map(ask(holder, { ...said, window: windows.get(holder) ?? 0 }), (grant) => {
                // An answer that is lost confirms nothing.
                if (step % 3 !== 0) windows.set(holder, grant.window)
                return shown(grant)
              })
            )
            yield* expect(`round ${round}, step ${step}: ${JSON.stringify(said)}`, found, wanted)
            if (step % 3 === 0) continue
            confirmed.set(holder, said.settled)
            known.set(holder, wanted?.[0] ?? 0)
          }
        }
      })
  ]
]
