import { nowMs } from "@switchyard/core/Time"
import type { AdmitAsk, Admitted, EngineError, Refused, SharedLimits } from "@switchyard/router/Engine"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { Effect } from "effect"
import { Dice } from "../Dice.js"
import { expect, type Found, type Harness, type Rule } from "./engineRule.js"

const none: SharedLimits = { rpm: undefined, tpm: undefined, maxParallel: undefined }

/** Nothing runs out within a check, unless it says so. */
const long = 60_000

/** What checks say to an engine, about one key. */
const using = ({ engine, run }: Pick<Harness, "engine" | "run">, name: string, window = long, lease = long) => {
  const key = `${run} ${name}`
  const ask = (attempt: string, limits: Partial<SharedLimits>, tokens = 1): AdmitAsk => ({
    key,
    attempt,
    limits: { ...none, ...limits },
    tokens,
    lease,
    window
  })
  const admit = (...given: Parameters<typeof ask>) => engine.usage.admit(ask(...given))
  const held = (attempt: string) => ({ key, attempt })
  return {
    key,
    admit,
    held,
    lease,
    settle: (attempt: string, tokens: number) => engine.usage.settle(held(attempt), tokens),
    release: (attempt: string) => engine.usage.release(held(attempt)),
    look: Effect.map(
      engine.usage.look([key], window),
      ([use]): ReadonlyArray<unknown> => [use?.requests, use?.tokens, use?.calls]
    )
  }
}

const shown = (answer: Admitted | Refused): string => (answer._tag === "Admitted" ? "in" : answer.reason)

/** Turns in which a busy machine may need longer than the window for three questions. */
const turns = 20

interface Full {
  readonly admit: ReturnType<typeof using>["admit"]
  readonly full: Refused
}

/** Two are in and the third is not, unless the first has left the window by then: that is another turn, with another key. */
const filled = (harness: Harness, turn = 1): Effect.Effect<Full, EngineError | Found> =>
  Effect.gen(function* () {
    const { admit } = using(harness, `requests ${turn}`, harness.window)
    const begun = nowMs(yield* Effect.clock)
    for (const attempt of ["a", "b"]) yield* expect(attempt, shown(yield* admit(attempt, { rpm: 2 })), "in")
    const full = yield* admit("c", { rpm: 2 })
    const took = nowMs(yield* Effect.clock) - begun
    // Engines count whole ms.
    const isLate = took >= harness.window - 1 && turn < turns
    if (full._tag === "Admitted" && isLate) return yield* filled(harness, turn + 1)
    yield* expect("the third", shown(full), "rpm")
    return { admit, full: full as Refused }
  })

/** What an engine must do with the use of limits. */
export const rules: ReadonlyArray<Rule> = [
  [
    "as many requests as the limit says are admitted in a window, and the next when the first has left it",
    (harness) =>
      Effect.gen(function* () {
        const { admit, full } = yield* filled(harness)
        const freesIn = full.freesIn ?? Number.POSITIVE_INFINITY
        yield* expect("it is told when", freesIn > 0 && freesIn <= harness.window, true)
        yield* harness.pass(freesIn + 50)
        yield* expect("after that", shown(yield* admit("c", { rpm: 2 })), "in")
      })
  ],
  [
    "a call that is asked for twice is one call",
    (harness) =>
      Effect.gen(function* () {
        const { admit, look } = using(harness, "twice")
        const first = yield* admit("a", { rpm: 1, maxParallel: 1 }, 7)
        const second = yield* admit("a", { rpm: 1, maxParallel: 1 }, 7)
        yield* expect("both", [shown(first), shown(second)], ["in", "in"])
        yield* expect("use", yield* look, [1, 7, 1])
      })
  ],
  [
    "a permit comes back with its call, once",
    (harness) =>
      Effect.gen(function* () {
        const { admit, look, settle } = using(harness, "permits")
        const limits = { maxParallel: 2 }
        yield* Effect.all([admit("a", limits), admit("b", limits)])
        const full = yield* admit("c", limits)
        yield* expect(
          "the third",
          [shown(full), full._tag === "Refused" ? (full.freesIn ?? "never") : ""],
          ["maxParallel", "never"]
        )
        yield* settle("a", 3)
        yield* settle("a", 3)
        yield* expect("after one has ended", shown(yield* admit("c", limits)), "in")
        yield* expect("and no further", shown(yield* admit("d", limits)), "maxParallel")
        yield* expect("use", yield* look, [3, 5, 2])
      })
  ],
  [
    "tokens are held by estimate and counted by what was used",
    (harness) =>
      Effect.gen(function* () {
        const { admit, look, release, settle } = using(harness, "tokens")
        const limits = { tpm: 100 }
        yield* admit("a", limits, 60)
        yield* expect("what does not fit", shown(yield* admit("b", limits, 50)), "tpm")
        yield* settle("a", 10)
        yield* expect("what fits now", shown(yield* admit("b", limits, 50)), "in")
        yield* settle("b", 80)
        yield* expect("more than was held counts too", yield* look, [2, 90, 0])
        yield* admit("c", limits, 10)
        yield* release("c")
        yield* expect("what was not sent is as if it had never been", yield* look, [2, 90, 0])
        yield* expect("full again", shown(yield* admit("d", limits, 11)), "tpm")
      })
  ],
  [
    "a call that is estimated above the limit fits alone",
    (harness) =>
      Effect.gen(function* () {
        const { admit } = using(harness, "alone")
        yield* expect("alone", shown(yield* admit("a", { tpm: 10 }, 1000)), "in")
        yield* expect("beside it", shown(yield* admit("b", { tpm: 10 }, 1)), "tpm")
        yield* expect("a limit of nothing", shown(yield* admit("c", { tpm: 0 }, 1)), "tpm")
      })
  ],
  [
    "a refused call takes nothing",
    (harness) =>
      Effect.gen(function* () {
        const { admit, look } = using(harness, "refused")
        yield* admit("a", { maxParallel: 1 }, 5)
        yield* admit("b", { maxParallel: 1, rpm: 10, tpm: 10 }, 5)
        yield* admit("c", { rpm: 1 }, 5)
        yield* admit("d", { tpm: 5 }, 5)
        yield* expect("use", yield* look, [1, 5, 1])
      })
  ],
  [
    "the room of a process that says nothing comes back with its lease, and what it held counts as used",
    (harness) =>
      Effect.gen(function* () {
        const lease = harness.window
        const { admit, held, look, settle } = using(harness, "leases", long, lease)
        const { engine } = harness
        yield* admit("a", { maxParallel: 2 }, 5)
        yield* admit("b", { maxParallel: 2 }, 5)
        yield* expect("the one is held on", yield* engine.usage.renew([held("b")], long), [])
        yield* harness.pass(lease + 50)
        yield* expect("the other is gone", yield* engine.usage.renew([held("a"), held("b")], long), [held("a")])
        yield* expect("and its room with it", shown(yield* admit("c", { maxParallel: 2 }, 5)), "in")
        yield* settle("a", 500)
        yield* expect("what it says later counts no more", (yield* look).slice(0, 2), [3, 15])
      })
  ],
  [
    "what went on without it is counted where it is recent",
    (harness) =>
      Effect.gen(function* () {
        const { admit, key, look } = using(harness, "records")
        yield* harness.engine.usage.record([
          { key, window: long, ago: 1, requests: 2, tokens: 30 },
          { key, window: long, ago: long + 1, requests: 50, tokens: 50 }
        ])
        yield* expect("use", yield* look, [2, 30, 0])
        yield* expect("it binds", shown(yield* admit("a", { rpm: 2 })), "rpm")
      })
  ],
  [
    "of many that ask at once exactly as many are admitted as there is room for",
    (harness) =>
      Effect.gen(function* () {
        const { admit } = using(harness, "race")
        const attempts = Array.from({ length: 40 }, (_, index) => `call ${index}`)
        const asked = Effect.forEach(attempts, (attempt) => admit(attempt, { rpm: 25, maxParallel: 15 }), {
          concurrency: "unbounded"
        })
        const numbers = (yield* asked).flatMap((answer) => (answer._tag === "Admitted" ? [answer.number] : []))
        const wanted = Array.from({ length: 15 }, (_, index) => index + 1)
        yield* expect(
          "numbers",
          [...numbers].sort((a, b) => a - b),
          wanted
        )
      })
  ],
  [
    "keys have nothing to do with each other, whatever letters are in them",
    (harness) =>
      Effect.gen(function* () {
        const names = ["a", "a:b", "{a}", "a}", "{", "", "ä *?[", "%7Ba%7D"]
        for (const name of names) {
          const { admit, look } = using(harness, `letters ${name}`)
          yield* expect(name, shown(yield* admit("a", { rpm: 1 })), "in")
          yield* expect(name, yield* look, [1, 1, 1])
        }
        const keys = names.map((name) => `${harness.run} letters ${name}`)
        const uses = yield* harness.engine.usage.look(keys, long)
        yield* expect(
          "all at once",
          uses.map(({ requests }) => requests),
          names.map(() => 1)
        )
      })
  ],
  [
    "processes know of each other as long as they say something",
    (harness) =>
      Effect.gen(function* () {
        const { engine, pass, run, window } = harness
        const before = (yield* engine.announce(`${run} b`, long)).count
        const both = yield* engine.announce(`${run} a`, window)
        yield* expect("both", both.count, before + 1)
        const first = yield* engine.announce(`${run} 0`, long)
        yield* expect("those before it", first.place <= both.place, true)
        yield* pass(window + 50)
        yield* expect("the silent one is gone", (yield* engine.announce(`${run} b`, long)).count, before + 1)
      })
  ],
  [
    "it agrees with the engine in memory on any sequence of questions",
    (harness) =>
      Effect.gen(function* () {
        const model = yield* MemoryEngine.make()
        const dice = new Dice(20_261_129)
        for (let round = 0; round < 5; round++) {
          const seen: Array<string> = []
          const subjects = [harness.engine, model].map((engine) =>
            using({ engine, run: `${harness.run} ${round}` }, "model")
          )
          for (let step = 0; step < 40; step++) {
            const attempt = `call ${dice.below(12)}`
            const tokens = dice.below(40)
            const limits = dice.pick([
              { rpm: 9 },
              { tpm: 60 },
              { maxParallel: 3 },
              { rpm: 12, tpm: 90, maxParallel: 4 }
            ])
            const kind = dice.pick(["admit", "admit", "settle", "release", "look"] as const)
            seen.push(`${kind} ${attempt} ${tokens} ${JSON.stringify(limits)}`)
            const [found, wanted] = yield* Effect.forEach(
              subjects,
              ({ admit, look, release, settle }): Effect.Effect<ReadonlyArray<unknown>, EngineError> =>
                kind === "admit"
                  ? Effect.map(admit(attempt, limits, tokens), (answer) => [
                      shown(answer),
                      answer.use.requests,
                      answer.use.tokens,
                      answer.use.calls
                    ])
                  : kind === "settle"
                    ? Effect.zipRight(settle(attempt, tokens), look)
                    : kind === "release"
                      ? Effect.zipRight(release(attempt), look)
                      : look
            )
            yield* expect(`after ${seen.join("; ")}`, found, wanted)
          }
        }
      })
  ]
]
